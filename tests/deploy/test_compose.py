"""The compose file, as far as it can be checked without a container engine: its shape and its promises."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.settings import PREFIX, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "ferrule"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_refers_to_is_declared(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
    volumes = {volume.split(":")[0] for volume in service.get("volumes", [])}
    assert volumes <= COMPOSE["volumes"].keys()
    for other, needs in service.get("depends_on", {}).items():
        assert needs["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]


@pytest.mark.parametrize("name", OURS)
def test_our_services_have_no_privileges_and_no_secret_in_the_environment(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert not [value for value in service["environment"].values() if re.search(r"://[^/]*:[^/]*@", value)]


@pytest.mark.parametrize("name", OURS)
def test_only_settings_that_exist_are_set(name: str) -> None:
    for key in OURS[name]["environment"]:
        assert key.removeprefix(PREFIX).removesuffix("_FILE").lower() in Settings.model_fields


def test_only_the_pages_and_the_hl7_door_are_published_and_only_on_loopback() -> None:
    assert {name: s["ports"] for name, s in SERVICES.items() if "ports" in s} == {
        "web": ["127.0.0.1:8000:8000"],
        "listen": ["127.0.0.1:2575:2575"],
    }


def test_the_broker_keeps_its_file() -> None:
    command = SERVICES["broker"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"


def test_the_image_holds_what_is_copied_and_is_not_run_by_root() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    kept = (DEPLOY.parent / ".dockerignore").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.M):
        for path in line.split():
            assert (DEPLOY.parent / path).exists()
            assert f"!{path}\n" in kept
    assert re.search(r"^USER ferrule$", dockerfile, re.M)
