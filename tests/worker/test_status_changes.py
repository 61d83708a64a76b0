from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations

from rules.facts import Result, Status, Unusable
from tests.worker.intake.examples import HEADER, obx, report
from worker.intake.decode import decode
from worker.intake.normalize import facts_of
from worker.status_changes import with_values


def version(observation: str, hour: int) -> Result:
    (one,) = decode("hl7", report(observation, header=HEADER.replace("MSG00001", f"M{hour}")))
    at = datetime(2026, 3, 1, hour, tzinfo=UTC)
    (result,) = facts_of(one, zone=None, received_at=at, arrival=hour).results
    return result


PRELIMINARY = version(obx("9", f11="P"), 9)
BARE_FINAL = version(obx("", f11="U"), 10)
CORRECTED = version(obx("12", f11="C"), 11)


def test_a_bare_final_takes_the_value_of_the_preliminary_in_any_order():
    for order in permutations([PRELIMINARY, BARE_FINAL]):
        (final,) = [result for result in with_values(order) if result.status is Status.FINAL]
        assert (final.quantity.value, final.problem) == (Decimal("9"), None)
        assert final.known_at == BARE_FINAL.known_at


def test_a_preliminary_that_comes_late_counts_from_then():
    late = version(obx("9", f11="P"), 12)
    (final,) = [result for result in with_values([BARE_FINAL, late]) if result.status is Status.FINAL]
    assert final.known_at == late.known_at


def test_a_bare_final_without_any_value_is_not_numeric():
    (alone,) = with_values([BARE_FINAL])
    assert (alone.quantity, alone.problem) == (None, Unusable.NOT_NUMERIC)


def test_other_versions_are_left_as_they_are():
    assert with_values([PRELIMINARY, CORRECTED]) == (PRELIMINARY, CORRECTED)


def test_a_bare_final_takes_the_value_before_it_whatever_comes_later_in_any_order():
    first, change = issued(PRELIMINARY, 9), issued(BARE_FINAL, 10)
    later = issued(version(obx("40", f11="P"), 12), 12)
    for order in permutations([first, change, later]):
        (final,) = [result for result in with_values(order) if result.status is Status.FINAL]
        assert final.quantity.value == Decimal("9")


def test_a_bare_final_never_takes_the_value_of_a_correction():
    (final,) = [r for r in with_values([CORRECTED, BARE_FINAL]) if r.status is Status.FINAL]
    assert (final.quantity, final.problem) == (None, Unusable.NOT_NUMERIC)


def issued(result: Result, hour: int) -> Result:
    return replace(result, issued_at=datetime(2026, 3, 1, hour, tzinfo=UTC))
