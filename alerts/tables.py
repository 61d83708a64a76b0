"""How alerts, their deliveries, follow-ups, recipients and the audit trail are kept: SQLModel tables.

A patient is an integer here (`patient_id`); who that is, the floor above knows, and so there is no foreign
key to that table. The hot path writes through the `Table` objects at the end (core inserts).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Index, Table, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

DOCUMENT = JSON().with_variant(JSONB(), "postgresql")
STILL_OPEN = text("closed_at IS NULL")
WAS_READ = text("action = 'read'")
STILL_PENDING = text("state = 'pending'")


class Leasable(SQLModel):
    """The columns that `alerts.leases` claims work by.

    `due_at` is when the work may be taken: as it came, after a wait, or at the end of somebody's lease.
    `lease` numbers the claims and only ever rises: it is the fencing token that a worker must still hold
    when it writes. `attempts` counts the runs, before each one.
    """

    due_at: datetime
    attempts: int = 0
    lease: int = 0


class AlertRow(SQLModel, table=True):
    """One episode of one rule for one patient, as it stands now; `alert_event` says how it came to this.

    `version` counts changes (the ETag). `policy_id` is the escalation policy that was in force when it was
    raised (null: the built-in one); `answer_by` is its deadline since it last asked; `call_list_since` is
    set while somebody must be called about it. `as_of` is the moment of the judging that the evidence is
    from, `state` one of `alerts.states.State`, `reason` that of the newest step. `rules_changed` flags an
    alert whose rule is another one now.
    `held_for` is why it is, or was at first, not told (`alerts.holding`; null: a rule's own hold),
    `storm_id` the storm that held it, `source` the sender whose message raised it.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "alert_one_open_episode",
            "patient_id",
            "rule",
            unique=True,
            sqlite_where=STILL_OPEN,
            postgresql_where=STILL_OPEN,
        ),
        UniqueConstraint("patient_id", "rule", "episode", name="alert_episode"),
        Index("alert_by_state", "state", "severity"),
        Index("alert_of_rule", "rule", "raised_at"),
        Index("alert_of_source", "source", "raised_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int
    filed_under: int | None = Field(default=None, index=True)
    rule: str
    rule_version: int
    episode: int
    ruleset: str
    evaluation_id: int | None = None
    severity: str
    state: str
    reason: str
    version: int = 1
    recipient_system: str
    recipient_ident: str
    headline: str
    text: str
    evidence: list[dict[str, Any]] = Field(sa_type=DOCUMENT)
    tree: dict[str, Any] = Field(sa_type=DOCUMENT)
    actions: list[str] = Field(sa_type=DOCUMENT)
    follow_up: list[dict[str, Any]] = Field(sa_type=DOCUMENT)
    sources: list[str] = Field(sa_type=DOCUMENT)
    annotates: list[str] = Field(sa_type=DOCUMENT)
    as_of: datetime
    received_at: datetime | None = None
    raised_at: datetime
    updated_at: datetime
    told_at: datetime | None = None
    acknowledged_at: datetime | None = None
    snoozed_until: datetime | None = None
    closed_at: datetime | None = None
    superseded_by: str | None = None
    rules_changed: bool = False
    held_for: str | None = None
    storm_id: int | None = None
    source: str | None = None
    policy_id: int | None = None
    call_list_since: datetime | None = None
    answer_by: datetime | None = None


class AlertEventRow(SQLModel, table=True):
    """One step of one alert: who, when, from, to, why. Never changed once written.

    `seq` is the alert's `version` after the step; `data` holds what the step brought (evidence before and
    after, a comment, the end of a snooze).
    """

    __tablename__ = "alert_event"
    __table_args__ = (UniqueConstraint("alert_id", "seq", name="alert_event_seq"),)

    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="alert.id")
    seq: int
    step: str
    from_state: str | None = None
    to_state: str
    reason: str
    actor_system: str
    actor_ident: str
    at: datetime
    data: dict[str, Any] = Field(sa_type=DOCUMENT)


