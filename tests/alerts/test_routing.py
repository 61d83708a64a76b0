"""Whom an alert is addressed to: the orderer of the newest result, else a cover, else the pool."""

import itertools

import pytest

from alerts.people import UNADDRESSED, Address, Orderer, pool
from alerts.routing import Addressee, Covering, Directory, Lane, Person, Router, Why
from rules.findings import Evidence, Severity
from tests.alerts.made_up import ADA, BEN, NPI, day, ferritin, no_supplement

OLD, NEW = ferritin(on=0, key="lab|F1"), ferritin(on=3, key="lab|F2")
CARA = Address(NPI, "1000000003")


def known(*people: Person) -> dict[Address, Person]:
    return {p.address: p for p in people}


def router(
    orderers: dict[str, Orderer],
    people: dict[Address, Person] | None = None,
    covers: tuple[Covering, ...] = (),
    *,
    at: float = 5,
    fallback: Address = UNADDRESSED,
) -> Router:
    both = known(Person(ADA.address), Person(BEN.address))
    return Router(orderers, Directory(both if people is None else people, covers, fallback), day(at))


@pytest.mark.parametrize("evidence", list(itertools.permutations([OLD, NEW, no_supplement()])))
def test_the_orderer_of_the_newest_result_owns_the_alert_in_whatever_order_it_came(
    evidence: tuple[Evidence, ...],
) -> None:
    routed = router({"lab|F1": ADA, "lab|F2": BEN}).of_pattern(evidence)
    assert routed == (Addressee(BEN.address, Why.ORDERER),)


def test_of_two_results_of_one_time_the_greater_key_decides() -> None:
    tied = [ferritin(key="lab|F1"), ferritin(key="lab|F2")]
    assert router({"lab|F1": ADA, "lab|F2": BEN}).of_pattern(tied)[0].address == BEN.address


def test_an_older_result_does_not_lend_its_orderer_to_a_newest_one_without() -> None:
    routed = router({"lab|F1": ADA}).of_pattern([OLD, NEW])
    assert routed == (Addressee(UNADDRESSED, Why.FALLBACK_NO_ORDERER),)


def test_a_pattern_without_results_goes_to_the_fallback_pool() -> None:
    routed = router({}, fallback=pool("hematology")).of_pattern([no_supplement()])
    assert [a.address for a in routed] == [pool("hematology")]


def test_the_cover_is_told_in_place_of_an_orderer_who_has_left() -> None:
    cover = Covering(ADA.address, CARA, day(4), day(6))
    routed = router({"lab|F2": ADA}, known(Person(ADA.address, active=False)), (cover,)).of_pattern([NEW])
    assert routed == (Addressee(CARA, Why.COVER),)


def test_the_cover_is_told_beside_an_orderer_who_is_away() -> None:
    cover = Covering(ADA.address, CARA, day(4), day(6))
    routed = router({"lab|F2": ADA}, covers=(cover,)).of_pattern([NEW])
    assert [a.address for a in routed] == [ADA.address, CARA]


@pytest.mark.parametrize(("starts", "ends"), [(5.001, 6), (4, 5), (1, 2)])
def test_a_cover_counts_from_its_start_up_to_its_end_and_not_at_its_end(starts: float, ends: float) -> None:
    cover = Covering(ADA.address, CARA, day(starts), day(ends))
    gone = known(Person(ADA.address, active=False))
    routed = router({"lab|F2": ADA}, gone, (cover,)).of_pattern([NEW])
    assert routed == (Addressee(UNADDRESSED, Why.FALLBACK_NOT_REACHABLE),)


def test_a_cover_who_has_left_too_is_passed_over() -> None:
    gone = known(Person(ADA.address, active=False), Person(CARA, active=False))
    routed = router({"lab|F2": ADA}, gone, (Covering(ADA.address, CARA, day(4), day(6)),)).of_pattern([NEW])
    assert [a.address for a in routed] == [UNADDRESSED]


def test_an_orderer_whom_the_directory_does_not_know_owns_it_and_the_pool_sees_it_too() -> None:
    routed = router({"lab|F2": ADA}, people={}).of_pattern([NEW])
    assert routed == (Addressee(ADA.address, Why.ORDERER), Addressee(UNADDRESSED, Why.FALLBACK_NOT_KNOWN))


def test_joining_results_bring_their_orderers_and_those_without_bring_nobody() -> None:
    routed = router({"lab|F2": BEN}).of_joining([OLD, NEW])
    assert routed == (Addressee(BEN.address, Why.JOINED),)


@pytest.mark.parametrize("severity", [Severity.CRITICAL, Severity.HIGH, Severity.MODERATE])
def test_what_is_not_low_is_pushed_where_there_is_an_address(severity: Severity) -> None:
    routing = router({}, known(Person(ADA.address, push=("email",)), Person(BEN.address)))
    assert routing.lanes([ADA.address, BEN.address], severity) == (
        Lane(ADA.address, "inbox"),
        Lane(ADA.address, "email"),
        Lane(BEN.address, "inbox"),
    )


def test_what_is_low_is_shown_and_never_pushed() -> None:
    routing = router({}, known(Person(ADA.address, push=("email",))))
    assert routing.lanes([ADA.address], Severity.LOW) == (Lane(ADA.address, "inbox"),)


@pytest.mark.parametrize(("system", "ident"), [("", "1"), ("urn:x", "")])
def test_half_an_address_is_refused(system: str, ident: str) -> None:
    with pytest.raises(ValueError, match="expected a system and an id"):
        Address(system, ident)
