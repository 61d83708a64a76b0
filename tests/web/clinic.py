"""A small made-up clinic in a real database: patients, results, alerts, clinicians, accounts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache

from sqlalchemy import Connection, Engine, insert

from alerts import directory, follow_up
from alerts.addressing import address
from alerts.people import Address, ferrule
from alerts.routing import Addressee, Covering, Why
from alerts.snapshot import evidence_documents, follow_up_documents, tree_document
from alerts.states import State, Step, Taken
from alerts.steps import Cause, Standing, start, take
from alerts.tables import ADDRESSEE, ALERT, FOLLOW_UP, STORM
from rules.findings import AbsentEvidence, Evidence, FollowUp, ResultEvidence, Severity, TreeNode
from rules.truth import Truth
from rules.units import unit_of
from worker.database import writing
from worker.tables import ACCOUNT, MESSAGE, PATIENT, RECORD, RESULT, TOKEN
from worker.web.passwords import hash_password
from worker.web.sessions import digest

NPI = "http://hl7.org/fhir/sid/us-npi"
NORTH = "urn:lab:north"
EXAMPLE = Address(NPI, "1000000001")
BAKER = Address(NPI, "1000000002")
CHEN = Address(NPI, "1000000003")
NAMES = {EXAMPLE: "Dr. Ada Example", BAKER: "Dr. Ben Baker", CHEN: "Dr. Chun Chen"}
PASSWORD = "a long made-up password"
USERNAMES = {EXAMPLE: "example", BAKER: "baker", CHEN: "chen"}
INTAKE_TOKEN = "made-up intake token"
CLINICIAN_TOKEN = "made-up clinician token"
OPERATOR_TOKEN = "made-up operator token"
RECONCILER = ferrule("reconcile")


@dataclass(frozen=True)
class Value:
    """One result: days before now, analyte, value as reported, unit, the laboratory's limits."""

    days: float
    analyte: str
    value: str
    unit: str
    low: str | None = None
    high: str | None = None
    status: str = "final"
    replaces: str | None = None


@dataclass(frozen=True)
class Clinic:
    """The ids of what was put in."""

    patients: dict[str, int]
    alerts: dict[str, int]
    now: datetime


@cache
def hashed() -> str:
    """The hash of `PASSWORD`; it is meant to be slow, so once is enough."""
    return hash_password(PASSWORD)


def add_people(connection: Connection, now: datetime) -> None:
    """Three clinicians with accounts and e-mail addresses, a pool, and the tokens of programs."""
    for who, name in NAMES.items():
        directory.register(connection, who, name=name, email=f"{USERNAMES[who]}@example.org")
        connection.execute(
            insert(ACCOUNT).values(
                username=USERNAMES[who],
                password_hash=hashed(),
                role="clinician",
                system=who.system,
                ident=who.id,
                name=name,
                active=True,
                created_at=now,
            )
        )
    directory.register_pool(connection, "hematology", [EXAMPLE], name="Hematology on call")
    tokens = {
        INTAKE_TOKEN: ("intake", None),
        CLINICIAN_TOKEN: ("clinician", EXAMPLE),
        OPERATOR_TOKEN: ("operator", None),
    }
    for secret, (role, who) in tokens.items():
        connection.execute(
            insert(TOKEN).values(
                secret_sha256=digest(secret),
                role=role,
                system=who.system if who else None,
                ident=who.id if who else None,
                label=role,
                created_at=now,
            )
        )


def add_patient(connection: Connection, name: str, ident: str, born: date, sex: str, now: datetime) -> int:
    """One patient."""
    values = {
        "system": "urn:mrn:north",
        "ident": ident,
        "name": name,
        "birth_date": born,
        "sex": sex,
        "version": 1,
    }
    query = insert(PATIENT).values(**values, created_at=now).returning(PATIENT.c.id)
    return int(connection.execute(query).scalar_one())


def result_id(patient: int, value: Value) -> str:
    """One analyte is measured once a moment."""
    return f"{patient}-{value.analyte}-{value.days}"


def add_results(connection: Connection, patient: int, values: Iterable[Value], now: datetime) -> None:
    """Stored results; one that `replaces` a value gets that value as its earlier version."""
    for value in values:
        key = result_id(patient, value)
        if value.replaces is not None:
            _add_result(
                connection,
                patient,
                key,
                Value(**{**vars(value), "value": value.replaces, "status": "final"}),
                now,
                1,
            )
        _add_result(connection, patient, key, value, now, 2)


