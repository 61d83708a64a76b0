"""What every test may use: real servers (`tests/services`), and the rule on what is missing.

A server that is not on this machine is installed when it can be (root on Debian, FERRULE_NO_APT not set).
Otherwise its tests are skipped and named at the end of the run; with CI=true a skipped test is a failed one.
"""

import os
import sys
from collections import Counter
from collections.abc import Generator

import hypothesis
import pytest

from tests.services import kinds

pytest_plugins = [
    "tests.services.valkey",
    "tests.services.postgres",
    "tests.services.databases",
    "tests.services.rabbitmq",
    "tests.services.prometheus",
    "tests.services.alertmanager",
    "tests.services.chromium",
    "tests.services.ferrule",
    "tests.services.smtp",
    "tests.services.certificates",
    "tests.services.cql",
    "tests.services.openid_provider",
]


# A made-up example may take as long as a busy machine needs: what is slow is measured by the bench, not here.
hypothesis.settings.register_profile("house", deadline=None)
# Where coverage is measured, a run reaches what the run before reached.
hypothesis.settings.register_profile("the-same-again", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("house")


def _say(line: str) -> None:
    """Of a process of pytest-xdist, whose own output is shown to nobody."""
    print(line, file=sys.__stderr__, flush=True)


def _strict() -> bool:
    return os.environ.get("CI", "").lower() in ("true", "1", "yes")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch what the chosen tests need, all at once and before the first of them."""
    asked = kinds.kinds_of(session.items)
    if kinds.missing(asked) and not session.config.option.collectonly and kinds.may_install():
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        kinds.install(asked, reporter.write_line if reporter else _say)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _strict() and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: with CI=true a skip is a failure: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each kind of test that did not run, and what would make it run."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and "needs " in report.longrepr[2]
    )
    if reasons:
        terminalreporter.section("kinds of test that did not run")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count:5d} {reason}")
