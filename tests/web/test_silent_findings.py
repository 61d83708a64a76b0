"""What silent rules find: kept once, told to nobody, judged by the rules' owner, and counted."""

import json
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from alerts.proportion import wilson
from alerts.tables import ALERT, AUDIT, NOTICE, SILENT_FINDING
from rules.findings import RuleStatus
from rules.ruleset import Ruleset
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from tests.web.forms import hidden
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker.accepting import accept
from worker.cli import main
from worker.database import writing
from worker.pipeline import judge as judge_messages
from worker.tables import ACCOUNT


def silenced(ruleset: Ruleset) -> Ruleset:
    """The library with one rule silent."""
    silent = replace(ruleset.rules[RULE], status=RuleStatus.SILENT)
    return replace(ruleset, rules={**ruleset.rules, RULE: silent})


def come(store: Engine, ruleset: Ruleset, id: str, patient: str, **values: str) -> None:
    """A report comes and is judged."""
    results = [result(f"{id}-{name}", name, value) for name, value in values.items()]
    receipts = accept(store, [inbound(event(id, results, patient=patient))])
    judge_messages(replace(deps_on(store), ruleset=ruleset), [receipts[0].message])


def find(store: Engine, ruleset: Ruleset, *patients: str) -> None:
    """Results of the pattern come for each of these patients and are judged."""
    for patient in patients:
        come(store, ruleset, f"M-{patient}", patient, ferritin="9", b12="1450")


@pytest.fixture
def owner(sign_in: SignIn, store: Engine, seeded: Clinic) -> TestClient:
    """The browser of somebody who answers for the rules."""
    with writing(store) as connection:
        clinic.add_operator(connection, seeded.now, "owner")
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.username == "owner").values(role="rule-owner"))
    return sign_in("owner")


def judge(owner: TestClient, finding: int, verdict: str, because: str = "looked it up") -> int:
    token = hidden(owner.get("/governance/silent").text, "csrf")
    fields = {"csrf": token, "verdict": verdict, "because": because}
    return owner.post(f"/governance/silent/{finding}", data=fields).status_code


def of_rule(store: Engine) -> tuple[int, int]:
    """How many alerts of the rule there are, and how many notices of them."""
    with store.connect() as connection:
        ids = connection.execute(select(ALERT.c.id).where(ALERT.c.rule == RULE)).scalars().all()
        notices = connection.execute(select(NOTICE.c.id).where(NOTICE.c.alert_id.in_(ids))).all()
        return len(ids), len(notices)


def test_what_a_silent_rule_finds_is_kept_once_and_told_to_nobody(
    store: Engine, seeded: Clinic, ruleset: Ruleset
) -> None:
    before = of_rule(store)
    find(store, silenced(ruleset), "P1")
    come(store, silenced(ruleset), "again", "P1", b12="1500")
    find(store, silenced(ruleset), "P2")
    with store.connect() as connection:
        kept = connection.execute(select(SILENT_FINDING).order_by(SILENT_FINDING.c.id)).all()
    assert [row.rule for row in kept] == [RULE, RULE]
    assert len({row.patient_id for row in kept}) == 2
    assert of_rule(store) == before


def test_the_owner_judges_and_the_page_counts_with_the_interval(
    owner: TestClient, store: Engine, ruleset: Ruleset
) -> None:
    find(store, silenced(ruleset), *(f"P{n}" for n in range(4)))
    assert "no verdict yet" in owner.get("/governance").text
    verdicts = ("right", "right", "wrong", "unsure")
    assert [judge(owner, n + 1, verdict) for n, verdict in enumerate(verdicts)] == [303] * 4
    for page in (owner.get("/governance").text, owner.get("/governance/silent").text):
        assert "2 right, 1 wrong, 1 unsure" in page
        assert "67 % (95 % interval 21 % to 94 %, of 3)" in page
    assert judge(owner, 3, "right", "I had misread the date") == 303
    assert "3 right, 0 wrong" in owner.get("/governance").text
    with store.connect() as connection:
        noted = connection.execute(
            select(AUDIT).where(AUDIT.c.action == "adjudicate").order_by(AUDIT.c.id)
        ).all()
    assert [(row.object_id, row.data["verdict"], row.data["before"]) for row in noted][-1] == (
        "3",
        "right",
        "wrong",
    )
    assert {row.actor_ident for row in noted} == {"owner"}


def test_the_page_shows_values_and_no_name_and_each_look_is_kept(
    owner: TestClient, store: Engine, ruleset: Ruleset
) -> None:
    find(store, silenced(ruleset), "MARKER-ID")
    page = owner.get("/governance/silent").text
    assert "Woman of 46" in page
    assert "1,450 pg/mL" in page
    assert "MARKER" not in page
    assert "MARKER" not in owner.get("/api/silent-findings").text
    with store.connect() as connection:
        kinds = select(AUDIT.c.id).where(AUDIT.c.object_kind == "silent-finding", AUDIT.c.action == "list")
        assert len(connection.execute(kinds).all()) == 2


@pytest.mark.parametrize(("verdict", "because"), [("", "why"), ("maybe", "why"), ("right", " ")])
def test_a_verdict_without_a_word_or_a_reason_is_refused(
    owner: TestClient, store: Engine, ruleset: Ruleset, verdict: str, because: str
) -> None:
    find(store, silenced(ruleset), "P1")
    assert judge(owner, 1, verdict, because) == 422
    assert "1 found" not in owner.get("/governance").text
    assert owner.get("/api/silent-findings").json()["items"][0]["verdict"] is None


def test_nobody_else_judges(owner: TestClient, browser: TestClient, store: Engine, ruleset: Ruleset) -> None:
    find(store, silenced(ruleset), "P1")
    assert browser.get("/governance/silent").status_code == 403
    assert browser.post("/governance/silent/1", data={"verdict": "right", "because": "x"}).status_code == 403
    assert owner.post("/governance/silent/1", data={"verdict": "right", "because": "x"}).status_code == 403
    assert judge(owner, 99, "right") == 404


def test_a_program_and_a_terminal_do_the_same(
    owner: TestClient,
    store: Engine,
    ruleset: Ruleset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    find(store, silenced(ruleset), "P1", "P2")
    monkeypatch.setenv("FERRULE_DATABASE_URL", str(store.url))
    for words in (["adjudicate", "2", "--verdict", "wrong", "--reason", "infusion"], ["silent", "--json"]):
        with pytest.raises(SystemExit) as end:
            main(["alerts", *words])
        assert not end.value.code
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["rules"][0] | {"ppv_95": None} == {
        "rule": RULE, "version": 1, "found": 2, "waiting": 1, "right": 0, "wrong": 1, "unsure": 0,
        "ppv": 0.0, "ppv_95": None,
    }  # fmt: skip
    assert [item["id"] for item in said["items"]] == [1, 2], "what waits stands first"


@pytest.mark.parametrize(
    ("successes", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_that_of_the_published_examples(
    successes: int, of: int, low: float, high: float
) -> None:
    """R. G. Newcombe, Stat Med 1998; 17:857-872, table I, method 3."""
    assert wilson(successes, of) == pytest.approx((low, high), abs=0.00005)


def test_of_no_case_there_is_no_share() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        wilson(0, 0)