def _add_result(
    connection: Connection, patient: int, key: str, value: Value, now: datetime, version: int
) -> None:
    at = now - timedelta(days=value.days)
    number, sign = value.value.lstrip("<>"), value.value[0] if value.value[0] in "<>" else "="
    unit = unit_of(value.unit)
    message = connection.execute(
        insert(MESSAGE)
        .values(
            source=NORTH,
            message_id=f"M-{key}-{version}",
            sha256=f"{key}{version}",
            format="event",
            raw=b"{}",
            state="judged",
            due_at=at,
            received_at=at,
        )
        .returning(MESSAGE.c.id)
    ).scalar_one()
    connection.execute(
        insert(RESULT).values(
            patient_id=patient,
            message_id=message,
            last_message_id=message,
            source=NORTH,
            result_id=key,
            version=f"{key}-{version}",
            analyte=value.analyte,
            status=value.status,
            effective_at=at,
            issued_at=at + timedelta(hours=version),
            known_at=at + timedelta(hours=version),
            value=number,
            comparator=sign,
            unit=value.unit,
            dimension=unit.dimension if unit else None,
            base=str(Decimal(number) * unit.factor) if unit else None,
            range_low=value.low,
            range_high=value.high,
            notes=[],
            reported_value=value.value,
            reported_unit=value.unit,
        )
    )


def add_medication(
    connection: Connection, patient: int, name: str, start: datetime, end: datetime | None
) -> None:
    """One entry of the medication list."""
    message = connection.execute(MESSAGE.select().limit(1)).one()
    connection.execute(
        insert(RECORD).values(
            patient_id=patient,
            message_id=message.id,
            last_message_id=message.id,
            record_key=f"{patient}-{name}",
            version=f"{patient}-{name}-1",
            kind="medication",
            system="http://www.whocc.no/atc",
            code="B03AA07",
            name=name,
            status="active",
            start=start,
            end=end,
            known_at=start,
            said_at=start,
            last_said_at=start,
            route="oral",
        )
    )


def result(patient: int, value: Value, now: datetime) -> ResultEvidence:
    """The evidence of a result of `add_results`."""
    key = result_id(patient, value)
    sign = value.value[0] if value.value[0] in "<>" else "="
    at, number = now - timedelta(days=value.days), value.value.lstrip("<>")
    return ResultEvidence(f"{NORTH}|{key}", value.analyte, number, sign, value.unit, at, key, NORTH)


def leaf(text: str, truth: Truth, note: str = "", *evidence: Evidence) -> TreeNode:
    """A leaf of an explanation."""
    return TreeNode(text, truth, note, tuple(evidence))


def raise_alert(
    connection: Connection,
    patient: int,
    rule: str,
    severity: Severity,
    headline: str,
    *,
    to: Address,
    at: datetime,
    tree: TreeNode,
    text: str = "",
    actions: tuple[str, ...] = ("Look at the whole picture",),
    expects: tuple[FollowUp, ...] = (),
    told: bool = True,
) -> int:
    """An alert by the program's own steps, told unless said otherwise."""
    evidence = tuple(dict.fromkeys(e for part in (tree, *tree.parts) for e in part.evidence))
    row = {
        "patient_id": patient,
        "rule": rule,
        "rule_version": 1,
        "episode": 1,
        "ruleset": "sha256:0",
        "severity": severity,
        "recipient_system": to.system,
        "recipient_ident": to.id,
        "headline": headline,
        "text": text,
        "evidence": evidence_documents(evidence),
        "tree": tree_document(tree),
        "actions": list(actions),
        "follow_up": follow_up_documents(expects),
        "sources": ["seed"],
        "annotates": [],
        "as_of": at,
    }
    taken = start(connection, row, Cause(RECONCILER, at, "new-pattern", {}))
    address(connection, taken.alert_id, [Addressee(to, Why.ORDERER)], at)
    follow_up.expect(connection, taken.alert_id, patient, expects, at)
    if told:
        tell(connection, taken, patient, at)
    return taken.alert_id


def tell(connection: Connection, taken: Taken, patient: int, at: datetime) -> None:
    """The step that says somebody has been told."""
    standing = Standing(taken.alert_id, patient, State.RAISED, taken.version)
    take(connection, standing, Step.TELL, Cause(ferrule("outbox"), at, "delivered", {}), {"told_at": at})


def cover(connection: Connection, absent: Address, covering: Address, start: datetime, end: datetime) -> None:
    """Somebody answers for somebody else."""
    directory.cover(connection, Covering(absent, covering, start, end))


