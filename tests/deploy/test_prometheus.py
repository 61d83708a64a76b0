"""The alerting rules: they load, each is unit-tested, and each has its entry in the runbook."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from deploy.grafana.dashboard import expressions
from tests.services.schema import open_engine
from worker.exposition import render

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
Promtool = Callable[..., subprocess.CompletedProcess[str]]


def alerting_rules() -> Iterator[dict[str, object]]:
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]:
        yield from group["rules"]


ALERTS = {str(rule["alert"]): rule for rule in alerting_rules()}


def test_prometheus_takes_the_configuration_and_the_rules(promtool: Promtool) -> None:
    checked = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_fires_when_it_should_and_is_silent_when_it_should_not(promtool: Promtool) -> None:
    tested = promtool("test", "rules", PROMETHEUS / "alerts_test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_is_tested_both_ways(name: str) -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    expected = [
        bool(case["exp_alerts"])
        for test in tests
        for case in test["alert_rule_test"]
        if case["alertname"] == name
    ]
    assert True in expected
    assert False in expected


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_an_entry_in_the_runbook(name: str) -> None:
    annotations = ALERTS[name]["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["runbook"] == f"RUNBOOK.md#{name.lower()}"
    _, _, entry = (DEPLOY / "RUNBOOK.md").read_text().partition(f"\n## {name}\n")
    entry = entry.split("\n## ")[0]
    assert all(part in entry for part in ("**Means:**", "**Look:**", "**Do:**"))


def test_every_metric_that_is_watched_exists(sqlite_url: str) -> None:
    families = re.findall(r"^# TYPE (\S+) (\S+)", render(open_engine(sqlite_url)).decode(), re.M)
    known = {name for name, _ in families}
    known |= {
        f"{name}_{part}" for name, kind in families if kind == "histogram" for part in ("bucket", "count")
    }
    watched = [str(rule["expr"]) for rule in ALERTS.values()] + expressions()
    named = {name for expression in watched for name in re.findall(r"\bferrule_\w+", expression)}
    assert named - known == set()
