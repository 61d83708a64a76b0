"""The worker's tables: messages, the result timeline, patients, evaluations, accounts.

Three truths live here and in `alerts.tables`: raw messages, every version of every result, alert events. The
hot path writes these tables with core inserts; the classes are for the schema and for the pages. Decimals are
text, exactly as received. No behavior lives here.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlmodel import Field, SQLModel

from alerts.tables import Leasable


class MessageRow(Leasable, table=True):
    """One message as received. `due_at` is when a poller may take it: soon after arrival, later after a
    failure.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("source", "message_id", "sha256", name="uq_message_key"),
        CheckConstraint("state in ('pending', 'judged', 'quarantined', 'rejected')", name="ck_message_state"),
        # An event's id is its sender's promise; the same id with other bytes is set aside, not taken as new.
        Index(
            "uq_message_event_id",
            "source",
            "message_id",
            unique=True,
            sqlite_where=text("format = 'event' and reason is null"),
            postgresql_where=text("format = 'event' and reason is null"),
        ),
        Index("ix_message_source", "source", "received_at"),
        Index(
            "ix_message_apart",
            "flag",
            "id",
            sqlite_where=text("flag in ('control-sample', 'test-patient')"),
            postgresql_where=text("flag in ('control-sample', 'test-patient')"),
        ),
        Index(
            "ix_message_due",
            "due_at",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    source: str
    message_id: str
    sha256: str
    format: str
    raw: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = "pending"
    reason: str | None = None
    flag: str | None = None
    reading: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    received_at: datetime
    finished_at: datetime | None = None


class QuarantineItemRow(SQLModel, table=True):
    """What could not be understood: why, where in the message, and what to do.

    `may_be_critical` is null until somebody has looked at it (`worker.may_be_critical`), `notified_at` is
    when operations heard of an incident (`worker.incidents`).
    """

    __tablename__ = "quarantine_item"
    __table_args__ = (
        Index(
            "ix_quarantine_incident",
            "id",
            sqlite_where=text("reason = 'wrong-patient' and notified_at is null"),
            postgresql_where=text("reason = 'wrong-patient' and notified_at is null"),
        ),
        Index(
            "ix_quarantine_unseen",
            "id",
            sqlite_where=text("may_be_critical is null and released_at is null and discarded_at is null"),
            postgresql_where=text("may_be_critical is null and released_at is null and discarded_at is null"),
        ),
        Index(
            "ix_quarantine_waiting",
            "reason",
            "created_at",
            sqlite_where=text("released_at is null and discarded_at is null"),
            postgresql_where=text("released_at is null and discarded_at is null"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="message.id", index=True)
    reason: str = Field(index=True)
    place: str = ""
    remedy: str = ""
    may_be_critical: bool | None = None
    notified_at: datetime | None = None
    created_at: datetime
    released_at: datetime | None = None
    discarded_at: datetime | None = None
    answered_by: str | None = None
    answer: str | None = None


class CodeGapRow(SQLModel, table=True):
    """A code, or a unit of a known code, that a source has sent and nothing maps; no patient data.

    `problem` is why its results are not used. It stays when it was mapped: what is mapped now is asked anew.
    """

    __tablename__ = "code_gap"
    __table_args__ = (
        UniqueConstraint("source", "system", "code", "name", "unit", "problem", name="uq_code_gap"),
    )

    id: int | None = Field(default=None, primary_key=True)
    source: str
    system: str
    code: str
    name: str
    unit: str
    problem: str
    first_seen_at: datetime


class PatientRow(SQLModel, table=True):
    """Who the facts are about. `version` is the fence: judging commits only if nobody judged meanwhile.

    The traits follow from `demographics`. `survivor_id` follows from `patient_link`: whose facts those of a
    merged identifier are, whatever the length of the chain.
    """

    __tablename__ = "patient"
    __table_args__ = (UniqueConstraint("system", "ident", name="uq_patient_key"),)

    id: int | None = Field(default=None, primary_key=True)
    system: str
    ident: str
    version: int = 0
    name: str | None = None
    birth_date: date | None = None
    sex: str = "unknown"
    deceased_at: datetime | None = None
    judged_as_of: datetime | None = None
    sensitive: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    survivor_id: int | None = Field(default=None, foreign_key="patient.id", index=True)
    created_at: datetime


class PatientLinkRow(SQLModel, table=True):
    """`retired` was merged into `survivor`; facts filed under either are the survivor's while `ended_at` is
    null.
    """

    __tablename__ = "patient_link"
    __table_args__ = (
        Index(
            "uq_patient_link_open",
            "retired_id",
            unique=True,
            sqlite_where=text("ended_at is null"),
            postgresql_where=text("ended_at is null"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    retired_id: int = Field(foreign_key="patient.id")
    survivor_id: int = Field(foreign_key="patient.id", index=True)
    message_id: int | None = Field(default=None, foreign_key="message.id")
    linked_at: datetime
    ended_at: datetime | None = None


class DemographicsRow(SQLModel, table=True):
    """What one message said of a person; `patient` holds what follows from all of them."""

    __tablename__ = "demographics"
    __table_args__ = (
        UniqueConstraint("patient_id", "version", "message_id", name="uq_demographics_version"),
    )

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id")
    message_id: int = Field(foreign_key="message.id", index=True)
    last_message_id: int
    version: str
    said_at: datetime
    last_said_at: datetime
    known_at: datetime
    name: str | None = None
    family: str | None = None
    birth_date: date | None = None
    sex: str | None = None
    deceased: bool | None = None
    deceased_at: datetime | None = None
    location: str | None = None
    attending_system: str | None = None
    attending_id: str | None = None


class ResultRow(SQLModel, table=True):
    """One version of one result: `version` is the hash of what it says. Said again with nothing else said in
    between, it stays one row, and `last_message_id` names the message that said it last.

    `code_system`, `code`, `code_name`, `effective_text`, `flag` and `marks` are how it was sent;
    `effective_other` is the second moment its time may mean. `reading`: how often its message had been read
    before.
    """

    __tablename__ = "result"
    __table_args__ = (
        UniqueConstraint(
            "patient_id", "source", "result_id", "version", "message_id", name="uq_result_version"
        ),
        # What was not used, by the code it came under: for `ferrule codes gaps`.
        Index(
            "ix_result_unused",
            "source",
            "code",
            sqlite_where=text("problem is not null"),
            postgresql_where=text("problem is not null"),
        ),
        # What a source's values of an analyte look like lately: for the unit watch.
        Index("ix_result_analyte", "analyte", "source", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id")
    message_id: int = Field(foreign_key="message.id", index=True)
    last_message_id: int
    source: str
    result_id: str
    version: str
    analyte: str | None = None
    status: str
    effective_at: datetime | None = None
    issued_at: datetime | None = None
    known_at: datetime
    value: str | None = None
    comparator: str | None = None
    unit: str | None = None
    dimension: str | None = None
    base: str | None = None
    coded: str | None = None
    range_low: str | None = None
    range_high: str | None = None
    notes: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    problem: str | None = None
    detail: str = ""
    reported_value: str = ""
    reported_unit: str = ""
    code_system: str = ""
    code: str = ""
    code_name: str = ""
    effective_text: str | None = None
    effective_other: datetime | None = None
    flag: str = Field(default="", sa_column_kwargs={"server_default": ""})
    marks: list[str] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]")
    )
    reading: int = 0
    orderer_system: str | None = None
    orderer_id: str | None = None
    orderer_name: str | None = None


class RecordRow(SQLModel, table=True):
    """One version of one entry of a medication, problem, procedure or order list; see `ResultRow`."""

    __tablename__ = "record"
    __table_args__ = (
        UniqueConstraint("patient_id", "record_key", "version", "message_id", name="uq_record_version"),
    )

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id")
    message_id: int = Field(foreign_key="message.id", index=True)
    last_message_id: int
    record_key: str
    version: str
    kind: str
    system: str
    code: str
    name: str
    status: str | None = None
    start: datetime | None = None
    start_last: datetime | None = None
    end: datetime | None = None
    known_at: datetime
    said_at: datetime
    last_said_at: datetime
    route: str | None = None


class PregnancyStatementRow(SQLModel, table=True):
    """What was said of a pregnancy, when."""

    __tablename__ = "pregnancy_statement"
    __table_args__ = (UniqueConstraint("patient_id", "version", "message_id", name="uq_pregnancy_version"),)

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id")
    message_id: int = Field(foreign_key="message.id", index=True)
    last_message_id: int
    version: str
    pregnant: bool
    weeks: int | None = None
    effective_at: datetime
    known_at: datetime


class EvaluationRow(SQLModel, table=True):
    """One judging of one patient: as of when, by which rules, and every rule's answer that was not plain
    false.
    """

    __tablename__ = "evaluation"

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True)
    message_id: int | None = Field(default=None, foreign_key="message.id", index=True)
    patient_version: int
    as_of: datetime
    evaluated_at: datetime
    ruleset: str
    ruleset_version: str
    outcomes: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))


class AccountRow(SQLModel, table=True):
    """A person who can sign in: by `username` and a password (argon2), or elsewhere, known by `issuer` and
    `subject`. `role` holds one role, or several with spaces between them.
    """

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("username", name="uq_account_username"),
        UniqueConstraint("issuer", "subject", name="uq_account_subject"),
    )

    id: int | None = Field(default=None, primary_key=True)
    username: str | None = None
    issuer: str | None = None
    subject: str | None = None
    password_hash: str | None = Field(default=None, sa_column=Column(Text))
    role: str
    system: str | None = None
    ident: str | None = None
    name: str
    active: bool = True
    created_at: datetime


class SessionRow(SQLModel, table=True):
    """A signed-in browser. Only the hash of its secret is kept; `acr` and `sid` are the provider's words: how
    surely it knows the person, and which of its own sessions this is.
    """

    __tablename__ = "session"

    id: int | None = Field(default=None, primary_key=True)
    secret_sha256: str = Field(unique=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    csrf: str
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None = None
    acr: str | None = None
    sid: str | None = None


class SignInRow(SQLModel, table=True):
    """A browser on its way to the OpenID provider and back; the row goes when it comes back. `acr`: those it
    may come back with, where it went there to be known more surely.
    """

    __tablename__ = "sign_in"

    secret_sha256: str = Field(primary_key=True)
    state: str
    nonce: str
    verifier: str = Field(sa_column=Column(Text, nullable=False))
    next: str
    created_at: datetime = Field(index=True)
    acr: str | None = None


class LoginFailureRow(SQLModel, table=True):
    """How often a name from an address, or an address alone, was refused lately; the key is hashed."""

    __tablename__ = "login_failure"

    key_sha256: str = Field(primary_key=True)
    failures: int
    first_at: datetime = Field(index=True)


class BreakGlassRow(SQLModel, table=True):
    """Somebody opened the alerts of a patient who is not theirs: why, and until when."""

    __tablename__ = "break_glass"
    __table_args__ = (Index("ix_break_glass_reader", "system", "ident", "ends_at"),)

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True)
    system: str
    ident: str
    name: str
    reason: str
    comment: str
    started_at: datetime
    ends_at: datetime
    reviewed_at: datetime | None = None
    reviewed_by: str | None = None


class TokenRow(SQLModel, table=True):
    """A bearer token of `ferrule token create`. Only the hash of its secret is kept."""

    __tablename__ = "token"

    id: int | None = Field(default=None, primary_key=True)
    secret_sha256: str = Field(unique=True)
    role: str
    system: str | None = None
    ident: str | None = None
    label: str = ""
    created_at: datetime
    ended_at: datetime | None = None


class SourceSeenRow(SQLModel, table=True):
    """Every sender that ever gave us a message; its latest one is found by `ix_message_source`."""

    __tablename__ = "source_seen"

    source: str = Field(primary_key=True)
    first_message_at: datetime


class FileProgressRow(SQLModel, table=True):
    """How many messages of a file have been submitted, and the hash of them all; gone when it is done."""

    __tablename__ = "file_progress"

    name_sha256: str = Field(primary_key=True)
    pieces: int
    sha256: str
    updated_at: datetime


class FhirResourceRow(SQLModel, table=True):
    """A FHIR resource under the address it was answered for; `place` finds it in its newest message."""

    __tablename__ = "fhir_resource"
    __table_args__ = (UniqueConstraint("source", "type", "resource_id", name="uq_fhir_resource"),)

    id: int | None = Field(default=None, primary_key=True)
    source: str
    type: str
    resource_id: str
    version: int = 1
    sha256: str
    message_id: int = Field(foreign_key="message.id", index=True)
    place: str = ""
    updated_at: datetime


class FhirIdentifierRow(SQLModel, table=True):
    """An identifier of a FHIR resource, for If-None-Exist; the row goes when the resource loses it."""

    __tablename__ = "fhir_identifier"
    __table_args__ = (Index("ix_fhir_identifier_value", "source", "type", "value"),)

    id: int | None = Field(default=None, primary_key=True)
    fhir_resource_id: int = Field(foreign_key="fhir_resource.id", index=True)
    source: str
    type: str
    system: str
    value: str


class FhirSubscriptionRow(SQLModel, table=True):
    """A subscription whose notifications come here; `newest` is the highest event number heard of."""

    __tablename__ = "fhir_subscription"
    __table_args__ = (UniqueConstraint("source", "address", name="uq_fhir_subscription"),)

    id: int | None = Field(default=None, primary_key=True)
    source: str
    address: str
    newest: int
    heard_at: datetime


class FhirGapRow(Leasable, table=True):
    """An event of a subscription that was not sent, or was sent without its resource: to be fetched."""

    __tablename__ = "fhir_gap"
    __table_args__ = (
        UniqueConstraint("subscription_id", "number", name="uq_fhir_gap"),
        Index(
            "ix_fhir_gap_due",
            "due_at",
            sqlite_where=text("closed_at is null"),
            postgresql_where=text("closed_at is null"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    subscription_id: int = Field(foreign_key="fhir_subscription.id")
    number: int
    focus: str | None = None
    found_at: datetime
    closed_at: datetime | None = None
    reason: str | None = None


class CdsCallRow(SQLModel, table=True):
    """A token that a CDS Hooks client has used, until it would expire: each serves once."""

    __tablename__ = "cds_call"

    call: str = Field(primary_key=True)
    expires_at: datetime


class CdsCardRow(SQLModel, table=True):
    """A card that was shown to somebody in another program, by which client, of which version of an alert."""

    __tablename__ = "cds_card"
    __table_args__ = (Index("ix_cds_card_issued", "issued_at"),)

    card: str = Field(primary_key=True)
    issuer: str
    alert_id: int
    version: int
    system: str
    ident: str
    issued_at: datetime
    said_at: datetime | None = None


def _table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


MESSAGE = _table("message")
QUARANTINE_ITEM = _table("quarantine_item")
CODE_GAP = _table("code_gap")
PATIENT = _table("patient")
PATIENT_LINK = _table("patient_link")
DEMOGRAPHICS = _table("demographics")
RESULT = _table("result")
RECORD = _table("record")
PREGNANCY_STATEMENT = _table("pregnancy_statement")
EVALUATION = _table("evaluation")
ACCOUNT = _table("account")
SESSION = _table("session")
SIGN_IN = _table("sign_in")
LOGIN_FAILURE = _table("login_failure")
BREAK_GLASS = _table("break_glass")
TOKEN = _table("token")
CDS_CALL = _table("cds_call")
CDS_CARD = _table("cds_card")
SOURCE_SEEN = _table("source_seen")
FILE_PROGRESS = _table("file_progress")
FHIR_RESOURCE = _table("fhir_resource")
FHIR_IDENTIFIER = _table("fhir_identifier")
FHIR_SUBSCRIPTION = _table("fhir_subscription")
FHIR_GAP = _table("fhir_gap")