def high_b12(
    connection: Connection, patient: int, now: datetime, *, to: Address = EXAMPLE, hours: float = 3
) -> int:
    """The alert of inbox.md: high B12 with iron deficiency, and the results it rests on."""
    values = [
        Value(420, "b12", "410", "pg/mL", "180", "914"),
        Value(210, "b12", "690", "pg/mL", "180", "914"),
        Value(2, "b12", "1450", "pg/mL", "180", "914"),
        Value(420, "ferritin", "38", "ng/mL", "13", "150"),
        Value(210, "ferritin", "21", "ng/mL", "13", "150"),
        Value(2, "ferritin", "9", "ng/mL", "13", "150", "corrected", "19"),
        Value(420, "hemoglobin", "131", "g/L", "120", "155"),
        Value(210, "hemoglobin", "122", "g/L", "120", "155"),
        Value(2, "hemoglobin", "108", "g/L", "120", "155"),
        Value(2, "crp", "<2", "mg/L", None, "5"),
    ]
    add_results(connection, patient, values, now)
    add_medication(
        connection, patient, "Ferrous sulfate 325 mg", now - timedelta(days=400), now - timedelta(days=280)
    )
    b12, ferritin, hemoglobin = (result(patient, values[n], now) for n in (2, 5, 8))
    crp = result(patient, values[9], now)
    supplement = AbsentEvidence("b12_supplement", now - timedelta(hours=hours) - timedelta(days=90))
    never = tuple(
        AbsentEvidence(name, None) for name in ("liver_disease", "kidney_disease", "myeloid_neoplasm")
    )
    tree = TreeNode(
        "all of",
        Truth.TRUE,
        "",
        (b12, ferritin, hemoglobin, crp, supplement, *never),
        (
            TreeNode(
                "iron deficiency",
                Truth.TRUE,
                "",
                (),
                (
                    leaf("ferritin < 30 ng/mL", Truth.TRUE, "limit < 30 ng/mL", ferritin),
                    leaf("crp >= 5 mg/L within 14 d of ferritin", Truth.FALSE, "limit >= 5 mg/L", crp),
                    leaf("tsat < 20 % within 14 d of ferritin", Truth.UNKNOWN, "not measured in the window"),
                ),
            ),
            leaf("hemoglobin below anemia_limit", Truth.TRUE, "limit < 120 g/L", hemoglobin),
            leaf(
                "b12 above range else > 950 pg/mL | 701 pmol/L within 90 d",
                Truth.TRUE,
                "laboratory's limit > 914 pg/mL",
                b12,
            ),
            TreeNode(
                "none of",
                Truth.TRUE,
                "",
                (),
                (
                    leaf("medication b12_supplement within 90 d", Truth.FALSE, "not on record", supplement),
                    leaf("condition liver_disease", Truth.FALSE, "not on record", never[0]),
                    leaf("intrinsic_factor_ab positive", Truth.UNKNOWN, "not measured in the window"),
                ),
            ),
        ),
    )
    return raise_alert(
        connection,
        patient,
        "b12-high-iron-deficient-unexplained",
        Severity.HIGH,
        "High B12 with iron deficiency, and nothing on record explains it",
        to=to,
        at=now - timedelta(hours=hours),
        tree=tree,
        text="Iron deficiency does not raise B12, and no supplement, liver, kidney or blood disease is "
        "on record that would.",
        actions=(
            "Ask about supplements, injections, fortified drinks",
            "Repeat B12 with blood count, liver tests, creatinine and CRP",
            "Look for the iron loss; start oral iron",
        ),
        expects=(
            FollowUp("b12", (now + timedelta(days=42)).date()),
            FollowUp("ferritin", (now + timedelta(days=42)).date()),
        ),
    )


def simple(
    connection: Connection,
    patient: int,
    now: datetime,
    value: Value,
    rule: str,
    severity: Severity,
    headline: str,
    *,
    to: Address = EXAMPLE,
    hours: float = 1,
    note: str = "",
    told: bool = True,
) -> int:
    """An alert that rests on one result."""
    add_results(connection, patient, [value], now)
    evidence = result(patient, value, now)
    tree = TreeNode(
        "all of",
        Truth.TRUE,
        "",
        (evidence,),
        (leaf(f"{value.analyte} beyond its limit", Truth.TRUE, note, evidence),),
    )
    return raise_alert(
        connection,
        patient,
        rule,
        severity,
        headline,
        to=to,
        at=now - timedelta(hours=hours),
        tree=tree,
        told=told,
    )


