"""`ferrule accounts` (S06): whoever is disabled or signed out there is out with the next request."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts.tables import AUDIT
from tests.web import clinic
from tests.worker.made_up import deps_on
from worker.cli import main
from worker.tables import ACCOUNT
from worker.web.app import create_app

Run = Callable[..., tuple[int, str, str]]
PASSWORD = "a password of the tests"


@pytest.fixture
def run(
    database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.setenv("FERRULE_DATABASE_URL", database_url)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(words)
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


@pytest.fixture
def password(tmp_path: Path) -> str:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return str(tmp_path / "password")


def added(run: Run, password: str, name: str = "ada", *more: str) -> tuple[int, str, str]:
    words = ("--role", "clinician", "--name", "Dr. Ada", "--as", f"{clinic.NPI}|1000000001", *more)
    return run("accounts", "add", name, *words, "--password-file", password)


def door(engine: Engine) -> TestClient:
    client = TestClient(create_app(deps_on(engine, local_accounts="on")), follow_redirects=False)
    client.headers["accept"] = "text/html"
    return client


@pytest.mark.parametrize(("verb", "comes_back"), [("disable", False), ("sign-out", True)])
def test_s06_whoever_is_put_out_at_a_terminal_is_out_at_once(
    run: Run, engine: Engine, password: str, verb: str, comes_back: bool
) -> None:
    assert added(run, password)[0] == 0
    browser = door(engine)
    log_in = {"username": "ada", "password": PASSWORD}
    assert browser.post("/login", data=log_in).status_code == 303
    assert browser.get("/inbox").status_code == 200

    assert run("accounts", verb, "ada")[:2] == (0, "ada: 1 sessions ended\n")

    assert browser.get("/inbox").status_code == 401
    assert (browser.post("/login", data=log_in).status_code == 303) is comes_back
    assert (browser.get("/inbox").status_code == 200) is comes_back
    with engine.connect() as connection:
        rows = connection.execute(select(AUDIT.c.action).where(AUDIT.c.object_kind == "account")).scalars()
        assert list(rows) == ["account.add", f"account.{verb}"]
    assert run("accounts", "enable", "ada")[0] == 0
    assert browser.post("/login", data=log_in).status_code == 303


def test_accounts_are_listed_with_their_sessions_and_without_anything_of_the_password(
    run: Run, engine: Engine, password: str
) -> None:
    added(run, password)
    said = run("accounts", "list", "--json")[1]
    assert json.loads(said)[0] | {"sessions": 0} == {
        "account": "ada",
        "issuer": "",
        "role": "clinician",
        "name": "Dr. Ada",
        "clinician": f"{clinic.NPI}|1000000001",
        "active": True,
        "sessions": 0,
    }
    with engine.connect() as connection:
        kept = connection.execute(select(ACCOUNT.c.password_hash)).scalar_one()
    assert kept not in said
    assert kept.startswith("$argon2id$")
    assert "ada\tclinician\t" in run("accounts", "list")[1]


def test_what_makes_no_account_is_refused(run: Run, engine: Engine, password: str, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("short")
    assert "12 characters" in added(run, str(tmp_path / "short"))[2]
    assert "cannot read" in added(run, str(tmp_path / "missing"))[2]
    assert "expected clinician" in added(run, password, "eve", "--role", "root")[2]
    no_one = run("accounts", "add", "x", "--role", "clinician", "--name", "X", "--password-file", password)
    assert "--as SYSTEM|ID" in no_one[2]
    assert added(run, password)[0] == 0
    assert added(run, password)[0] == 1, "twice"
    assert run("accounts", "disable", "nobody")[0] == 1
