"""`ferrule up` takes HL7 over MLLP: from a sender's socket to an alert, and a feed that falls silent."""

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.test_prometheus_sees_ferrule import configured_for
from tests.mllp.door import Sender, said
from tests.services.ferrule import Ferrule
from tests.services.process import wait_until
from tests.services.prometheus import Prometheus
from tests.worker.intake.examples import obx, report
from tests.worker.made_up import RULE


def connected(ferrule: Ferrule) -> Sender:
    host, _, port = ferrule.runtime["mllp"].rpartition(":")
    return Sender(socket.create_connection((host, int(port)), 10))


def pattern(control_id: str) -> bytes:
    """A report of yesterday that raises an alert."""
    b12 = obx("1450", f3="2132-9^Vitamin B12^LN", f6="pg/mL", f7="180-914")
    day = f"{datetime.now(UTC) - timedelta(days=1):%Y%m%d}"
    return report(obx("9"), b12).replace(b"20260301", day.encode()).replace(b"MSG00001", control_id.encode())


@pytest.mark.timeout(600)
def test_an_hl7_message_is_answered_judged_and_told(ferrule: Callable[..., Ferrule]) -> None:
    # Given a running Ferrule
    house = ferrule()
    sender = connected(house)
    # When a laboratory sends a report, and sends it again
    one, two = sender.asked(pattern("A"))[0], sender.asked(pattern("A"))[0]
    # Then both answers say that it is stored, and they are the same
    assert said(one) == ("AA", "A")
    assert one == two
    # And the pattern is an alert, once
    house.wait_until_quiet(120)
    listed = house.command("alerts", "list", "--json")
    alerts = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [alert["rule"] for alert in alerts].count(RULE) == 1
    # And the listener's counts stand on the one metrics page, and the doctor knows it
    assert house.metric("ferrule_mllp_answers_total") == 2
    assert house.metric("ferrule_messages_duplicate_total") == 1
    assert f"HL7 listener: {house.runtime['mllp']} answers" in house.command("doctor").stdout


SOURCES = """
sources:
  - name: north
    recognized_by: {hl7: [{facility: NORTH}]}
    zone: Europe/Oslo
    silent_after_minutes: 1
"""


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_f60_a_feed_that_falls_silent_is_noticed_at_its_limit_and_clears(
    ferrule: Callable[..., Ferrule], prometheus: Callable[[Path], Prometheus], tmp_path: Path
) -> None:
    sources = tmp_path / "sources.yaml"
    sources.write_text(SOURCES)
    house = ferrule(SOURCES_FILE=str(sources))
    server = prometheus(configured_for(house, tmp_path))

    def silent() -> bool:
        alerts = server.get("alerts")["alerts"]
        assert isinstance(alerts, list)
        names = {(alert["labels"]["alertname"], alert["labels"].get("source")) for alert in alerts}
        return ("FerruleSourceSilent", "north") in names

    sender = connected(house)
    assert said(sender.asked(pattern("A"))[0]) == ("AA", "A")
    wait_until(silent, "the silence is not noticed", 60 + 30)
    assert said(sender.asked(pattern("B"))[0]) == ("AA", "B")
    wait_until(lambda: not silent(), "the alarm does not clear", 30)
