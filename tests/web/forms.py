"""Filling in the forms of a page, as a browser without a script does."""

import re
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response


def hidden(html: str, name: str) -> str:
    """The value of the first hidden field of that name."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found is not None, f"no field {name}"
    return found[1]


def answer(browser: TestClient, alert: int, step: str, **fields: Any) -> Response:
    """Open the alert, fill in one of its forms and send it."""
    page = browser.get(f"/inbox/{alert}").text
    sent = {"csrf": hidden(page, "csrf"), "etag": hidden(page, "etag"), **fields}
    return browser.post(f"/inbox/{alert}/{step}", data=sent)
