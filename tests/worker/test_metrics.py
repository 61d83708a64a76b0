"""The metrics page: every family before any traffic, sums over processes, no label that could be a person."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from alerts.destinations import note_failing, note_taking
from tests.worker.made_up import deps_on, event, inbound, result
from worker import metrics
from worker.accepting import accept
from worker.database import db_now, make_engine, writing
from worker.exposition import render
from worker.pipeline import judge

PROMISED = (
    "messages_received_total",
    "messages_quarantined_total",
    "results_total",
    "evaluations_total",
    "findings_total",
    "alerts_raised_total",
    "alerts_withdrawn_total",
    "alerts_answered_total",
    "alerts_open",
    "alert_unanswered_oldest_seconds",
    "deliveries_total",
    "received_to_told_seconds",
    "evaluate_seconds",
    "outbox_pending",
    "outbox_oldest_seconds",
    "inbound_unfinished",
    "inbound_oldest_seconds",
    "source_last_message_timestamp_seconds",
    "canary_last_success_timestamp_seconds",
    "follow_ups_overdue",
    "unaddressed_alerts",
    "ruleset_info",
    "build_info",
)


def families(page: bytes) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    return {
        sample.name: {
            tuple(sorted(other.labels.items())): other.value
            for other in family.samples
            if other.name == sample.name
        }
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_family_has_help_and_type_before_any_traffic(sqlite_url: str, name: str) -> None:
    page = render(make_engine(sqlite_url)).decode()
    assert f"# HELP ferrule_{name} " in page
    assert f"# TYPE ferrule_{name} " in page


def test_the_page_still_comes_when_the_database_does_not_answer() -> None:
    page = render(make_engine("postgresql://nobody@127.0.0.1:1/nowhere"))
    assert families(page)["ferrule_database_up"] == {(): 0.0}


def test_what_waits_is_counted_from_the_database(engine: Engine) -> None:
    accept(engine, [inbound(event("M1"))])
    page = families(render(engine))
    assert page["ferrule_inbound_unfinished"] == {(): 1.0}
    judge(deps_on(engine), [1])
    assert families(render(engine))["ferrule_inbound_unfinished"] == {(): 0.0}


def test_an_alert_moves_the_gauges(engine: Engine) -> None:
    accept(engine, [inbound(event("M1", [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]))])
    judge(deps_on(engine), [1])
    page = families(render(engine))
    open_alerts = page["ferrule_alerts_open"]
    assert {dict(labels)["rule"] for labels in open_alerts} >= {"b12-high-iron-deficient-unexplained"}
    assert page["ferrule_outbox_pending"][()] > 0
    assert [dict(labels)["fingerprint"] for labels in page["ferrule_ruleset_info"]] == [
        deps_on(engine).ruleset.fingerprint
    ]


def test_a_source_that_is_not_configured_is_counted_as_other() -> None:
    metrics.name_sources(lambda source: "north" if source == "urn:lab:north" else "other")
    assert metrics.source_name("urn:lab:north") == "north"
    assert metrics.source_name("Jane Doe 1980") == "other"
    metrics.name_sources(lambda _source: "other")


COUNT = """
from worker import metrics
for _ in range({times}):
    metrics.DOORBELL.labels("rung").inc()
"""


def test_counts_of_several_processes_are_summed_also_of_dead_ones(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for times in (3, 4):
        subprocess.run([sys.executable, "-c", COUNT.format(times=times)], env=environment, check=True)
    shown = "from worker.exposition import render; print(render().decode())"
    done = subprocess.run(
        [sys.executable, "-c", shown], env=environment, check=True, capture_output=True, text=True
    )
    assert 'ferrule_doorbell_total{outcome="rung"} 7.0' in done.stdout
    assert "# TYPE ferrule_messages_received_total counter" in done.stdout


def test_a_destination_that_fails_is_a_gauge_by_its_channel_until_it_takes_again(engine: Engine) -> None:
    name = "ferrule_destination_failing_seconds"
    assert families(render(engine)).get(name, {}) == {}
    with writing(engine) as connection:
        note_failing(connection, "webhook", "tls", db_now(connection) - timedelta(minutes=7), None)
    ((labels, seconds),) = families(render(engine))[name].items()
    assert (dict(labels), seconds >= 420) == ({"channel": "webhook"}, True)
    with writing(engine) as connection:
        note_taking(connection, "webhook")
    assert families(render(engine))[name] == {(("channel", "webhook"),): 0.0}
