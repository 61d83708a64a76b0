"""The `ferrule` command: mounts the verbs of `worker.verbs` and turns errors into one line and an exit code.

Exit codes: 0 done, 1 the answer is "no", 2 wrong usage or unreadable input, 3 a part is not reachable. What a
verb does is in its own module, imported when it is called.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import typer.core
import typer.main
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from rules.yaml_source import BadFile
from worker import logs
from worker.broker import NoBroker
from worker.database import WrongDatabase
from worker.failures import NO, UNREACHABLE, USAGE, Failure
from worker.settings import SettingsError

VERBS: dict[str, tuple[str, str]] = {
    "up": ("worker.verbs.up", "Everything on one machine, until Ctrl-C."),
    "worker": ("worker.verbs.worker", "Celery pool and poller."),
    "listen": ("worker.verbs.listen", "The HL7 v2 listener (MLLP)."),
    "web": ("worker.verbs.web", "The clinician's pages and the API."),
    "submit": ("worker.verbs.submit", "Store messages from files and put them on the queue."),
    "evaluate": ("worker.verbs.evaluate", "Judge the patients in files, without queue or database."),
    "explain": ("worker.verbs.explain", "Why one rule fired or did not, condition by condition."),
    "why": ("worker.verbs.why", "Why there was, or was no, alert: from the database."),
    "rules": ("worker.verbs.rules", "List, show, lint and test the rules."),
    "alerts": ("worker.verbs.alerts", "List, show and answer alerts."),
    "calls": ("worker.verbs.calls", "Whom to call about what, and the record of calls."),
    "directory": ("worker.verbs.directory", "The clinicians alerts can be addressed to."),
    "routes": ("worker.verbs.routes", "Whom an alert would reach."),
    "escalation": ("worker.verbs.escalation", "How long an alert may wait, and who hears then."),
    "storms": ("worker.verbs.storms", "Surges of alerts, and what becomes of those they hold."),
    "patients": ("worker.verbs.patients", "Identifiers and who they are."),
    "quarantine": ("worker.verbs.quarantine", "What could not be understood."),
    "gaps": ("worker.verbs.gaps", "Events of FHIR subscriptions that never came."),
    "codes": ("worker.verbs.codes", "What arrives unmapped; check a mapping."),
    "replay": ("worker.verbs.replay", "Judge stored messages again."),
    "token": ("worker.verbs.token", "Access for programs."),
    "accounts": ("worker.verbs.accounts", "Who can sign in with us, and ending sessions."),
    "audit": ("worker.verbs.audit", "The sealed trail of who read and did what."),
    "db": ("worker.verbs.db", "The database's schema."),
    "doctor": ("worker.verbs.doctor", "Is every part reachable, every setting sane?"),
    "demo": ("worker.verbs.demo", "A synthetic day through the real thing."),
    "docs": ("worker.verbs.docs", "Write the generated pages (for developers)."),
    "bench": ("worker.verbs.bench", "Figures beside their yardsticks."),
}
"""Verb → its module, which offers `app` (a Typer), and its line of help."""


class Verbs(typer.core.TyperGroup):
    """Finds a verb's module when it is asked for: `ferrule --help` loads none of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every verb this installation has."""
        return [verb for verb, (module, _) in VERBS.items() if importlib.util.find_spec(module)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb, loaded."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = typer.main.get_command(importlib.import_module(VERBS[cmd_name][0]).app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of verbs, from the table above."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, VERBS[verb][1]) for verb in self.list_commands(ctx)])


app = typer.Typer(cls=Verbs, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; log more.")] = False,
) -> None:
    """Ferrule watches laboratory results and tells the ordering clinician what no single result shows.

    Example: ferrule up
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb; never a traceback without `--debug`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    logs.configure(level="debug" if debug else "warning")
    try:
        # --debug may stand anywhere on the line.
        code = app(
            args=[word for word in given if word != "--debug"], prog_name="ferrule", standalone_mode=False
        )
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, code = _explained(error)
        print(f"ferrule: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(code if isinstance(code, int) else 0)


def _explained(error: Exception) -> tuple[str, int]:
    """One line and the exit code for whatever ended a verb."""
    if isinstance(error, Failure):
        return str(error), error.code
    if isinstance(error, SettingsError | WrongDatabase | BadFile):
        return str(error), USAGE
    if isinstance(error, NoBroker):
        return str(error), UNREACHABLE
    if isinstance(error, SQLAlchemyError):
        return f"the database does not answer as it should ({_cause(error)}): ferrule doctor", UNREACHABLE
    if hasattr(error, "format_message"):
        return f"{error.format_message()} (ferrule --help)", USAGE
    if type(error).__name__ == "Abort":
        return "stopped", NO
    return f"{type(error).__name__}: run again with --debug", NO


def _cause(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip()
    return text.splitlines()[0] if isinstance(error, OperationalError) and text else type(cause).__name__


if __name__ == "__main__":
    main()
