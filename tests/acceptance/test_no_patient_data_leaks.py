"""Patient data stays in the database and on the clinician's screen.

Marked names, identifiers and values go in by every door, also by those that refuse them. Afterwards the logs,
the metrics page, the broker once drained, the letters, what the commands printed and what HTTP answered are
searched.
"""

import json
import smtplib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from alerts.tables import RECIPIENT
from tests.acceptance.marks import MARKS, broker_content, found, letters_content, without_timings
from tests.services.ferrule import Ferrule
from tests.services.process import wait_until
from tests.services.schema import open_engine
from tests.services.smtp import MailSink

Event = dict[str, Any]
NPI = "http://hl7.org/fhir/sid/us-npi"
TAKEN = datetime.now(UTC) - timedelta(hours=2)
ORDERER = {"system": NPI, "id": "1234567893", "name": "Dr. A. Example"}


def event(number: str, **changes: Any) -> Event:
    """A report that raises an alert of high severity, or with `changes` to its data some other thing."""
    mrn = {"system": "urn:mrn:north", "id": f"{MARKS['id']}-{number}"}
    person = {"birth_date": MARKS["birth date"], "sex": "female", "name": f"{MARKS['name']} Åsa"}
    loinc = {"system": "http://loinc.org", "status": "final", "effective_at": TAKEN.isoformat()}
    ferritin = {"id": f"F{number}", "code": "2276-4", "value": MARKS["ferritin"], "unit": "ng/mL", **loinc}
    b12 = {"id": f"B{number}", "code": "2132-9", "value": MARKS["b12"], "unit": "pg/mL", **loinc}
    data: Event = {
        "patient": {**mrn, **person},
        "orderer": ORDERER,
        "results": [{**ferritin, "specimen_notes": [MARKS["note"]]}, b12],
    }
    return {
        "specversion": "1.0",
        "type": "org.ferrule.report.v1",
        "source": "urn:lab:north",
        "id": f"MSG{number}",
        "time": TAKEN.isoformat(),
        "datacontenttype": "application/json",
        "data": {**data, **changes},
    }


def spoiled(door: str) -> Iterator[Event]:
    """Events that cannot be understood, wholly or in part; the marks are where the fault is."""
    good = event("0")["data"]
    first, second = good["results"]

    def result(**changes: Any) -> list[Event]:
        return [{**first, **changes}, second]

    faults: dict[str, Any] = {
        "no unit": {"results": result(unit=None)},
        "foreign unit": {"results": result(unit=f"{MARKS['name']}/mL")},
        "no number": {"results": result(value=f"{MARKS['ferritin']} of {MARKS['name']}")},
        "impossible": {"results": result(value=f"-{MARKS['ferritin']}e400")},
        "no such status": {"results": result(status=MARKS["name"])},
        "no such time": {"results": result(effective_at=f"on {MARKS['birth date']} at {MARKS['id']}")},
        "no offset": {"results": result(effective_at=f"{MARKS['birth date']}T07:30:00")},
        "results are text": {"results": MARKS["name"]},
        "birth date is text": {"patient": {**good["patient"], "birth_date": f"{MARKS['birth date']}?"}},
        "patient is text": {"patient": f"{MARKS['name']} {MARKS['id']}"},
        "no patient": {"patient": None},
        "medication is a number": {"medications": [MARKS["id"]]},
        "unknown key": {MARKS["name"]: MARKS["id"]},
    }
    for name, changes in faults.items():
        yield event(f"-{door}-{name.replace(' ', '-')}", **changes)


def hl7(control_id: str, value: str) -> str:
    """The same report in HL7 v2."""
    taken = TAKEN.strftime("%Y%m%d%H%M%S+0000")
    pid = f"PID|1||{MARKS['id']}2^^^NORTH^MR||{MARKS['name']}^Asa||{MARKS['birth date in HL7']}|F"
    return "\r".join(
        [
            f"MSH|^~\\&|LAB|NORTH|FERRULE|SITE|{taken}||ORU^R01|{control_id}|P|2.5.1",
            pid,
            f"OBR|1|ORD1|FIL1|24323-8^Panel^LN|||{taken}|||||||||1234567893^Example^A",
            f"OBX|1|NM|2276-4^Ferritin^LN||{value}|ng/mL|13-150|L|||F|||{taken}",
            f"OBX|2|NM|2132-9^B12^LN||{MARKS['b12']}|pg/mL|180-914|H|||F|||{taken}",
            f"NTE|1||{MARKS['note']}",
            "",
        ]
    )


def send_over_http(ferrule: Ferrule) -> Iterator[bytes]:
    """Good, spoiled, and bodies that are refused at the door; signed in and not."""
    token = ferrule.token("intake")
    for one in (event("1"), event("1", copy_to=[MARKS["name"]]), *spoiled("http")):
        yield ferrule.request("/events", json.dumps(one).encode(), token).body
    for body in (MARKS["name"], json.dumps(MARKS), json.dumps([MARKS["id"]]), '{"id": "' + MARKS["name"]):
        yield ferrule.request("/events", body.encode(), token).body
    yield ferrule.request("/events", json.dumps(event("2")).encode()).body
    yield ferrule.request(f"/api/alerts?patient=urn:mrn:north|{MARKS['id']}", token=token).body
    yield ferrule.request(f"/inbox/{MARKS['name']}").body


