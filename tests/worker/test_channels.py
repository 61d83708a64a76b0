"""The channels a site has: made from its settings, each told by the poller on its own."""

import base64
import sys

import pytest
from sqlalchemy import Engine

from alerts.destinations import BEFORE_IT_IS_SAID, note_failing, note_taking
from tests.alerts.fhir_server import fhir_server
from tests.services.smtp import MailSink
from tests.worker.made_up import RULE, deps_on
from tests.worker.test_hl7_judged import B12, ferritin, message, send
from worker.channels import MAKERS, check_channels, push_channels
from worker.database import db_now, writing
from worker.destinations import destinations_due
from worker.poller import DUTIES, turn
from worker.record_entries import nothing
from worker.settings import SettingsError, read_settings

SECRET = "whsec_" + base64.b64encode(b"a made-up key of 26 bytes.").decode()
HOOK = {"FERRULE_WEBHOOK_URL": "https://hooks.hospital.test/ferrule", "FERRULE_WEBHOOK_SECRET": SECRET}
FHIR = {"FERRULE_FHIR_URL": "https://fhir.hospital.test/r4", "FERRULE_PUBLIC_URL": "https://ferrule.test"}
HL7 = {
    "FERRULE_HL7_RECORD_URL": "mllps://engine.hospital.test",
    "FERRULE_PUBLIC_URL": "https://ferrule.test",
}
NOTIFY = {
    "chat": {"FERRULE_CHAT_URL": "slack://T1/B1/C1/#alerts"},
    "sms": {"FERRULE_SMS_URL": "twilio://AC1:token@15550100100/{phone}"},
    "pager": {"FERRULE_PAGER_URL": "pagerduty://key@key"},
}
MAIL = {"FERRULE_SMTP_URL": "smtp://relay.hospital.test"}


def test_a_site_that_sets_nothing_has_the_inbox_alone() -> None:
    settings = read_settings({})
    assert push_channels(settings) == ()
    assert [make(settings, nothing) for make in MAKERS.values()] == [None] * len(MAKERS)


@pytest.mark.parametrize(
    ("name", "given"), [("webhook", HOOK), ("email", MAIL), ("fhir", FHIR), ("hl7", HL7), *NOTIFY.items()]
)
def test_a_channel_is_on_by_its_settings(name: str, given: dict[str, str]) -> None:
    settings = read_settings(given)
    assert push_channels(settings) == (name,)
    channel = MAKERS[name](settings, nothing)
    assert channel is not None
    assert (channel.name, channel.instant) == (name, False)


def test_each_channel_has_a_thread_of_its_own() -> None:
    assert set(MAKERS) < set(DUTIES)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"FERRULE_WEBHOOK_URL": "http://hooks.hospital.test/hidden"}, "FERRULE_WEBHOOK_URL"),
        ({"FERRULE_WEBHOOK_URL": "https://10.1.2.3/hidden"}, "FERRULE_WEBHOOK_URL"),
        ({"FERRULE_WEBHOOK_SECRET": "hidden"}, "FERRULE_WEBHOOK_SECRET"),
    ],
)
def test_b103_what_cannot_be_used_stops_the_start_without_being_shown(
    changed: dict[str, str], names: str
) -> None:
    settings = read_settings({**HOOK, **changed})
    with pytest.raises(SettingsError, match=names) as error:
        check_channels(settings)
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize("url", ["http://fhir.hospital.test/hidden", "https://fhir.test/r4?hidden", "hidden"])
def test_b103_a_fhir_server_that_cannot_be_used_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match="FERRULE_FHIR_URL") as error:
        check_channels(read_settings({**FHIR, "FERRULE_FHIR_URL": url}))
    assert "hidden" not in str(error.value)


def test_a_fhir_server_needs_the_address_its_identifiers_begin_with() -> None:
    with pytest.raises(SettingsError, match="FERRULE_PUBLIC_URL"):
        read_settings({"FERRULE_FHIR_URL": "https://fhir.hospital.test/r4"})


