"""What the stories of a made-up day end in, judged by the library: each first rule fires for somebody."""

from datetime import UTC, datetime

import pytest

from rules.load import load_ruleset
from worker.demo.day import make_day
from worker.evaluate import evaluate, gathered
from worker.intake.event import event_of

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FIRST = {
    "b12-high-iron-deficient-unexplained",
    "b12-high-iron-deficient-supplement",
    "codeficiency-suspect-autoimmune-gastritis",
    "codeficiency-known-malabsorption",
    "iron-deficiency-anemia-no-gi-evaluation",
    "hemoglobin-critical",
    "b12-deficiency-untreated",
    "ferritin-equivocal",
    "iron-deficiency-not-otherwise-covered",
}


@pytest.fixture(scope="module")
def ruleset():
    return load_ruleset()


def judged(events, ruleset):
    """The judgment of each patient in some events."""
    return list(evaluate(gathered(map(event_of, events), None), ruleset))


def told(judgments):
    return {finding.rule for judgment in judgments for finding in judgment.findings}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_day_ends_with_each_first_rule_open_for_somebody(seed, ruleset):
    events = [sending.event for sending in make_day(seed, NOON).sendings]

    assert told(judged(events, ruleset)) >= FIRST


def test_most_patients_of_a_day_are_unremarkable(ruleset):
    judgments = judged([sending.event for sending in make_day(1, NOON).sendings], ruleset)
    remarkable = [judgment for judgment in judgments if judgment.findings]

    assert len(remarkable) < len(judgments) / 2


def test_some_of_a_day_is_left_out_for_many_reasons(ruleset):
    judgments = judged([sending.event for sending in make_day(1, NOON).sendings], ruleset)
    reasons = {left.reason.value for judgment in judgments for left in judgment.not_used}

    assert {"unit-missing", "unit-unknown", "code-unknown", "not-numeric", "status", "specimen"} <= reasons


def test_the_same_findings_come_of_a_day_in_any_order(ruleset):
    events = [sending.event for sending in make_day(4, NOON).sendings]

    forward, backward = judged(events, ruleset), judged(reversed(events), ruleset)

    assert [(j.patient.id, [f.rule for f in j.findings]) for j in forward] == [
        (j.patient.id, [f.rule for f in j.findings]) for j in backward
    ]
