"""The command line: one line on stderr, an exit code, no traceback, and verbs that do what they say."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rules.rule_files import write_rule
from tests.services.schema import take_off_guards
from tests.worker.made_up import deps_on, event, inbound, result
from worker import cli
from worker.accepting import Inbound, accept
from worker.database import make_engine
from worker.pipeline import judge

Ferrule = Callable[..., tuple[int, str, str]]

PATTERN = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]


@pytest.fixture
def ferrule(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str, tmp_path: Path
) -> Ferrule:
    """Run one verb on a fresh database: exit code, stdout, stderr."""
    for name in [name for name in os.environ if name.startswith("FERRULE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FERRULE_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("FERRULE_DATA_DIR", str(tmp_path))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help_with_an_example(ferrule: Ferrule, verb: str) -> None:
    code, out, _ = ferrule(verb, "--help")
    assert code == 0
    commands = (
        re.findall(r"^  (\w[\w-]+) {2,}\S", out.split("Commands:")[1], re.M) if "Commands:" in out else []
    )
    texts = [ferrule(verb, command, "--help")[1] for command in commands] or [out]
    for text in texts:
        assert "Example:" in text, text


def test_a_wrong_verb_is_one_line_and_exit_2(ferrule: Ferrule) -> None:
    code, _, err = ferrule("alrets")
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "arguments", [("quarantine", "show"), ("token", "create", "--role", "king"), ("up", "--x")]
)
def test_wrong_usage_is_one_line_and_exit_2(ferrule: Ferrule, arguments: tuple[str, ...]) -> None:
    code, _, err = ferrule(*arguments)
    assert (code, err.count("\n")) == (2, 1)


def test_an_unknown_setting_stops_every_verb_with_its_name(
    ferrule: Ferrule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERRULE_SMTP_ULR", "smtp://u:s3cret@host")
    code, _, err = ferrule("quarantine", "list")
    assert code == 2
    assert "FERRULE_SMTP_ULR" in err
    assert "s3cret" not in err


def test_a_database_that_does_not_answer_is_exit_3(ferrule: Ferrule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERRULE_DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:1/db")
    code, _, err = ferrule("quarantine", "list")
    assert (code, err.count("\n")) == (3, 1)
    assert "s3cret" not in err


def test_debug_shows_the_traceback_wherever_it_stands(
    ferrule: Ferrule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERRULE_DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:1/db")
    assert "Traceback" in ferrule("quarantine", "list", "--debug")[2]
    assert "Traceback" in ferrule("--debug", "quarantine", "list")[2]


def test_quarantine_lists_shows_releases_and_discards(ferrule: Ferrule, sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    accept(engine, [Inbound("lab", "bad", "event", b"{not json", ("not-json", "line 1", "send JSON"))])
    code, out, _ = ferrule("quarantine", "list", "--json")
    item = json.loads(out)
    assert (code, item["reason"], item["remedy"]) == (0, "not-json", "send JSON")
    shown = ferrule("quarantine", "show", str(item["item"]))
    assert "send JSON" in shown[1]
    assert "{not json" not in shown[1]
    assert ferrule("quarantine", "show", str(item["item"]), "--raw")[0] == 2
    looked = ferrule("quarantine", "show", str(item["item"]), "--raw", "--because", "a test")
    assert "{not json" in looked[1]
    assert ferrule("quarantine", "release", str(item["item"]))[0] == 0
    judge(deps_on(engine), [1])
    again = json.loads(ferrule("quarantine", "list", "--json")[1])
    assert again["item"] != item["item"]
    assert ferrule("quarantine", "discard", str(again["item"]))[0] == 2
    assert ferrule("quarantine", "discard", str(again["item"]), "--because", "not for us")[0] == 0
    assert ferrule("quarantine", "list", "--json")[1] == ""
    assert ferrule("quarantine", "discard", str(again["item"]), "--because", "not for us")[0] == 1


def test_an_id_that_was_reused_cannot_be_released(ferrule: Ferrule, sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    accept(engine, [Inbound("lab", "1", "event", b"one"), Inbound("lab", "1", "event", b"other")])
    code, _, err = ferrule("quarantine", "release", "1")
    assert code == 1
    assert "discard" in err


def test_alerts_are_listed_shown_and_answered(ferrule: Ferrule, sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    accept(engine, [inbound(event("M1", PATTERN))])
    judge(deps_on(engine), [1])
    listed = [json.loads(line) for line in ferrule("alerts", "list", "--json")[1].splitlines()]
    [alert] = [one for one in listed if one["rule"] == "b12-high-iron-deficient-unexplained"]
    number = str(alert["id"])
    assert json.loads(ferrule("alerts", "show", number, "--json")[1])["evidence"]
    assert ferrule("alerts", "acknowledge", number)[0] == 0
    assert ferrule("alerts", "acknowledge", number)[0] == 1
    assert ferrule("alerts", "dismiss", number, "--reason", "no-reason")[0] == 2
    assert ferrule("alerts", "dismiss", number, "--reason", "known-diagnosis")[0] == 0
    assert ferrule("alerts", "show", "999")[0] == 1
    assert ferrule("audit", "verify")[0] == 0


def test_a_touched_audit_trail_is_exit_1(ferrule: Ferrule, sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    accept(engine, [inbound(event("M1", PATTERN))])
    judge(deps_on(engine), [1])
    assert ferrule("audit", "verify")[0] == 0
    with engine.connect() as connection:
        take_off_guards(connection)
        connection.exec_driver_sql("update audit set actor_ident = 'somebody else' where id = 1")
        connection.commit()
    code, _, err = ferrule("audit", "verify")
    assert code == 1
    assert "broken" in err


def test_a_token_is_printed_once_and_kept_as_a_hash(ferrule: Ferrule, sqlite_url: str) -> None:
    code, out, _ = ferrule("token", "create", "--role", "intake")
    secret = out.strip()
    assert (code, secret.startswith("ferrule_")) == (0, True)
    with make_engine(sqlite_url).connect() as connection:
        [row] = connection.exec_driver_sql("select * from token").all()
    assert secret not in str(row)
    assert ferrule("token", "create", "--role", "clinician")[0] == 2


def test_the_schema_is_checked_and_upgraded(
    ferrule: Ferrule, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FERRULE_DATABASE_URL", f"sqlite:///{tmp_path}/new.sqlite3")
    assert ferrule("db", "check")[0] == 1
    assert ferrule("db", "upgrade")[0] == 0
    assert ferrule("db", "check")[0] == 0


def test_doctor_says_what_to_do_about_each_part(
    ferrule, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FERRULE_DATABASE_URL", f"sqlite:///{tmp_path}/well.sqlite3")
    ferrule("db", "upgrade")
    assert ferrule("doctor")[0] == 0
    monkeypatch.setenv("FERRULE_BROKER_URL", "redis://:s3cret@127.0.0.1:1/0")
    code, out, err = ferrule("doctor")
    assert code == 3
    assert "FERRULE_BROKER_URL" in out
    assert "s3cret" not in out + err


def test_the_command_needs_no_broker_to_say_what_it_is() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "ferrule up" in done.stdout


def test_cases_in_brief_are_one_line_for_each_rule_and_definition(ferrule: Ferrule, tmp_path: Path) -> None:
    code, out, _ = ferrule("rules", "test", "--brief", "--rules", str(write_rule(tmp_path / "r")))
    assert code == 0
    assert "holds     2 of 2    made-up-rule\n" in out
    code, out, _ = ferrule(
        "rules", "test", "--brief", "--rules", str(write_rule(tmp_path / "r", "b12 < 5 pg/mL"))
    )
    assert code == 1
    assert "fails     1 of 2    made-up-rule\n" in out


def test_concepts_are_listed_with_codes_and_users(ferrule: Ferrule) -> None:
    code, out, _ = ferrule("rules", "concepts", "--json")
    rows = {row["concept"]: row for row in json.loads(out)}
    assert code == 0
    assert "icd10: K90.0" in rows["celiac"]["codes"]
    assert "ttg-iga-positive-with-deficiency" in rows["celiac"]["rules"]
    assert "\nceliac" in ferrule("rules", "concepts")[1]
