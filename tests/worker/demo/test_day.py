"""The made-up day: same seed same day, everything on it in the past, nothing near a boundary of time."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from worker.demo.day import PATIENTS, make_day
from worker.demo.people import CLINICIANS
from worker.demo.reports import Wave

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def patients_of(day):
    return {sending.event["data"]["patient"]["id"] for sending in day.sendings}


def key_of(event):
    return event["source"], event["id"]


def without_dates(event):
    """What of an event must not depend on the day it is played on."""
    results = [(r["id"], r["code"], r["value"], r.get("unit")) for r in event["data"].get("results", [])]
    return event["source"], event["id"], event["data"]["patient"]["name"], results


def test_the_same_seed_and_end_give_the_same_day():
    assert make_day(7, NOON) == make_day(7, NOON)


def test_another_seed_gives_other_patients_and_values():
    assert list(make_day(1, NOON).as_lines()) != list(make_day(2, NOON).as_lines())


def test_a_seed_means_the_same_people_and_values_whenever_it_is_played():
    year_later = make_day(3, NOON + timedelta(days=365))

    assert [without_dates(s.event) for s in make_day(3, NOON).sendings] == [
        without_dates(s.event) for s in year_later.sendings
    ]


def test_every_patient_of_the_day_sends_something():
    assert len(patients_of(make_day(1, NOON))) == PATIENTS


@pytest.mark.parametrize("seed", range(5))
def test_nothing_on_the_day_is_dated_after_its_end(seed):
    for sending in make_day(seed, NOON).sendings:
        stamps = [sending.event["time"]]
        for result in sending.event["data"].get("results", []):
            stamps += [result["effective_at"], result["issued_at"]]
        assert max(map(datetime.fromisoformat, stamps)) < NOON


@pytest.mark.parametrize("seed", range(5))
def test_a_second_version_of_a_result_is_sent_in_a_later_wave(seed):
    first_wave = {}
    for sending in make_day(seed, NOON).sendings:
        for result in sending.event["data"].get("results", []):
            said = (result["status"], result["value"])
            wave, before = first_wave.setdefault(
                (sending.event["source"], result["id"]), (sending.wave, said)
            )
            assert said == before or sending.wave > wave


def test_the_day_holds_repeats_to_the_byte_and_one_id_used_twice():
    day = make_day(1, NOON)
    versions = {}
    for line in day.as_lines():
        versions.setdefault(key_of(json.loads(line)), []).append(line)

    repeated = [lines for lines in versions.values() if len(lines) > 1 and len(set(lines)) == 1]
    reused = [lines for lines in versions.values() if len(set(lines)) > 1]
    assert 5 <= len(repeated) <= 9
    assert len(reused) == 1


def test_the_day_is_written_in_several_units_for_one_test():
    units = Counter(
        result.get("unit")
        for sending in make_day(1, NOON).sendings
        for result in sending.event["data"].get("results", [])
        if result["id"].endswith("-hemoglobin")
    )

    assert {"g/dL", "g/L", "mmol/L", "gm/dL"} <= set(units)


def test_late_results_come_after_newer_ones():
    day = make_day(1, NOON)
    times = [event["time"] for event in day.wave(Wave.MORNING)]

    assert times != sorted(times)


def test_clinicians_numbers_pass_the_check_digit():
    for clinician in CLINICIANS:
        digits = [int(d) for d in "80840" + clinician.id][::-1]
        assert sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0
