"""The channels a site has: made from its settings, each told by the poller on its own."""

import base64

import pytest

from worker.channels import MAKERS, check_channels, push_channels
from worker.poller import DUTIES
from worker.settings import SettingsError, read_settings

SECRET = "whsec_" + base64.b64encode(b"a made-up key of 26 bytes.").decode()
HOOK = {"FERRULE_WEBHOOK_URL": "https://hooks.hospital.test/ferrule", "FERRULE_WEBHOOK_SECRET": SECRET}
MAIL = {"FERRULE_SMTP_URL": "smtp://relay.hospital.test"}


def test_a_site_that_sets_nothing_has_the_inbox_alone() -> None:
    settings = read_settings({})
    assert push_channels(settings) == ()
    assert [make(settings) for make in MAKERS.values()] == [None] * len(MAKERS)


@pytest.mark.parametrize(("name", "given"), [("webhook", HOOK), ("email", MAIL)])
def test_a_channel_is_on_by_its_settings(name: str, given: dict[str, str]) -> None:
    settings = read_settings(given)
    assert push_channels(settings) == (name,)
    channel = MAKERS[name](settings)
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


def test_a_host_of_our_own_may_be_named() -> None:
    own = {"FERRULE_WEBHOOK_URL": "http://10.1.2.3:8080/x", "FERRULE_PRIVATE_HOSTS": "engine.test, 10.1.2.3"}
    check_channels(read_settings({**HOOK, **own}))


def test_a_webhook_without_its_secret_is_refused() -> None:
    with pytest.raises(SettingsError, match="FERRULE_WEBHOOK_SECRET"):
        read_settings({"FERRULE_WEBHOOK_URL": "https://hooks.hospital.test"})