class AddresseeRow(SQLModel, table=True):
    """Somebody (or a pool) an alert was addressed to, and why; `alert.recipient_*` is the one who owns it."""

    __tablename__ = "addressee"
    __table_args__ = (
        UniqueConstraint("alert_id", "system", "ident", name="addressee_once"),
        Index("addressee_of", "system", "ident"),
    )

    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="alert.id")
    system: str
    ident: str
    why: str
    since: datetime


class DeliveryRow(Leasable, table=True):
    """The outbox: one message to one recipient by one channel, about what one judging found for one patient.

    A `lane` (patient, recipient, channel) is sent in order, so that its last notice is the current truth.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        Index("delivery_due", "due_at", sqlite_where=STILL_PENDING, postgresql_where=STILL_PENDING),
        Index("delivery_lane", "lane", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    delivery_key: str = Field(unique=True)
    patient_id: int
    lane: str
    channel: str
    recipient_system: str
    recipient_ident: str
    severity: str
    state: str = "pending"
    reason: str | None = None
    received_at: datetime | None = None
    created_at: datetime
    sent_at: datetime | None = None


class NoticeRow(SQLModel, table=True):
    """One line of a delivery: which step of which alert it tells."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("delivery_id", "event_id", name="notice_once"),
        Index("notice_of_alert", "alert_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = Field(foreign_key="delivery.id")
    alert_id: int = Field(foreign_key="alert.id")
    event_id: int = Field(foreign_key="alert_event.id")
    step: str
    severity: str
    headline: str
    position: int


class FollowUpRow(SQLModel, table=True):
    """What an alert expects to arrive and by when; `state` is expected, satisfied or cancelled.

    `newer_than` is the moment the alert's evidence was from when this was expected: a result that joins the
    alert later may well be the one that is waited for.
    """

    __tablename__ = "follow_up"
    __table_args__ = (Index("follow_up_expected", "patient_id", "expect", "state"),)

    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="alert.id")
    patient_id: int
    expect: str
    due: date
    state: str = "expected"
    reason: str | None = None
    newer_than: datetime
    created_at: datetime
    closed_at: datetime | None = None
    satisfied_by: str | None = None


