"""A real Prometheus scrapes a running Ferrule, loads its alerts and asks every question of the dashboard."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from deploy.grafana.dashboard import expressions
from tests.services.ferrule import Ferrule
from tests.services.process import wait_until
from tests.services.prometheus import Prometheus

DEPLOYED = Path(__file__).parents[2] / "deploy" / "prometheus"


def configured_for(ferrule: Ferrule, directory: Path) -> Path:
    """The configuration of deploy/, with this Ferrule as its one target and quicker scrapes."""
    shutil.copy(DEPLOYED / "alerts.yml", directory)
    configuration = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["scrape_configs"][0]["static_configs"][0]["targets"] = [
        ferrule.http.removeprefix("http://")
    ]
    del configuration["alerting"]
    path = directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))
    return path


@pytest.mark.timeout(600)
def test_prometheus_scrapes_ferrule_and_can_ask_what_the_dashboard_asks(
    ferrule: Callable[..., Ferrule], prometheus: Callable[[Path], Prometheus], tmp_path: Path
) -> None:
    # Given a running Ferrule and a Prometheus configured as in deploy/
    server = prometheus(configured_for(ferrule(), tmp_path))
    # When it has scraped
    wait_until(
        lambda: server.get("query", query='up{job="ferrule"} == 1')["result"], "Ferrule is not scraped"
    )
    # Then every panel's question has an answer, the gauges' with a value
    answers = {query: server.get("query", query=query)["result"] for query in expressions()}
    assert answers["max(ferrule_inbound_oldest_seconds)"]
    assert answers["max(ferrule_outbox_oldest_seconds)"]
    # And once its rules have seen the first scrape, no alert about the alerter is left pending or firing
    wait_until(lambda: server.get("alerts")["alerts"] == [], "an alert stays")
