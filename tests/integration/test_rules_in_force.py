"""F81: a rule file that is changed or broken beside a running worker; what it started with stays in force."""

import shutil
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select

from alerts.tables import ALERT
from tests.integration.machine import machine, producer, submit
from tests.services.process import wait_until
from tests.services.valkey import Valkey
from tests.worker.made_up import RULE, event, result
from worker.database import make_engine, reading
from worker.schema import upgrade

LIBRARY = Path(__file__).parents[2] / "rules" / "library" / "questions"
PATTERN = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]
FILE = "b12-high-with-iron-deficiency.yaml"
SLOW_START_SECONDS = 90.0

BREAK = {
    "invalid": "topic: [\n",
    "empty": "",
    "half written": (LIBRARY / FILE).read_text()[:2000],
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LIBRARY, tmp_path / "rules"))


@pytest.mark.redis
def test_f81_a_broken_rule_file_beside_a_running_worker_changes_nothing_even_for_a_new_child(
    tmp_path: Path, rules: Path, valkey: Valkey
) -> None:
    valkey.client().flushall()
    engine = make_engine(f"sqlite:///{tmp_path}/ferrule.sqlite3")
    upgrade(engine)

    def raised() -> int:
        with reading(engine) as connection:
            return connection.scalar(select(func.count()).where(ALERT.c.rule == RULE)) or 0

    settings = {"rules_dir": str(rules), "pool": "prefork", "concurrency": "1"}
    with machine(tmp_path, str(engine.url), valkey.url, **settings) as made:
        worker = psutil.Process(made.worker().pid)
        send = producer(valkey.url)
        submit(send, event("E1", PATTERN, patient="first"))
        wait_until(lambda: raised() == 1, "no alert", SLOW_START_SECONDS)
        for number, text in enumerate(BREAK.values(), start=2):
            (rules / FILE).write_text(text)
            for child in worker.children():
                child.kill()
            submit(send, event(f"E{number}", PATTERN, patient=f"patient-{number}"))
            wait_until(lambda n=number: raised() == n, f"no alert {number}", SLOW_START_SECONDS)


@pytest.mark.redis
@pytest.mark.parametrize("how", BREAK)
def test_f81_a_worker_does_not_start_on_a_broken_rule_file_and_names_it(
    tmp_path: Path, rules: Path, valkey: Valkey, how: str
) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/ferrule.sqlite3")
    upgrade(engine)
    (rules / FILE).write_text(BREAK[how])
    with machine(tmp_path, str(engine.url), valkey.url, rules_dir=str(rules)) as made:
        assert made.worker(FERRULE_POOL="prefork").wait(60) == 2
        assert f"ferrule: {FILE}:" in made.logs
        assert "Traceback" not in made.logs
