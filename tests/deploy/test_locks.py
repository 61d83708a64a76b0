"""The locked dependencies: what pyproject asks for is pinned, by hash, without a word about where from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
RUN = [*PROJECT["project"]["dependencies"], *GROUPS["build"]]


def pinned(lock: str) -> dict[NormalizedName, str]:
    text = (ROOT / lock).read_text()
    return {
        canonicalize_name(name): version
        for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.M)
    }


@pytest.mark.parametrize(
    ("lock", "asked"), [("requirements.lock", RUN), ("requirements-dev.lock", RUN + GROUPS["dev"])]
)
def test_the_lock_pins_a_release_that_pyproject_allows(lock: str, asked: list[str]) -> None:
    pins = pinned(lock)
    for line in asked:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is in pyproject.toml but not in {lock}: run make lock"
        assert requirement.specifier.contains(pins[name], prereleases=True), f"{name}: run make lock"


def test_the_tests_run_on_what_is_shipped() -> None:
    assert pinned("requirements.lock").items() <= pinned("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_a_hash_and_no_lock_names_a_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    for entry in re.split(r"\n(?=\S)", text):
        assert entry.startswith("#") or "--hash=sha256:" in entry
    assert "://" not in text
    assert "index-url" not in text