def seed(engine: Engine, now: datetime | None = None) -> Clinic:
    """Seven patients with alerts in every tab; Example covers Baker, and is in the pool."""
    now = now or datetime.now(UTC)
    with writing(engine) as connection:
        add_people(connection, now)
        cover(connection, BAKER, EXAMPLE, now - timedelta(days=1), now + timedelta(days=4))
        people = [
            ("Rosa Quill", "100123", date(1955, 3, 2), "female"),
            ("Mina Fjord", "100456", date(1992, 7, 9), "female"),
            ("Tove Birch", "100789", date(1974, 1, 30), "female"),
            ("Omar Reed", "100222", date(1961, 12, 1), "male"),
            ("Lena Marsh", "100333", date(1988, 5, 5), "female"),
            ("Ivo Stone", "100444", date(1949, 8, 8), "male"),
            ("Pia Long-Hyphenated-Surname", "100555", date(2019, 2, 2), "female"),
        ]
        ids = {
            name: add_patient(connection, name, ident, born, sex, now) for name, ident, born, sex in people
        }
        p = list(ids.values())
        alerts = {
            "critical": simple(
                connection,
                p[0],
                now,
                Value(0.08, "hemoglobin", "68", "g/L", "120", "155"),
                "hemoglobin-critical",
                Severity.CRITICAL,
                "Hemoglobin 68 g/L, taken 2 h ago",
                hours=0.2,
                note="limit < 70 g/L",
            ),
            "high": high_b12(connection, p[1], now),
            "codeficiency": simple(
                connection,
                p[2],
                now,
                Value(1, "ferritin", "7", "ng/mL", "13", "150"),
                "codeficiency-suspect-autoimmune-gastritis",
                Severity.HIGH,
                "Iron and B12 both low: think of autoimmune gastritis",
                hours=26,
                note="limit < 30 ng/mL",
            ),
            "covered": simple(
                connection,
                p[3],
                now,
                Value(3, "b12", "141", "pmol/L", "145", "569"),
                "b12-deficiency-untreated",
                Severity.MODERATE,
                "B12 deficiency, and no treatment on record",
                to=BAKER,
                hours=50,
                note="limit < 148 pmol/L",
            ),
            "low": simple(
                connection,
                p[4],
                now,
                Value(5, "ferritin", "27", "ng/mL", "13", "150"),
                "iron-deficiency-repeat",
                Severity.LOW,
                "Ferritin low without anemia",
                hours=70,
                note="limit < 30 ng/mL",
            ),
            "others": simple(
                connection,
                p[5],
                now,
                Value(2, "ferritin", "11", "ng/mL", "30", "400"),
                "iron-deficiency-anemia-no-gi-evaluation",
                Severity.HIGH,
                "Iron deficiency anemia in a man of 77",
                to=CHEN,
                hours=5,
                note="limit < 30 ng/mL",
            ),
        }
    return Clinic(ids, alerts, now)


def add_operator(connection: Connection, now: datetime, username: str = "ops") -> None:
    """An account of somebody who runs Ferrule."""
    connection.execute(
        insert(ACCOUNT).values(
            username=username,
            password_hash=hashed(),
            role="operator",
            name="Olga Operator",
            active=True,
            created_at=now,
        )
    )


def add_storm(connection: Connection, now: datetime) -> int:
    """A storm of one rule that waits for a decision."""
    row = {"kind": "rule", "key": "iron-deficiency-repeat", "raised": 260, "limit": 200, "started_at": now}
    return int(connection.execute(insert(STORM).values(row).returning(STORM.c.id)).scalar_one())


def strand(connection: Connection, alert: int) -> None:
    """Make the alert one that reaches nobody: its orderer is unknown here."""
    stranger = {"system": NPI, "ident": "9999999999"}
    connection.execute(ADDRESSEE.update().where(ADDRESSEE.c.alert_id == alert).values(**stranger))
    owner = {"recipient_system": NPI, "recipient_ident": "9999999999"}
    connection.execute(ALERT.update().where(ALERT.c.id == alert).values(**owner))


def put_on_call_list(connection: Connection, alert: int, now: datetime) -> None:
    """Nobody has answered it to the end of its ladder."""
    since = {"call_list_since": now - timedelta(minutes=20)}
    connection.execute(ALERT.update().where(ALERT.c.id == alert).values(**since))


def make_late(connection: Connection, alert: int, now: datetime) -> None:
    """What the alert expects was due five days ago."""
    due = {"due": (now - timedelta(days=5)).date()}
    connection.execute(FOLLOW_UP.update().where(FOLLOW_UP.c.alert_id == alert).values(**due))
