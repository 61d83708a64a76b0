"""A real OpenID provider that others wrote (oidc-provider, in node), and a browser that signs in there."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest

from tests.services.kinds import on_path
from tests.services.npm import packages
from tests.services.process import answers, free_port, running

HERE = Path(__file__).parent / "openid"
SECRET = "a made-up client secret of the tests"


@dataclass(frozen=True)
class OpenId:
    """Where it is, and how it is started: `on` while it runs."""

    issuer: str
    on: Callable[[], AbstractContextManager[None]]

    def sign_in(
        self, where: str, name: str, password: str = "any", browser: httpx2.Client | None = None
    ) -> httpx2.URL:
        """What a person does there: from the address they were sent to, to the one they are sent back to."""
        with contextlib.nullcontext(browser) if browser else httpx2.Client() as browser:
            answer = browser.get(where)
            for _ in range(20):
                if answer.is_redirect:
                    to = urljoin(str(answer.url), answer.headers["location"])
                    if not to.startswith(self.issuer):
                        return httpx2.URL(to)
                    answer = browser.get(to)
                else:
                    answer = _filled_in(browser, answer, name, password)
        raise AssertionError("the provider sends nobody back")


def _filled_in(browser: httpx2.Client, answer: httpx2.Response, name: str, password: str) -> httpx2.Response:
    form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
    assert form is not None, answer.text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', answer.text))
    typed = {"login": name, "password": password} if 'name="login"' in answer.text else {}
    return browser.post(urljoin(str(answer.url), form[1]), data=fields | typed)


@dataclass
class People:
    """Whom the provider knows: subject → claims. A test may change it before the provider is started."""

    claims: dict[str, Mapping[str, Any]] = field(default_factory=dict)


@pytest.fixture(scope="session")
def openid_packages(pytestconfig: pytest.Config) -> Path:
    """The provider's locked packages, fetched once and kept between runs."""
    return packages(pytestconfig, HERE, "an OpenID provider")


@pytest.fixture
def openid(openid_packages: Path, tmp_path: Path) -> Callable[..., OpenId]:
    """Makes a provider that knows `people` and sends them back to `site`; it is started by its `on`."""

    def make(people: Mapping[str, Mapping[str, Any]], site: str, told: str | None = None) -> OpenId:
        port, settings = free_port(), tmp_path / "openid.json"
        settings.write_text(
            json.dumps(
                {
                    "people": people,
                    "redirect": f"{site}/oidc/callback",
                    "home": f"{site}/login",
                    "secret": SECRET,
                    "told": told,
                }
            )
        )
        command = [on_path("node") or "node", HERE / "provider.mjs", str(port), openid_packages, settings]

        @contextmanager
        def on() -> Iterator[None]:
            with running(command, tmp_path / "openid.log", ready=lambda: answers(port)):
                yield

        return OpenId(f"http://127.0.0.1:{port}", on)

    return make