class TimerRow(Leasable, table=True):
    """Something that happens to an alert at its time unless it is cancelled before: `kind` as in
    `alerts.escalation.Timer`, `state` pending, done, cancelled or failed.
    """

    __tablename__ = "timer"
    __table_args__ = (
        Index("timer_due", "due_at", sqlite_where=STILL_PENDING, postgresql_where=STILL_PENDING),
        Index("timer_of_alert", "alert_id", "state"),
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    alert_id: int = Field(foreign_key="alert.id")
    follow_up_id: int | None = Field(default=None, foreign_key="follow_up.id")
    state: str = "pending"
    reason: str | None = None
    planned_at: datetime
    created_at: datetime
    ended_at: datetime | None = None


class EscalationPolicyRow(SQLModel, table=True):
    """A policy that was in force from `since` until the next one. Never changed: alerts name theirs."""

    __tablename__ = "escalation_policy"

    id: int | None = Field(default=None, primary_key=True)
    fingerprint: str
    document: str
    since: datetime


class AuditRow(SQLModel, table=True):
    """One record of somebody reading or changing something. Inserted plainly, never changed, sealed later.

    `event_digest` ties a step of an alert into the chain: the digest of its `alert_event` row.
    """

    __tablename__ = "audit"
    __table_args__ = (
        # Who had read what is taken back.
        Index("audit_read", "object_id", sqlite_where=WAS_READ, postgresql_where=WAS_READ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    at: datetime
    action: str
    actor_system: str
    actor_ident: str
    patient_id: int | None = None
    object_kind: str
    object_id: str
    outcome: str
    origin: str = ""
    event_id: int | None = None
    event_digest: str | None = None
    data: dict[str, Any] = Field(sa_type=DOCUMENT)


class AuditSealRow(SQLModel, table=True):
    """One link of the chain: `hash` covers the audit row and the link before it. `seq` has no gaps."""

    __tablename__ = "audit_seal"

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    audit_id: int = Field(unique=True)
    previous: str
    hash: str


class RecipientRow(SQLModel, table=True):
    """The directory of clinicians. Somebody who has left stays, inactive.

    `preferences` is an `alerts.preferences.Preferences`; `listed_at` is when an import last named them.
    """

    __tablename__ = "recipient"
    __table_args__ = (UniqueConstraint("system", "ident", name="recipient_once"),)

    id: int | None = Field(default=None, primary_key=True)
    system: str
    ident: str
    name: str = ""
    email: str | None = None
    phone: str | None = None
    active: bool = True
    preferences: dict[str, Any] = Field(default_factory=dict, sa_type=DOCUMENT)
    listed_at: datetime | None = None


class CoverRow(SQLModel, table=True):
    """`covering` answers for `absent` from `starts_at` (inclusive) to `ends_at` (exclusive)."""

    __tablename__ = "cover"
    __table_args__ = (
        Index("cover_absent", "absent_system", "absent_ident"),
        Index("cover_covering", "covering_system", "covering_ident"),
    )

    id: int | None = Field(default=None, primary_key=True)
    absent_system: str
    absent_ident: str
    covering_system: str
    covering_ident: str
    starts_at: datetime
    ends_at: datetime


class PoolRow(SQLModel, table=True):
    """A group that answers together; addressed as (`urn:ferrule:pool`, `ident`)."""

    __tablename__ = "pool"

    id: int | None = Field(default=None, primary_key=True)
    ident: str = Field(unique=True)
    name: str = ""
    email: str | None = None


class PoolMemberRow(SQLModel, table=True):
    """Who is in a pool."""

    __tablename__ = "pool_member"
    __table_args__ = (
        UniqueConstraint("pool", "system", "ident", name="pool_member_once"),
        Index("pool_member_of", "system", "ident"),
    )

    id: int | None = Field(default=None, primary_key=True)
    pool: str
    system: str
    ident: str


class SilentFindingRow(SQLModel, table=True):
    """What a version of a silent rule first found for a patient, and what its owner thinks of it.

    `verdict` is one of `alerts.silent.Verdict`; null: nobody has looked yet.
    """

    __tablename__ = "silent_finding"
    __table_args__ = (UniqueConstraint("patient_id", "rule", "rule_version", name="silent_finding_once"),)

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int
    rule: str
    rule_version: int
    ruleset: str
    severity: str
    headline: str
    text: str
    evidence: list[dict[str, Any]] = Field(sa_type=DOCUMENT)
    tree: dict[str, Any] = Field(sa_type=DOCUMENT)
    as_of: datetime
    found_at: datetime
    verdict: str | None = None
    reason: str | None = None
    judged_at: datetime | None = None
    judged_by_system: str | None = None
    judged_by_ident: str | None = None


class StormRow(SQLModel, table=True):
    """A surge of alerts of one rule or from one source, and what a person decided about those it held.

    It holds new alerts until it has subsided or is answered; `raised` is how many there were at its start.
    """

    __tablename__ = "storm"
    __table_args__ = (
        Index(
            "storm_one_open",
            "kind",
            "key",
            unique=True,
            sqlite_where=text("answered_at IS NULL"),
            postgresql_where=text("answered_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    key: str
    raised: int
    limit: int
    started_at: datetime
    subsided_at: datetime | None = None
    notified_at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None
    answered_at: datetime | None = None
    answered_by_system: str | None = None
    answered_by_ident: str | None = None


class DestinationRow(SQLModel, table=True):
    """Where a channel leads, once it has failed: since when, and whether operations was told of it."""

    __tablename__ = "destination"

    channel: str = Field(primary_key=True)
    failing_since: datetime | None = None
    reason: str | None = None
    paused_until: datetime | None = None
    said: bool = False


def _table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


ALERT = _table("alert")
ALERT_EVENT = _table("alert_event")
STORM = _table("storm")
SILENT_FINDING = _table("silent_finding")
ADDRESSEE = _table("addressee")
DELIVERY = _table("delivery")
DESTINATION = _table("destination")
NOTICE = _table("notice")
FOLLOW_UP = _table("follow_up")
TIMER = _table("timer")
ESCALATION_POLICY = _table("escalation_policy")
AUDIT = _table("audit")
AUDIT_SEAL = _table("audit_seal")
RECIPIENT = _table("recipient")
COVER = _table("cover")
POOL = _table("pool")
POOL_MEMBER = _table("pool_member")
