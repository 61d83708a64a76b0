"""Making room for a demo: only a demo's own record is ever removed."""

import pytest
from sqlalchemy import select

from alerts.tables import RECIPIENT
from worker.accepting import Inbound, accept
from worker.database import make_engine, reading
from worker.demo.stage import clear_old_demo, set_stage
from worker.failures import Failure
from worker.schema import upgrade
from worker.settings import read_settings
from worker.tables import ACCOUNT


@pytest.fixture
def settings(tmp_path):
    return read_settings({"FERRULE_DATA_DIR": str(tmp_path / "data")})


def fresh(settings):
    engine = make_engine(settings.database)
    upgrade(engine)
    return engine


def test_an_earlier_demos_record_is_removed_and_a_strangers_file_beside_it_stays(settings):
    directory = clear_old_demo(settings)
    set_stage(fresh(settings), directory)
    letter = settings.data_dir / "letter.txt"
    letter.write_text("not the demo's")

    clear_old_demo(settings)

    assert not (settings.data_dir / "ferrule.sqlite3").exists()
    assert letter.exists()


def test_a_record_that_holds_messages_is_refused_and_left_alone_the_next_time_too(settings):
    engine = fresh(settings)
    accept(engine, [Inbound("urn:lab:north", "1", "event", b"{}")])

    for _ in range(2):
        with pytest.raises(Failure, match="FERRULE_DATA_DIR"):
            set_stage(engine, clear_old_demo(settings))
    assert (settings.data_dir / "ferrule.sqlite3").exists()


def test_the_stage_can_be_set_again_after_a_demo_that_sent_nothing(settings):
    engine, directory = fresh(settings), clear_old_demo(settings)

    first, second = set_stage(engine, directory), set_stage(engine, directory)

    with reading(engine) as connection:
        accounts = connection.execute(select(ACCOUNT.c.username)).scalars().all()
        clinicians = connection.execute(select(RECIPIENT.c.ident)).scalars().all()
    assert accounts == [first.username]
    assert len(clinicians) == len(set(clinicians))
    assert first.password != second.password
