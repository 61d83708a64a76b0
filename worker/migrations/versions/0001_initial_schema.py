"""initial schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel import UTCDateTime

revision = "0001"
down_revision = None

ONLY_ADDED_TO = ("audit", "audit_seal", "alert_event")
"""Tables whose rows nobody changes or removes, not even their owner by mistake."""


def upgrade() -> None:
    """Bring the schema up."""
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(), nullable=True),
        sa.Column("issuer", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=True),
        sa.Column("ident", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("issuer", "subject", name="uq_account_subject"),
        sa.UniqueConstraint("username", name="uq_account_username"),
    )
    op.create_table(
        "code_gap",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("first_seen_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "system", "code", "name", "unit", "problem", name="uq_code_gap"),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("filed_under", sa.Integer(), nullable=True),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("ruleset", sa.String(), nullable=False),
        sa.Column("evaluation_id", sa.Integer(), nullable=True),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recipient_system", sa.String(), nullable=False),
        sa.Column("recipient_ident", sa.String(), nullable=False),
        sa.Column("headline", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("evidence", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("tree", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("actions", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("follow_up", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("sources", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("annotates", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("as_of", UTCDateTime(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=True),
        sa.Column("raised_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("told_at", UTCDateTime(), nullable=True),
        sa.Column("acknowledged_at", UTCDateTime(), nullable=True),
        sa.Column("snoozed_until", UTCDateTime(), nullable=True),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.Column("superseded_by", sa.String(), nullable=True),
        sa.Column("rules_changed", sa.Boolean(), nullable=False),
        sa.Column("held_for", sa.String(), nullable=True),
        sa.Column("storm_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("policy_id", sa.Integer(), nullable=True),
        sa.Column("call_list_since", UTCDateTime(), nullable=True),
        sa.Column("answer_by", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("patient_id", "rule", "episode", name="alert_episode"),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index("alert_by_state", ["state", "severity"], unique=False)
        batch_op.create_index("alert_of_rule", ["rule", "raised_at"], unique=False)
        batch_op.create_index("alert_of_source", ["source", "raised_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_alert_filed_under"), ["filed_under"], unique=False)
        batch_op.create_index(
            "alert_one_open_episode",
            ["patient_id", "rule"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )

    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("actor_system", sa.String(), nullable=False),
        sa.Column("actor_ident", sa.String(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=True),
        sa.Column("object_kind", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.Column("event_digest", sa.String(), nullable=True),
        sa.Column("data", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(
            "audit_read",
            ["object_id"],
            unique=False,
            sqlite_where=sa.text("action = 'read'"),
            postgresql_where=sa.text("action = 'read'"),
        )

    op.create_table(
        "audit_seal",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("audit_id"),
    )
    op.create_table(
        "cover",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("absent_system", sa.String(), nullable=False),
        sa.Column("absent_ident", sa.String(), nullable=False),
        sa.Column("covering_system", sa.String(), nullable=False),
        sa.Column("covering_ident", sa.String(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("cover", schema=None) as batch_op:
        batch_op.create_index("cover_absent", ["absent_system", "absent_ident"], unique=False)
        batch_op.create_index("cover_covering", ["covering_system", "covering_ident"], unique=False)

    op.create_table(
        "delivery",
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_key", sa.String(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("recipient_system", sa.String(), nullable=False),
        sa.Column("recipient_ident", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("received_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("delivery_key"),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "delivery_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index("delivery_lane", ["lane", "id"], unique=False)

    op.create_table(
        "storm",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("raised", sa.Integer(), nullable=False),
        sa.Column("limit", sa.Integer(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("subsided_at", UTCDateTime(), nullable=True),
        sa.Column("notified_at", UTCDateTime(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("answered_at", UTCDateTime(), nullable=True),
        sa.Column("answered_by_system", sa.String(), nullable=True),
        sa.Column("answered_by_ident", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("storm", schema=None) as batch_op:
        batch_op.create_index(
            "storm_one_open",
            ["kind", "key"],
            unique=True,
            sqlite_where=sa.text("answered_at IS NULL"),
            postgresql_where=sa.text("answered_at IS NULL"),
        )

    op.create_table(
        "cds_call",
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("call"),
    )
    op.create_table(
        "cds_card",
        sa.Column("card", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("ident", sa.String(), nullable=False),
        sa.Column("issued_at", UTCDateTime(), nullable=False),
        sa.Column("said_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("card"),
    )
    with op.batch_alter_table("cds_card", schema=None) as batch_op:
        batch_op.create_index("ix_cds_card_issued", ["issued_at"], unique=False)

    op.create_table(
        "destination",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("failing_since", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("paused_until", UTCDateTime(), nullable=True),
        sa.Column("said", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("channel"),
    )

    op.create_table(
        "file_progress",
        sa.Column("name_sha256", sa.String(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name_sha256"),
    )
    op.create_table(
        "message",
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("flag", sa.String(), nullable=True),
        sa.Column("reading", sa.Integer(), server_default="0", nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "state in ('pending', 'judged', 'quarantined', 'rejected')", name="ck_message_state"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "message_id", "sha256", name="uq_message_key"),
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(
            "ix_message_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "ix_message_apart",
            ["flag", "id"],
            unique=False,
            sqlite_where=sa.text("flag in ('control-sample', 'test-patient')"),
            postgresql_where=sa.text("flag in ('control-sample', 'test-patient')"),
        )
        batch_op.create_index("ix_message_source", ["source", "received_at"], unique=False)
        batch_op.create_index(
            "uq_message_event_id",
            ["source", "message_id"],
            unique=True,
            sqlite_where=sa.text("format = 'event' and reason is null"),
            postgresql_where=sa.text("format = 'event' and reason is null"),
        )

    op.create_table(
        "patient",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("ident", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("sex", sa.String(), nullable=False),
        sa.Column("deceased_at", UTCDateTime(), nullable=True),
        sa.Column("judged_as_of", UTCDateTime(), nullable=True),
        sa.Column("sensitive", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("survivor_id", sa.Integer(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["survivor_id"],
            ["patient.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("system", "ident", name="uq_patient_key"),
    )
    with op.batch_alter_table("patient", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_patient_survivor_id"), ["survivor_id"], unique=False)

    op.create_table(
        "pool",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ident", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ident"),
    )
    op.create_table(
        "pool_member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("ident", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("pool", "system", "ident", name="pool_member_once"),
    )
    with op.batch_alter_table("pool_member", schema=None) as batch_op:
        batch_op.create_index("pool_member_of", ["system", "ident"], unique=False)

    op.create_table(
        "recipient",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("ident", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("preferences", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("listed_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("system", "ident", name="recipient_once"),
    )
    op.create_table(
        "source_seen",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("first_message_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=True),
        sa.Column("ident", sa.String(), nullable=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_sha256"),
    )
    op.create_table(
        "addressee",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("ident", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alert.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("alert_id", "system", "ident", name="addressee_once"),
    )
    with op.batch_alter_table("addressee", schema=None) as batch_op:
        batch_op.create_index("addressee_of", ["system", "ident"], unique=False)

    op.create_table(
        "alert_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("from_state", sa.String(), nullable=True),
        sa.Column("to_state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor_system", sa.String(), nullable=False),
        sa.Column("actor_ident", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("data", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alert.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("alert_id", "seq", name="alert_event_seq"),
    )
    op.create_table(
        "evaluation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.Column("patient_version", sa.Integer(), nullable=False),
        sa.Column("as_of", UTCDateTime(), nullable=False),
        sa.Column("evaluated_at", UTCDateTime(), nullable=False),
        sa.Column("ruleset", sa.String(), nullable=False),
        sa.Column("ruleset_version", sa.String(), nullable=False),
        sa.Column("outcomes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"],
            ["patient.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("evaluation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_evaluation_message_id"), ["message_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_evaluation_patient_id"), ["patient_id"], unique=False)

    op.create_table(
        "follow_up",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("expect", sa.String(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("newer_than", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.Column("satisfied_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alert.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("follow_up", schema=None) as batch_op:
        batch_op.create_index("follow_up_expected", ["patient_id", "expect", "state"], unique=False)

    op.create_table(
        "silent_finding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("ruleset", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("headline", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("evidence", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("tree", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("as_of", UTCDateTime(), nullable=False),
        sa.Column("found_at", UTCDateTime(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("judged_at", UTCDateTime(), nullable=True),
        sa.Column("judged_by_system", sa.String(), nullable=True),
        sa.Column("judged_by_ident", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("patient_id", "rule", "rule_version", name="silent_finding_once"),
    )
    op.create_table(
        "escalation_policy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "timer",
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("follow_up_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("planned_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"]),
        sa.ForeignKeyConstraint(["follow_up_id"], ["follow_up.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("timer", schema=None) as batch_op:
        batch_op.create_index(
            "timer_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index("timer_of_alert", ["alert_id", "state"], unique=False)

    op.create_table(
        "patient_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("retired_id", sa.Integer(), nullable=False),
        sa.Column("survivor_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.Column("linked_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.ForeignKeyConstraint(
            ["retired_id"],
            ["patient.id"],
        ),
        sa.ForeignKeyConstraint(
            ["survivor_id"],
            ["patient.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("patient_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_patient_link_survivor_id"), ["survivor_id"], unique=False)
        batch_op.create_index(
            "uq_patient_link_open",
            ["retired_id"],
            unique=True,
            sqlite_where=sa.text("ended_at is null"),
            postgresql_where=sa.text("ended_at is null"),
        )

    op.create_table(
        "demographics",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("last_message_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("said_at", UTCDateTime(), nullable=False),
        sa.Column("last_said_at", UTCDateTime(), nullable=False),
        sa.Column("known_at", UTCDateTime(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("family", sa.String(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("sex", sa.String(), nullable=True),
        sa.Column("deceased", sa.Boolean(), nullable=True),
        sa.Column("deceased_at", UTCDateTime(), nullable=True),
        sa.Column("location", sa.String(), nullable=True),
        sa.Column("attending_system", sa.String(), nullable=True),
        sa.Column("attending_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"],
            ["patient.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("patient_id", "version", "message_id", name="uq_demographics_version"),
    )
    with op.batch_alter_table("demographics", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_demographics_message_id"), ["message_id"], unique=False)

    op.create_table(
        "pregnancy_statement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("last_message_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("pregnant", sa.Boolean(), nullable=False),
        sa.Column("weeks", sa.Integer(), nullable=True),
        sa.Column("effective_at", UTCDateTime(), nullable=False),
        sa.Column("known_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"],
            ["patient.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("patient_id", "version", "message_id", name="uq_pregnancy_version"),
    )
    with op.batch_alter_table("pregnancy_statement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pregnancy_statement_message_id"), ["message_id"], unique=False)

    op.create_table(
        "quarantine_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("may_be_critical", sa.Boolean(), nullable=True),
        sa.Column("notified_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("released_at", UTCDateTime(), nullable=True),
        sa.Column("discarded_at", UTCDateTime(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("quarantine_item", schema=None) as batch_op:
        batch_op.create_index(
            "ix_quarantine_incident",
            ["id"],
            unique=False,
            sqlite_where=sa.text("reason = 'wrong-patient' and notified_at is null"),
            postgresql_where=sa.text("reason = 'wrong-patient' and notified_at is null"),
        )
        batch_op.create_index(
            "ix_quarantine_unseen",
            ["id"],
            unique=False,
            sqlite_where=sa.text("may_be_critical is null and released_at is null and discarded_at is null"),
            postgresql_where=sa.text(
                "may_be_critical is null and released_at is null and discarded_at is null"
            ),
        )
        batch_op.create_index(
            "ix_quarantine_waiting",
            ["reason", "created_at"],
            unique=False,
            sqlite_where=sa.text("released_at is null and discarded_at is null"),
            postgresql_where=sa.text("released_at is null and discarded_at is null"),
        )
        batch_op.create_index(batch_op.f("ix_quarantine_item_message_id"), ["message_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_quarantine_item_reason"), ["reason"], unique=False)

    op.create_table(
        "record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("last_message_id", sa.Integer(), nullable=False),
        sa.Column("record_key", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("start", UTCDateTime(), nullable=True),
        sa.Column("start_last", UTCDateTime(), nullable=True),
        sa.Column("end", UTCDateTime(), nullable=True),
        sa.Column("known_at", UTCDateTime(), nullable=False),
        sa.Column("said_at", UTCDateTime(), nullable=False),
        sa.Column("last_said_at", UTCDateTime(), nullable=False),
        sa.Column("route", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"],
            ["patient.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("patient_id", "record_key", "version", "message_id", name="uq_record_version"),
    )
    with op.batch_alter_table("record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_record_message_id"), ["message_id"], unique=False)

    op.create_table(
        "result",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("last_message_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("result_id", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("analyte", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("effective_at", UTCDateTime(), nullable=True),
        sa.Column("issued_at", UTCDateTime(), nullable=True),
        sa.Column("known_at", UTCDateTime(), nullable=False),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("comparator", sa.String(), nullable=True),
        sa.Column("unit", sa.String(), nullable=True),
        sa.Column("dimension", sa.String(), nullable=True),
        sa.Column("base", sa.String(), nullable=True),
        sa.Column("coded", sa.String(), nullable=True),
        sa.Column("range_low", sa.String(), nullable=True),
        sa.Column("range_high", sa.String(), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("reported_value", sa.String(), nullable=False),
        sa.Column("reported_unit", sa.String(), nullable=False),
        sa.Column("code_system", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("code_name", sa.String(), nullable=False),
        sa.Column("effective_text", sa.String(), nullable=True),
        sa.Column("effective_other", UTCDateTime(), nullable=True),
        sa.Column("flag", sa.String(), server_default="", nullable=False),
        sa.Column("marks", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("reading", sa.Integer(), nullable=False),
        sa.Column("orderer_system", sa.String(), nullable=True),
        sa.Column("orderer_id", sa.String(), nullable=True),
        sa.Column("orderer_name", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"],
            ["patient.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "patient_id", "source", "result_id", "version", "message_id", name="uq_result_version"
        ),
    )
    with op.batch_alter_table("result", schema=None) as batch_op:
        batch_op.create_index(
            "ix_result_unused",
            ["source", "code"],
            unique=False,
            sqlite_where=sa.text("problem is not null"),
            postgresql_where=sa.text("problem is not null"),
        )
        batch_op.create_index("ix_result_analyte", ["analyte", "source", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_result_message_id"), ["message_id"], unique=False)

    op.create_table(
        "session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("acr", sa.String(), nullable=True),
        sa.Column("sid", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_sha256"),
    )
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_session_account_id"), ["account_id"], unique=False)

    op.create_table(
        "sign_in",
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("next", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("acr", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("secret_sha256"),
    )
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_created_at"), ["created_at"], unique=False)

    op.create_table(
        "login_failure",
        sa.Column("key_sha256", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key_sha256"),
    )
    with op.batch_alter_table("login_failure", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_failure_first_at"), ["first_at"], unique=False)

    op.create_table(
        "break_glass",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("ident", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("comment", sa.String(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("reviewed_at", UTCDateTime(), nullable=True),
        sa.Column("reviewed_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["patient_id"],
            ["patient.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("break_glass", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_break_glass_patient_id"), ["patient_id"], unique=False)
        batch_op.create_index("ix_break_glass_reader", ["system", "ident", "ends_at"], unique=False)

    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("headline", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alert.id"],
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["delivery.id"],
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["alert_event.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("delivery_id", "event_id", name="notice_once"),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index("notice_of_alert", ["alert_id"], unique=False)

    op.create_table(
        "fhir_resource",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("resource_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "type", "resource_id", name="uq_fhir_resource"),
    )
    with op.batch_alter_table("fhir_resource", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_fhir_resource_message_id"), ["message_id"], unique=False)

    op.create_table(
        "fhir_identifier",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fhir_resource_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["fhir_resource_id"], ["fhir_resource.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("fhir_identifier", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_fhir_identifier_fhir_resource_id"), ["fhir_resource_id"], unique=False
        )
        batch_op.create_index("ix_fhir_identifier_value", ["source", "type", "value"], unique=False)

    op.create_table(
        "fhir_subscription",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("newest", sa.Integer(), nullable=False),
        sa.Column("heard_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "address", name="uq_fhir_subscription"),
    )
    op.create_table(
        "fhir_gap",
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("focus", sa.String(), nullable=True),
        sa.Column("found_at", UTCDateTime(), nullable=False),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["subscription_id"], ["fhir_subscription.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subscription_id", "number", name="uq_fhir_gap"),
    )
    with op.batch_alter_table("fhir_gap", schema=None) as batch_op:
        batch_op.create_index(
            "ix_fhir_gap_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("closed_at is null"),
            postgresql_where=sa.text("closed_at is null"),
        )
    _keep_what_is_only_added_to()


def downgrade() -> None:
    """Take it back."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop function ferrule_only_added_to() cascade")
    with op.batch_alter_table("fhir_gap", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_fhir_gap_due",
            sqlite_where=sa.text("closed_at is null"),
            postgresql_where=sa.text("closed_at is null"),
        )

    op.drop_table("fhir_gap")
    op.drop_table("fhir_subscription")
    with op.batch_alter_table("fhir_identifier", schema=None) as batch_op:
        batch_op.drop_index("ix_fhir_identifier_value")
        batch_op.drop_index(batch_op.f("ix_fhir_identifier_fhir_resource_id"))

    op.drop_table("fhir_identifier")
    with op.batch_alter_table("fhir_resource", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_fhir_resource_message_id"))

    op.drop_table("fhir_resource")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index("notice_of_alert")

    op.drop_table("notice")
    with op.batch_alter_table("break_glass", schema=None) as batch_op:
        batch_op.drop_index("ix_break_glass_reader")
        batch_op.drop_index(batch_op.f("ix_break_glass_patient_id"))

    op.drop_table("break_glass")
    with op.batch_alter_table("login_failure", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_failure_first_at"))

    op.drop_table("login_failure")
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_in_created_at"))

    op.drop_table("sign_in")
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_session_account_id"))

    op.drop_table("session")
    with op.batch_alter_table("result", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_result_unused",
            sqlite_where=sa.text("problem is not null"),
            postgresql_where=sa.text("problem is not null"),
        )
        batch_op.drop_index("ix_result_analyte")
        batch_op.drop_index(batch_op.f("ix_result_message_id"))

    op.drop_table("result")
    with op.batch_alter_table("record", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_record_message_id"))

    op.drop_table("record")
    with op.batch_alter_table("quarantine_item", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_quarantine_incident",
            sqlite_where=sa.text("reason = 'wrong-patient' and notified_at is null"),
            postgresql_where=sa.text("reason = 'wrong-patient' and notified_at is null"),
        )
        batch_op.drop_index(
            "ix_quarantine_unseen",
            sqlite_where=sa.text("may_be_critical is null and released_at is null and discarded_at is null"),
            postgresql_where=sa.text(
                "may_be_critical is null and released_at is null and discarded_at is null"
            ),
        )
        batch_op.drop_index(
            "ix_quarantine_waiting",
            sqlite_where=sa.text("released_at is null and discarded_at is null"),
            postgresql_where=sa.text("released_at is null and discarded_at is null"),
        )
        batch_op.drop_index(batch_op.f("ix_quarantine_item_reason"))
        batch_op.drop_index(batch_op.f("ix_quarantine_item_message_id"))

    op.drop_table("quarantine_item")
    with op.batch_alter_table("pregnancy_statement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pregnancy_statement_message_id"))

    op.drop_table("pregnancy_statement")
    with op.batch_alter_table("demographics", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_demographics_message_id"))

    op.drop_table("demographics")
    with op.batch_alter_table("patient_link", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_patient_link_open",
            sqlite_where=sa.text("ended_at is null"),
            postgresql_where=sa.text("ended_at is null"),
        )
        batch_op.drop_index(batch_op.f("ix_patient_link_survivor_id"))

    op.drop_table("patient_link")
    with op.batch_alter_table("timer", schema=None) as batch_op:
        batch_op.drop_index("timer_of_alert")
        batch_op.drop_index("timer_due")

    op.drop_table("timer")
    op.drop_table("escalation_policy")
    with op.batch_alter_table("follow_up", schema=None) as batch_op:
        batch_op.drop_index("follow_up_expected")

    op.drop_table("follow_up")
    op.drop_table("silent_finding")
    with op.batch_alter_table("evaluation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_evaluation_patient_id"))
        batch_op.drop_index(batch_op.f("ix_evaluation_message_id"))

    op.drop_table("evaluation")
    op.drop_table("alert_event")
    with op.batch_alter_table("addressee", schema=None) as batch_op:
        batch_op.drop_index("addressee_of")

    op.drop_table("addressee")
    op.drop_table("token")
    op.drop_table("source_seen")
    op.drop_table("recipient")
    with op.batch_alter_table("pool_member", schema=None) as batch_op:
        batch_op.drop_index("pool_member_of")

    op.drop_table("pool_member")
    op.drop_table("pool")
    with op.batch_alter_table("patient", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_patient_survivor_id"))

    op.drop_table("patient")
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_message_event_id",
            sqlite_where=sa.text("format = 'event' and reason is null"),
            postgresql_where=sa.text("format = 'event' and reason is null"),
        )
        batch_op.drop_index("ix_message_source")
        batch_op.drop_index(
            "ix_message_apart",
            sqlite_where=sa.text("flag in ('control-sample', 'test-patient')"),
            postgresql_where=sa.text("flag in ('control-sample', 'test-patient')"),
        )
        batch_op.drop_index(
            "ix_message_due",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )

    op.drop_table("message")
    op.drop_table("file_progress")
    op.drop_table("destination")
    with op.batch_alter_table("cds_card", schema=None) as batch_op:
        batch_op.drop_index("ix_cds_card_issued")

    op.drop_table("cds_card")
    op.drop_table("cds_call")
    with op.batch_alter_table("storm", schema=None) as batch_op:
        batch_op.drop_index(
            "storm_one_open",
            sqlite_where=sa.text("answered_at IS NULL"),
            postgresql_where=sa.text("answered_at IS NULL"),
        )

    op.drop_table("storm")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("delivery_lane")
        batch_op.drop_index(
            "delivery_due",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )

    op.drop_table("delivery")
    with op.batch_alter_table("cover", schema=None) as batch_op:
        batch_op.drop_index("cover_covering")
        batch_op.drop_index("cover_absent")

    op.drop_table("cover")
    op.drop_table("audit_seal")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("audit_read")

    op.drop_table("audit")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index(
            "alert_one_open_episode",
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )
        batch_op.drop_index("alert_of_source")
        batch_op.drop_index("alert_of_rule")
        batch_op.drop_index("alert_by_state")
        batch_op.drop_index(batch_op.f("ix_alert_filed_under"))

    op.drop_table("alert")
    op.drop_table("code_gap")
    op.drop_table("account")


def _keep_what_is_only_added_to() -> None:
    """Triggers that refuse to change or remove a row. Who may drop a trigger still can: the chain shows it.

    A later migration that rebuilds such a table on SQLite (`batch_alter_table`) must make them anew.
    """
    if op.get_bind().dialect.name == "postgresql":
        _keep_on_postgresql()
        return
    for table in ONLY_ADDED_TO:
        for what in ("update", "delete"):
            op.execute(
                f"create trigger {table}_no_{what} before {what} on {table}"
                f" begin select raise(abort, 'rows of {table} are only added'); end"
            )


def _keep_on_postgresql() -> None:
    op.execute(
        "create function ferrule_only_added_to() returns trigger language plpgsql as $$"
        " begin raise exception using errcode = 'restrict_violation',"
        " message = 'rows of ' || tg_table_name || ' are only added'; end $$"
    )
    for table in ONLY_ADDED_TO:
        op.execute(
            f"create trigger {table}_no_change before update or delete or truncate on {table}"
            " for each statement execute function ferrule_only_added_to()"
        )
