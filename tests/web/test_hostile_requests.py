"""S41, S44, S48, S49, S50: what a request or a text from outside may try, beyond what the fuzzer makes."""

import ast
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select

from alerts.tables import ALERT
from tests.web.clinic import INTAKE_TOKEN, Clinic
from tests.web.test_search import found

ROOT = Path(__file__).parents[2]
SQL = [
    "' OR '1'='1",
    "'; DROP TABLE alert; --",
    '" OR ""="',
    "1) UNION SELECT * FROM account --",
    "%' OR 1=1 --",
    "\\'",
]


def alerts_in(store: Engine) -> int:
    with store.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(ALERT)).scalar_one())


@pytest.mark.parametrize("text", SQL)
def test_s44_sql_in_a_field_is_words_that_nothing_matches(
    browser: TestClient, seeded: Clinic, store: Engine, text: str
) -> None:
    before = alerts_in(store)
    for query in ({"rule": text}, {"patient": f"urn:mrn:north|{text}"}, {"patient": f"{text}|1"}):
        answer = browser.get("/api/alerts", params=query)
        assert (answer.status_code, answer.json()["items"]) == (200, [])
    assert "Nothing found" in found(browser, text).text
    for name in ("state", "severity", "cursor", "limit"):
        assert browser.get("/api/alerts", params={name: text}).status_code == 422
    assert browser.post("/login", data={"username": text, "password": text}).status_code == 401
    assert alerts_in(store) == before


def code() -> list[tuple[Path, ast.Module]]:
    files = [path for part in ("rules", "alerts", "worker") for path in (ROOT / part).rglob("*.py")]
    assert len(files) > 200
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in files]


def test_s44_no_statement_is_made_of_pieces_of_text() -> None:
    """`text(…)` and its like get a literal; ruff's S608 looks at the rest. Migrations are ours alone."""
    for path, tree in code():
        if "migrations" in path.parts:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name in ("exec_driver_sql", "literal_column") or (
                    name == "text" and isinstance(node.func, ast.Name) and node.args
                ):
                    built = [n for n in ast.walk(node.args[0]) if isinstance(n, ast.JoinedStr | ast.BinOp)]
                    assert not built, f"{path}:{node.lineno}"


def imported() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path, tree in code():
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                found.setdefault(name.split(".")[0], set()).add(path.name)
    return found


def test_s49_nothing_here_parses_xml_and_no_door_takes_it(visitor: TestClient) -> None:
    assert {"xml", "lxml", "defusedxml", "xmltodict", "bs4"} & imported().keys() == set()
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Bundle>&a;</Bundle>'
    for path, kind in (("/fhir", "application/fhir+xml"), ("/events", "application/xml")):
        headers = {"authorization": f"Bearer {INTAKE_TOKEN}", "content-type": kind, "accept": "*/*"}
        answer = visitor.post(path, content=bomb, headers=headers)
        assert answer.status_code == 415, path
        assert "root:" not in answer.text


def test_s48_nothing_writes_a_table_that_a_spreadsheet_would_open() -> None:
    """CSV is read, never written (B104 says the rest): there is no cell a formula could stand in."""
    writers = {
        path.name
        for path, tree in code()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "csv"
        and node.attr in ("writer", "DictWriter")
    }
    assert writers == set()
    assert {"openpyxl", "xlsxwriter", "pandas"} & imported().keys() == set()


@pytest.mark.parametrize(
    "body",
    [
        '{"reason": "not-relevant", "reason": "lab-error"}',
        '{"reason": "not-relevant", "comment": NaN}',
        '{"reason": "not-relevant", "comment": ' + "9" * 5000 + "}",
        '{"reason": "not-relevant", "comment": 1e999}',
        '{"reason": "not-relevant"',
        "[" * 100_000,
    ],
)
def test_s50_a_body_that_two_readers_may_read_in_two_ways_is_refused(
    browser: TestClient, seeded: Clinic, body: str
) -> None:
    alert = seeded.alerts["high"]
    for sent in (body.encode(), body.encode("utf-16")):
        answer = browser.post(
            f"/api/alerts/{alert}/dismiss", content=sent, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400, answer.text
        assert "lab-error" not in answer.text
    assert browser.get(f"/api/alerts/{alert}").json()["state"] == "told"
