"""The servers that the tests stand on: real, empty, and on loopback alone."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import celery
import pytest
import sqlalchemy
from playwright.sync_api import Page
from sqlalchemy import Engine

from tests.services.alertmanager import Alertmanager
from tests.services.process import wait_until
from tests.services.prometheus import Prometheus
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


def test_an_alert_of_prometheus_reaches_alertmanager(
    prometheus: Callable[[Path], Prometheus], alertmanager: Callable[[Path], Alertmanager], tmp_path: Path
) -> None:
    routes = tmp_path / "routes.yml"
    routes.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    manager = alertmanager(routes)
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: vector(1)}]}]\n")
    configuration = tmp_path / "prometheus.yml"
    target = manager.url.removeprefix("http://")
    alerting = f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{target}']}}]}}]}}"
    configuration.write_text(f"rule_files: [{rules}]\n{alerting}\n")
    prometheus(configuration)

    def arrived() -> bool:
        with urllib.request.urlopen(f"{manager.url}/api/v2/alerts", timeout=5) as answer:
            return [alert["labels"]["alertname"] for alert in json.load(answer)] == ["Always"]

    wait_until(arrived, "the alert did not arrive", 30)
