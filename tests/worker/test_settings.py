"""Settings: what is unknown, contradictory or unreadable stops the start, names itself and shows no value."""

from pathlib import Path

import pytest

from worker.settings import SettingsError, read_settings

SECRET = "s3cret-value"


def refused(**given: str) -> str:
    with pytest.raises(SettingsError) as error:
        read_settings({f"FERRULE_{name}": value for name, value in given.items()})
    message = str(error.value)
    assert "\n" not in message
    assert SECRET not in message
    return message


def test_nothing_set_gives_the_embedded_defaults() -> None:
    settings = read_settings({})
    assert settings.http_listen == "127.0.0.1:8000"
    assert settings.database.startswith("sqlite:////")
    assert settings.broker is None


def test_b102_an_unknown_key_is_refused_by_name() -> None:
    assert "FERRULE_DATABSE_URL" in refused(DATABSE_URL=SECRET)


def test_an_unknown_file_key_is_refused_by_name() -> None:
    assert "FERRULE_DATABSE_URL_FILE" in refused(DATABSE_URL_FILE="/nowhere")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONCURRENCY", SECRET),
        ("CONCURRENCY", "0"),
        ("HTTP_LISTEN", "8000"),
        ("HTTP_LISTEN", "host:99999"),
        ("DEFAULT_ZONE", "Mars/Olympus"),
        ("POOL", SECRET),
        ("LOCAL_ACCOUNTS", SECRET),
    ],
)
def test_b102_a_value_of_the_wrong_kind_is_refused_by_name(name: str, value: str) -> None:
    assert f"FERRULE_{name}" in refused(**{name: value})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"FAULTPOINTS": "poison"}, "FERRULE_ALLOW_FAULTS"),
        ({"SMTP_FROM": "a@example.org"}, "FERRULE_SMTP_URL"),
        ({"HTTP_LISTEN": "127.0.0.1:80", "METRICS_LISTEN": "127.0.0.1:80"}, "FERRULE_METRICS_LISTEN"),
    ],
)
def test_b102_a_setting_that_another_needs_or_contradicts_is_named(given: dict[str, str], named: str) -> None:
    assert named in refused(**given)


def test_a_secret_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("redis://:pw@host/0\n")
    assert read_settings({"FERRULE_BROKER_URL_FILE": str(tmp_path / "secret")}).broker == "redis://:pw@host/0"


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    assert "both set" in refused(BROKER_URL=SECRET, BROKER_URL_FILE=str(tmp_path / "secret"))


def test_a_secret_file_that_cannot_be_read_is_named_by_its_key(tmp_path: Path) -> None:
    assert "FERRULE_BROKER_URL_FILE" in refused(BROKER_URL_FILE=str(tmp_path / "absent"))


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "ferrule.env").write_text('# a site\nFERRULE_POOL="threads"\nFERRULE_CONCURRENCY=7\n')
    settings = read_settings({"FERRULE_CONFIG": str(tmp_path / "ferrule.env"), "FERRULE_CONCURRENCY": "3"})
    assert (settings.pool, settings.concurrency) == ("threads", 3)


def test_a_line_of_the_file_that_is_no_setting_is_named_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "ferrule.env").write_text(f"FERRULE_POOL=solo\nPASSWORD={SECRET}\n")
    assert "ferrule.env:2" in refused(CONFIG=str(tmp_path / "ferrule.env"))


def test_no_way_of_printing_settings_shows_a_password() -> None:
    url = f"postgresql://u:{SECRET}@host/db"
    settings = read_settings(
        {"FERRULE_DATABASE_URL": url, "FERRULE_BROKER_URL": url, "FERRULE_SMTP_URL": url}
    )
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()
