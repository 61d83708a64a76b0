"""S22, S25: heads of the audit chain that are signed and kept elsewhere, and what they show."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from alerts import audit
from alerts.audit import Entry, Head
from alerts.leases import writing
from alerts.people import Actor
from alerts.tables import AUDIT, AUDIT_SEAL
from tests.alerts.http_script import OK, receiver
from tests.alerts.made_up import ADA, day
from tests.services.schema import take_off_guards
from tests.worker.made_up import deps_on
from worker import audit_heads, composition
from worker.audit_heads import FILE, NotKept, keep_due
from worker.cli import main
from worker.composition import Deps
from worker.exposition import render
from worker.head_signing import NoHead, opened, read_key, sign
from worker.settings import SettingsError, read_settings

Run = Callable[..., tuple[int, str, str]]
READER = Actor(ADA.system, ADA.id, "192.0.2.1")


def private_pem() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(pem: str) -> str:
    return read_key(pem).as_pem(private=False).decode()


@pytest.fixture
def pem(tmp_path: Path) -> str:
    made = private_pem()
    (tmp_path / "audit.pem").write_text(made)
    (tmp_path / "public.pem").write_text(public_pem(made))
    (tmp_path / "elsewhere").mkdir()
    return made


@pytest.fixture
def run(
    database_url: str,
    tmp_path: Path,
    pem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    monkeypatch.setenv("FERRULE_DATABASE_URL", database_url)
    monkeypatch.setenv("FERRULE_AUDIT_KEY_FILE", str(tmp_path / "audit.pem"))

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(words)
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


def note(engine: Engine, number: int) -> None:
    with writing(engine) as connection:
        audit.record(connection, [Entry("read", READER, "alert", str(i), day(0)) for i in range(number)])


def cut(engine: Engine, after: int) -> None:
    """What somebody who owns the database may do: take the newest records away, with their links."""
    with engine.connect() as connection, connection.begin():
        take_off_guards(connection)
        kept = AUDIT_SEAL.select().where(AUDIT_SEAL.c.seq == after)
        last = connection.execute(kept).one().audit_id
        connection.execute(AUDIT_SEAL.delete().where(AUDIT_SEAL.c.seq > after))
        connection.execute(AUDIT.delete().where(AUDIT.c.id > last))


def gauge(name: str) -> float:
    families = text_string_to_metric_families(render().decode())
    return next(f.samples[0].value for f in families if f.name == f"ferrule_audit_{name}")


def keeping(deps: Deps, pem: str, **environ: str) -> Deps:
    settings = read_settings({"FERRULE_AUDIT_KEY": pem, **environ})
    return Deps(deps.engine, deps.ruleset, settings, deps.publish, clock=lambda _: day(0))


def later(deps: Deps, minutes: float) -> Deps:
    return Deps(
        deps.engine,
        deps.ruleset,
        deps.settings,
        deps.publish,
        clock=lambda _: day(0) + timedelta(minutes=minutes),
    )


def test_s22_a_cut_tail_is_found_against_a_head_that_was_exported(
    run: Run, engine: Engine, tmp_path: Path
) -> None:
    heads = tmp_path / "heads"
    for _ in range(2):
        note(engine, 3)
        heads.open("a").write(run("audit", "export-head")[1])
    holds = run("audit", "verify", "--head", str(heads), "--key", str(tmp_path / "public.pem"))
    assert (holds[0], "all 2 heads" in holds[1]) == (0, True)

    cut(engine, after=4)

    assert run("audit", "verify")[0] == 0, "by itself a shorter chain is whole"
    code, _, said = run("audit", "verify", "--head", str(heads))
    assert (code, "broken: head at 6" in said, "head at 3" in said) == (1, True, False)
    note(engine, 4)
    assert run("audit", "verify", "--head", str(heads))[0] == 1, "nor does it help to write on"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line[:-6] + ("AAAAA" if line[-6:-1] != "AAAAA" else "BBBBB"),
        lambda line: sign(Head(1, "0" * 64), day(0), read_key(private_pem())),
        lambda _line: "no head",
        lambda _line: "µ",
        lambda _line: "",
    ],
    ids=["changed", "another-key", "rubbish", "not-ascii", "empty"],
)
def test_s25_a_head_that_the_key_did_not_sign_is_refused(
    run: Run, engine: Engine, tmp_path: Path, spoil: Callable[[str], str]
) -> None:
    note(engine, 1)
    line = run("audit", "export-head")[1].strip()
    (tmp_path / "heads").write_text(spoil(line) + "\n", encoding="utf-8")

    assert run("audit", "verify", "--head", str(tmp_path / "heads"))[0] != 0


def test_s25_the_head_is_kept_every_five_minutes_and_once_by_two_pollers(
    engine: Engine, pem: str, tmp_path: Path
) -> None:
    note(engine, 2)
    deps = keeping(deps_on(engine), pem, FERRULE_AUDIT_HEADS_DIR=str(tmp_path / "elsewhere"))
    for minutes in (0, 0, 4.5, 5, 5.1, 10):
        keep_due(later(deps, minutes))

    lines = (tmp_path / "elsewhere" / FILE).read_text().splitlines()
    kept = [opened(line, read_key(public_pem(pem))) for line in lines]
    assert [one.at - day(0) for one in kept] == [timedelta(minutes=m) for m in (0, 5, 10)]
    assert {one.head.seq for one in kept} == {2}
    assert gauge("head_last_kept_timestamp_seconds") == (day(0) + timedelta(minutes=10)).timestamp()
    assert (gauge("head_wanted"), gauge("broken")) == (1, 0)
    assert timedelta(minutes=5) == audit_heads.EVERY


def test_s25_a_trail_that_lost_its_tail_raises_the_alarm_until_somebody_looks(
    engine: Engine, pem: str, tmp_path: Path
) -> None:
    note(engine, 4)
    deps = keeping(deps_on(engine), pem, FERRULE_AUDIT_HEADS_DIR=str(tmp_path / "elsewhere"))
    keep_due(deps)
    cut(engine, after=2)
    note(engine, 2)
    for minutes in (5, 10):
        keep_due(later(deps, minutes))
        assert gauge("broken") == 1
    file = tmp_path / "elsewhere" / FILE
    assert len(file.read_text().splitlines()) == 1, "no newer head covers it"

    file.rename(tmp_path / "elsewhere" / "evidence")
    keep_due(later(deps, 15))
    assert gauge("broken") == 0


def test_s25_a_line_that_a_power_cut_tore_is_passed_over(engine: Engine, pem: str, tmp_path: Path) -> None:
    note(engine, 4)
    deps = keeping(deps_on(engine), pem, FERRULE_AUDIT_HEADS_DIR=str(tmp_path / "elsewhere"))
    keep_due(deps)
    file = tmp_path / "elsewhere" / FILE
    file.write_text(file.read_text() + file.read_text()[:40] + "\n")
    cut(engine, after=2)

    keep_due(later(deps, 5))

    assert gauge("broken") == 1


def test_s25_a_head_goes_to_another_machine_by_http_and_a_failure_is_tried_again(
    engine: Engine, pem: str
) -> None:
    note(engine, 1)
    with receiver() as other:
        url = {"FERRULE_AUDIT_HEADS_URL": other.url, "FERRULE_PRIVATE_HOSTS": "127.0.0.1"}
        deps = keeping(deps_on(engine), pem, **url)
        other.says(b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(NotKept):
            keep_due(deps)
        other.says(OK)
        keep_due(deps)
        assert opened(other.heard[-1].body.decode(), read_key(pem)).head.seq == 1
        assert other.heard[-1].headers["content-type"] == "application/jose"


def test_s25_a_share_that_is_gone_is_a_failure_and_no_head_is_claimed(
    engine: Engine, pem: str, tmp_path: Path
) -> None:
    deps = keeping(deps_on(engine), pem, FERRULE_AUDIT_HEADS_DIR=str(tmp_path / "not mounted"))
    with pytest.raises(FileNotFoundError):
        keep_due(deps)
    assert not (tmp_path / "not mounted").exists()


def test_s25_without_a_key_nothing_is_kept_and_half_a_configuration_is_refused(
    engine: Engine, tmp_path: Path
) -> None:
    assert keep_due(deps_on(engine)) is False
    with pytest.raises(SettingsError, match="AUDIT_KEY"):
        read_settings({"FERRULE_AUDIT_HEADS_DIR": str(tmp_path)})
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = public_pem(private_pem())
    for wrong in ("no key", rsa.decode(), public):
        with pytest.raises(SettingsError, match="AUDIT_KEY") as refused:
            composition.check(read_settings({"FERRULE_AUDIT_KEY": wrong}))
        assert wrong not in str(refused.value)


def test_s25_a_record_that_nobody_seals_shows_its_age(engine: Engine) -> None:
    note(engine, 1)
    with engine.connect() as connection:
        assert audit.oldest_unsealed(connection) == day(0)
    with writing(engine) as connection:
        audit.seal(connection)
    with engine.connect() as connection:
        assert audit.oldest_unsealed(connection) is None


def test_a_token_of_another_kind_signed_with_the_key_is_no_head(pem: str) -> None:
    token = jws.serialize_compact(
        {"alg": "Ed25519", "typ": "JWT"}, b"{}", read_key(pem), algorithms=["Ed25519"]
    )
    with pytest.raises(NoHead):
        opened(token, read_key(pem))