def test_f66_from_a_result_to_a_fhir_server_and_back_when_it_is_corrected(engine: Engine) -> None:
    with fhir_server() as server:
        deps = deps_on(
            engine, fhir_url=server.url, public_url="https://ferrule.test", private_hosts="127.0.0.1"
        )
        send(deps, message("A", ferritin("9", "F"), B12))
        turn(deps)
        before = {issue["code"]["coding"][0]["code"]: issue for issue in server.of("DetectedIssue")}
        assert before[RULE]["status"] == "final"
        assert before[RULE]["patient"]["identifier"]["value"].encode() in message("A")
        send(deps, message("B", ferritin("9", "W")))
        turn(deps)
        after = {issue["code"]["coding"][0]["code"]: issue for issue in server.of("DetectedIssue")}
        assert {rule: issue["id"] for rule, issue in before.items()} == {
            rule: issue["id"] for rule, issue in after.items() if rule in before
        }
        assert after[RULE]["status"] == "entered-in-error"


@pytest.mark.parametrize("url", ["mllp://engine.test/hidden", "https://engine.test/hidden", "hidden"])
def test_b103_an_hl7_receiver_that_cannot_be_used_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match="FERRULE_HL7_RECORD_URL") as error:
        check_channels(read_settings({**HL7, "FERRULE_HL7_RECORD_URL": url}))
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "url"), [("CHAT", "hidden"), ("SMS", "twilio://hidden:token@15550100100"), ("PAGER", "hidden")]
)
def test_b103_an_apprise_url_that_cannot_be_one_stops_the_start(name: str, url: str) -> None:
    with pytest.raises(SettingsError, match=f"FERRULE_{name}_URL") as error:
        check_channels(read_settings({f"FERRULE_{name}_URL": url}))
    assert "hidden" not in str(error.value)


def test_only_the_process_of_an_attempt_loads_the_notification_library() -> None:
    check_channels(read_settings({key: url for given in NOTIFY.values() for key, url in given.items()}))
    assert "apprise" not in sys.modules


def test_a_host_of_our_own_may_be_named() -> None:
    own = {"FERRULE_WEBHOOK_URL": "http://10.1.2.3:8080/x", "FERRULE_PRIVATE_HOSTS": "engine.test, 10.1.2.3"}
    check_channels(read_settings({**HOOK, **own}))


def test_a_webhook_without_its_secret_is_refused() -> None:
    with pytest.raises(SettingsError, match="FERRULE_WEBHOOK_SECRET"):
        read_settings({"FERRULE_WEBHOOK_URL": "https://hooks.hospital.test"})


def test_operations_gets_one_mail_when_a_webhook_fails_and_one_when_it_takes_again(
    engine: Engine, mail_sink: MailSink
) -> None:
    deps = deps_on(
        engine, smtp_url=mail_sink.url, smtp_from="ferrule@hospital.test", operator_email="ops@hospital.test"
    )
    with writing(engine) as connection:
        note_failing(connection, "webhook", "tls", db_now(connection) - BEFORE_IT_IS_SAID, None)
    assert [destinations_due(deps) for _ in range(3)] == [1, 0, 0]
    with writing(engine) as connection:
        note_taking(connection, "webhook")
    assert [destinations_due(deps) for _ in range(3)] == [1, 0, 0]
    assert [(m["To"], m["Subject"]) for m in mail_sink.messages] == [
        ("ops@hospital.test", "Ferrule: webhook does not take what is sent (tls)"),
        ("ops@hospital.test", "Ferrule: webhook takes again what is sent"),
    ]


def test_that_mail_fails_is_not_said_by_mail(engine: Engine, mail_sink: MailSink) -> None:
    deps = deps_on(
        engine, smtp_url=mail_sink.url, smtp_from="ferrule@hospital.test", operator_email="ops@hospital.test"
    )
    with writing(engine) as connection:
        note_failing(connection, "email", "tls", db_now(connection) - BEFORE_IT_IS_SAID, None)
    assert destinations_due(deps) == 1
    assert mail_sink.letters == []
