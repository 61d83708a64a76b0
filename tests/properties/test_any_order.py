"""The same facts in any order of arrival, some twice, end in the same timeline and the same open alerts.

Over the real store, one patient's facts after the other's: versions, records, traits and merges (F62, I4).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from alerts.tables import ALERT
from rules.courses import current_records
from rules.history import View
from tests.worker.made_up import deps_on, event, inbound, result
from tests.worker.test_merging import merge
from worker.accepting import accept
from worker.database import is_sqlite, reading
from worker.patients import patient_ids
from worker.pipeline import judge
from worker.records import load
from worker.tables import PATIENT

NOW = datetime.now(UTC).replace(microsecond=0)
SYSTEM = "urn:mrn:north"
WHO = "ABC"
FRESH = count()
# Mostly what makes the pattern, and the C-reactive protein that holds it.
VALUES = {
    "ferritin": ["9", "9", "12", "200"],
    "b12": ["1450", "1450", "1500", "400"],
    "crp": ["150", "150", "3"],
}
SUPPLEMENT = {
    "id": "MED",
    "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "code": "11248",
    "name": "Vitamin B12",
    "start": "2026-01-01",
}

Message = tuple[str, Any]
WHOSE = st.sampled_from("AAAB")
VERSIONS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda analyte: st.tuples(
        st.just("result"),
        st.tuples(
            WHOSE,
            st.just(analyte),
            st.sampled_from(VALUES[analyte]),
            st.sampled_from(["final", "final", "final", "corrected", "preliminary", "entered-in-error"]),
        ),
    )
)
RECORDS = st.tuples(
    st.just("record"), st.tuples(WHOSE, st.sampled_from(["active", "entered-in-error", "stopped"]))
)
TRAITS = st.tuples(st.just("traits"), st.tuples(WHOSE, st.sampled_from(["female", "male", "unknown"])))
MERGES = st.sampled_from(["", "", "BA", "CB", "BA CB", "CA"])


def of_a(analyte: str, value: str) -> Message:
    return "result", ("A", analyte, value, "final")


def message(number: int, what: str, told: Any, prefix: str) -> dict[str, Any]:
    """One message, said so many minutes after the first, of one of the patients of this run."""
    at = (NOW - timedelta(hours=3) + timedelta(minutes=number)).isoformat()
    who = {"system": SYSTEM, "id": f"{prefix}{told[0]}", "birth_date": "1980-02-03"}
    data: dict[str, Any] = {"patient": who}
    if what == "result":
        taken = (NOW - timedelta(hours=9)).isoformat()
        version = result(f"{prefix}{told[0]}-{told[1]}", *told[1:]) | {"effective_at": taken, "issued_at": at}
        data |= {"results": [version]}
    elif what == "record":
        data |= {"medications": [SUPPLEMENT | {"status": told[1]}]}
    else:
        data |= {"patient": who | {"sex": told[1]}}
    whole = event(f"{prefix}{number}")
    return whole | {"time": at, "data": whole["data"] | data}


def messages(told: Sequence[Message], merges: str, prefix: str) -> list[dict[str, Any]]:
    introduced = [("traits", (who, "female")) for who in WHO]
    said = [message(number, *one, prefix) for number, one in enumerate([*introduced, *told])]
    return said + [merge(f"{prefix}{pair}", *(f"{prefix}{who}" for who in pair)) for pair in merges.split()]


def outcome(engine: Engine, prefix: str) -> dict[str, Any]:
    """Whose open alerts there are, and what counts of each patient now."""
    with reading(engine) as connection:
        ids = patient_ids(connection, [(SYSTEM, f"{prefix}{who}") for who in WHO])
        stored = load(connection, sorted(set(ids.values())))
        named = select(PATIENT.c.ident, ALERT.c.rule).join(ALERT, ALERT.c.patient_id == PATIENT.c.id)
        alerts = connection.execute(named.where(ALERT.c.closed_at.is_(None), PATIENT.c.id.in_(stored))).all()
    return {
        "alerts": sorted((ident.removeprefix(prefix), rule) for ident, rule in alerts),
        "patients": sorted(_seen(one, prefix) for one in stored.values()),
    }


def _seen(stored: Any, prefix: str) -> tuple[Any, ...]:
    view = View(stored.history, datetime.now(UTC))
    values = [(a, [str(r.quantity and r.quantity.value) for r in view.results(a)]) for a in sorted(VALUES)]
    records = [r.status for r in current_records(stored.history.records, datetime.now(UTC))]
    patient = stored.history.patient
    return patient.id.removeprefix(prefix), patient.sex.value, str(values), str(sorted(map(str, records)))


def end_of(engine: Engine, said: Sequence[dict[str, Any]], prefix: str) -> dict[str, Any]:
    for one in said:
        judge(deps_on(engine), [receipt.message for receipt in accept(engine, [inbound(one)])])
    return outcome(engine, prefix)


@pytest.mark.parametrize("few", [5])
def test_f62_any_order_with_repeats_ends_the_same(engine: Engine, few: int) -> None:
    examples = 20 if is_sqlite(engine) else few

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @example([of_a("ferritin", "9"), of_a("b12", "1450"), of_a("crp", "150")], "", 2)
    @example([of_a("ferritin", "9"), of_a("crp", "150"), of_a("b12", "1450")], "BA", 5)
    @given(
        st.lists(st.one_of(VERSIONS, VERSIONS, VERSIONS, VERSIONS, RECORDS, TRAITS), min_size=4, max_size=8),
        MERGES,
        st.integers(0, 2**16),
    )
    def holds(told: list[Message], merges: str, seed: int) -> None:
        dice, one, other = Random(seed), f"p{next(FRESH)}-", f"q{next(FRESH)}-"
        in_order = messages(told, merges, one)
        shuffled = messages(told, merges, other)
        shuffled += dice.sample(shuffled, k=min(2, len(shuffled)))
        dice.shuffle(shuffled)
        assert end_of(engine, in_order, one) == end_of(engine, shuffled, other)

    holds()
