"""Rule files made up for tests, written into a folder of their own."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

GIVEN = "2026-03-01  ferritin 9 ng/mL\n2026-03-01  b12 1450 pg/mL\n"

RULE = """\
topic: A made-up question
owner: tests
review_by: 2030-01-01
rules:
  - id: made-up-rule
    version: 1
    status: active
    rationale: Made up, so that the loader has something to read.
    severity: high
    headline: A made-up headline
    when:
      all:
        - {leaf}
{more}    text: "Ferritin {{ferritin}}."
    actions:
      - Do nothing
    sources: [seed]
    cases:
      - name: fires
        given: |
          2026-03-01  ferritin 9 ng/mL
          2026-03-01  b12 1450 pg/mL
        expect: fires
      - name: silent
        given: |
          2026-03-01  ferritin 90 ng/mL
          2026-03-01  b12 450 pg/mL
        expect: silent
"""


def write_rule(
    folder: Path, leaf: str = "ferritin < 30 ug/L", more: str = "", name: str = "made-up.yaml"
) -> Path:
    """One rule file with `leaf` as its condition and `more` lines beside it; gives its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(RULE.format(leaf=leaf, more=indent(more, "    ")))
    return folder
