"""The servers that the tests stand on: real, empty, and on loopback alone."""

import celery
import pytest
import sqlalchemy
from playwright.sync_api import Page
from sqlalchemy import Engine

from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey


def test_each_test_gets_an_empty_database_on_both_engines(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE left_over (n integer)"))
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT count(*) FROM left_over")) == 0


def test_the_broker_is_empty_and_keeps_an_append_only_file(valkey: Valkey, broker_url: str) -> None:
    client = valkey.client()
    assert client.dbsize() == 0
    client.lpush("queue", "id")
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert list(valkey.directory.glob("appendonlydir/*.aof"))


def test_celery_publishes_and_reads_on_rabbitmq(rabbitmq: RabbitMQ) -> None:
    app = celery.Celery(broker=rabbitmq.url)
    app.send_task("any.name", args=[1], queue="probe", ignore_result=True)
    with app.connection_for_read() as connection, connection.SimpleQueue("probe") as queue:
        assert queue.get(timeout=5).headers["task"] == "any.name"


@pytest.mark.browser
def test_the_browser_shows_a_page(page: Page) -> None:
    page.set_content("<h1>Ferrule</h1>")
    assert page.get_by_role("heading").inner_text() == "Ferrule"