def send_over_the_queue(ferrule: Ferrule) -> None:
    """Good, spoiled, and tasks that are none of ours."""
    producer = Celery(broker=ferrule.runtime["broker_url"], set_as_current=False)

    def send(task: str, *arguments: Any) -> None:
        producer.send_task(
            task, args=arguments, queue="ferrule.intake", serializer="json", ignore_result=True
        )

    for one in (event("3"), *spoiled("queue")):
        send("ferrule.submit", one)
    for malformed in (MARKS["name"], [MARKS["id"]], {"data": MARKS["name"]}, None):
        send("ferrule.submit", malformed)
    send("ferrule.submit", event("4"), MARKS["id"])
    send("somebody.elses.task", event("5"))


def send_over_the_stream(ferrule: Ferrule) -> None:
    """Good, spoiled, and entries that are no events."""
    client = redis.Redis.from_url(ferrule.runtime["broker_url"])
    for one in (event("7"), *spoiled("stream")):
        client.xadd("ferrule:events", {"event": json.dumps(one)})
    for malformed in (MARKS["name"], json.dumps(MARKS), "{"):
        client.xadd("ferrule:events", {"event": malformed})
    client.xadd("ferrule:events", {MARKS["name"]: MARKS["id"]})


def send_by_command(ferrule: Ferrule, directory: Path) -> Iterator[str]:
    """Files of events and of HL7 v2, with lines that cannot be read among them."""
    events = directory / "events.ndjson"
    lines = [json.dumps(one) for one in (event("6"), *spoiled("file"))]
    events.write_text("\n".join([*lines, f"{MARKS['name']} is no JSON", f'{{"id": "{MARKS["id"]}']))
    good, broken = directory / "good.hl7", directory / "broken.hl7"
    good.write_text(hl7("C1", MARKS["ferritin"]), newline="")
    broken.write_text(hl7("C2", MARKS["name"]).replace("PID|1||", "PID|1|"), newline="")
    headless = directory / "headless.hl7"
    headless.write_text(hl7("C3", MARKS["ferritin"]).removeprefix("MSH|"), newline="")
    files = (events, good, broken, headless)
    yield ferrule.command("evaluate", *files).stderr
    for arguments in (("submit", *files), ("quarantine", "list"), ("submit", f"{MARKS['name']}.hl7")):
        done = ferrule.command(*arguments)
        # A file that is not there is named: its name is the operator's word, not a sender's.
        yield (done.stdout + done.stderr).replace(f"{MARKS['name']}.hl7", "")


def drained(ferrule: Ferrule) -> str:
    """The broker's URL once nothing waits in it and everything stored is judged and told."""
    url: str = ferrule.runtime["broker_url"]
    client = redis.Redis.from_url(url)

    def empty() -> bool:
        waiting = (client.llen(queue) for queue in ("ferrule.intake", "ferrule.judge"))
        return not any(waiting) and not client.xlen("ferrule:events")

    wait_until(empty, "the queues are not drained", 60)
    ferrule.wait_until_quiet()
    wait_until(lambda: not client.hlen("unacked"), "something is unacknowledged", 60)
    return url


@pytest.mark.timeout(900)  # a dozen processes start here, which a busy machine does slowly
def test_marked_patients_are_found_nowhere_but_in_the_database(
    ferrule: Callable[..., Ferrule], mail_sink: MailSink, tmp_path: Path
) -> None:
    # Given a Ferrule whose clinician gets e-mail
    house = ferrule(SMTP_URL=mail_sink.url, SMTP_FROM="ferrule@example.org", LOG_LEVEL="debug")
    engine = open_engine(house.runtime["database_url"])
    doctor = {"system": NPI, "ident": ORDERER["id"], "name": ORDERER["name"], "email": "doctor@example.org"}
    with engine.begin() as connection:
        connection.execute(RECIPIENT.insert(), [doctor])
    # When marked patients come in by every door
    answers = list(send_over_http(house))
    send_over_the_queue(house)
    send_over_the_stream(house)
    printed = list(send_by_command(house, tmp_path))
    broker = drained(house)
    metrics = house.request("/metrics").body
    # Then they were judged and told
    assert house.metric("ferrule_alerts_raised_total") >= 2
    assert house.metric("ferrule_messages_quarantined_total") >= 10
    assert mail_sink.letters
    # And no place holds a mark
    places = {
        "log": house.log.read_bytes(),
        "metrics": without_timings(metrics),
        "broker": broker_content(broker),
        "mail": letters_content(mail_sink.letters, mail_sink.messages),
        "commands": "\n".join(printed).encode(),
        "answers": b"\n".join(answers),
    }
    assert all(places[name] for name in ("log", "metrics", "mail", "commands", "answers"))
    assert found(places) == {}


@pytest.mark.parametrize("mark", MARKS.values(), ids=list(MARKS))
def test_the_search_finds_a_planted_mark(mark: str, mail_sink: MailSink, broker_url: str) -> None:
    # Given a mark in a task on the queue, in an encoded letter, in a label and in a log line
    Celery(broker=broker_url, set_as_current=False).send_task("ferrule.submit", args=[{"x": mark}])
    letter = EmailMessage()
    letter["Subject"] = f"Åsa {mark}"
    letter.set_content(f"Åsa {mark}", cte="base64")
    with smtplib.SMTP("127.0.0.1", mail_sink.port) as relay:
        relay.send_message(letter, "a@example.org", ["b@example.org"])
    places = {
        "broker": broker_content(broker_url),
        "mail": letters_content([], mail_sink.messages),
        "letters as sent": letters_content(mail_sink.letters, []),
        "metrics": without_timings(f'ferrule_x_total{{source="{mark}"}} 1.0\n'.encode()),
        "log": f'{{"event": "judging failed", "error": "{mark.upper()}"}}'.encode(),
    }
    # When they are searched, then it is found in each
    assert found(places).keys() == places.keys()
