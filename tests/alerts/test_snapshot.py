"""Evidence as JSON: what was known when an alert was raised comes back as it was, to the letter."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from alerts.snapshot import evidence_document, evidence_of, tree_document
from rules.findings import AbsentEvidence, Evidence, RecordEvidence, ResultEvidence, TreeNode
from rules.truth import Truth
from tests.alerts.made_up import ferritin, no_supplement

WORDS = st.text(max_size=20)
TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001
EVIDENCE = st.one_of(
    st.builds(
        ResultEvidence,
        WORDS,
        WORDS,
        WORDS,
        st.sampled_from(["<", "<=", "=", ">=", ">"]),
        WORDS,
        TIMES,
        WORDS,
        WORDS,
    ),
    st.builds(RecordEvidence, WORDS, WORDS, WORDS, WORDS, st.none() | TIMES),
    st.builds(AbsentEvidence, WORDS, st.none() | TIMES),
)


@given(EVIDENCE)
def test_evidence_comes_back_from_json_as_it_was(evidence: Evidence) -> None:
    assert evidence_of(json.loads(json.dumps(evidence_document(evidence)))) == evidence


def test_a_value_is_kept_as_it_was_printed() -> None:
    assert evidence_document(ferritin("9.00"))["value"] == "9.00"


def test_evidence_reads_as_the_interface_promises() -> None:
    result = evidence_document(ferritin())
    assert {"analyte", "value", "comparator", "unit", "effective_at", "result_id"} <= result.keys()
    assert result["effective_at"] == "2026-03-01T09:00:00Z"
    assert evidence_document(no_supplement()) == {"absent": "b12_supplement", "since": "2025-12-01T09:00:00Z"}


def test_a_tree_keeps_its_parts_truths_and_evidence() -> None:
    leaf = TreeNode("ferritin < 30 ug/L", Truth.TRUE, "9 ug/L", (ferritin(),))
    document = tree_document(TreeNode("all", Truth.UNKNOWN, parts=(leaf,)))
    assert document["truth"] == "unknown"
    assert document["parts"][0]["evidence"][0]["value"] == "9"
