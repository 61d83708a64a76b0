"""The words of a message that leaves the house: headlines and links, never a name, a number or a value."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape

from alerts.channels.channel import Line
from alerts.states import Step

HEADLINE_MAX_CHARACTERS = 200
BEFORE_HEADLINE = {
    Step.WITHDRAW: "Withdrawn: ",
    Step.AMEND: "Corrected: ",
    Step.REMIND: "Reminder: ",
    Step.ESCALATE: "Nobody has answered: ",
    Step.LAPSE: "Still open: ",
    Step.OVERDUE: "Expected and not come: ",
}


def subject(lines: Sequence[Line]) -> str:
    """The worst headline, and how many more there are."""
    more = len(lines) - 1
    return one_line(lines[0]) + (f" (and {more} more)" if more else "")


def body(lines: Sequence[Line], page_url: str) -> str:
    """Each headline with the link to its page."""
    return "\n\n".join(f"{one_line(line)}\n{link(page_url, line.alert_id)}" for line in lines) + "\n"


def html_body(lines: Sequence[Line], page_url: str) -> str:
    """The same as `body`, as a list of links. No picture, no style sheet, nothing fetched by being read."""
    items = "\n".join(
        f'<li><strong>{escape(line.severity)}</strong>: <a href="{escape(link(page_url, line.alert_id))}">'
        f"{escape(one_line(line))}</a></li>"
        for line in lines
    )
    return f'<!doctype html>\n<html lang="en"><body>\n<ul>\n{items}\n</ul>\n</body></html>\n'


def link(page_url: str, alert_id: int) -> str:
    """The page of an alert; reading it needs a sign-in."""
    return f"{page_url.rstrip('/')}/inbox/{alert_id}"


def one_line(line: Line) -> str:
    """A headline without line ends or control characters, of a length that a subject can have."""
    text = "".join(" " if unicodedata.category(c).startswith("C") else c for c in line.headline)
    text = BEFORE_HEADLINE.get(line.step, "") + " ".join(text.split())
    return text if len(text) <= HEADLINE_MAX_CHARACTERS else text[: HEADLINE_MAX_CHARACTERS - 1] + "…"
