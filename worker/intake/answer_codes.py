"""Coded answers of presence tests (SNOMED CT, LOINC answers) as the words a reading knows."""

from __future__ import annotations

from worker.intake.code_systems import LOINC, SNOMED

_WORDS = {
    SNOMED: {
        "10828004": "positive", "260373001": "positive", "11214006": "positive",
        "260385009": "negative", "260415000": "negative", "131194007": "negative",
        "42425007": "equivocal", "419984006": "equivocal",
    },
    LOINC: {
        "LA6576-8": "positive", "LA11882-0": "positive", "LA15255-5": "positive",
        "LA6577-6": "negative", "LA11883-8": "negative", "LA15256-3": "negative",
        "LA11885-3": "equivocal", "LA9663-1": "equivocal",
    },
}  # fmt: skip


def answer_word(system: str, code: str) -> str | None:
    """ "positive", "negative" or "equivocal" for an answer's code; None for any other."""
    return _WORDS.get(system, {}).get(code)
