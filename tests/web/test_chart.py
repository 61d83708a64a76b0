"""What the chart shows: one unit for each analyte, corrections struck, limits, treatments."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Comparator, History, Patient, Quantity, Record, RecordKind, Result, Status
from rules.units import unit_of
from worker.web.chart import Chart, chart
from worker.web.evidence import Shown
from worker.web.limits import about, limits_by_result

NOW = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)
ZONE = ZoneInfo("UTC")


def a_result(
    key: str,
    analyte: str,
    value: str,
    unit: str,
    *,
    days: int = 1,
    status: Status = Status.FINAL,
    arrival: int = 1,
    comparator: Comparator = Comparator.EQ,
    high: str | None = None,
) -> Result:
    known = unit_of(unit)
    assert known is not None
    number = Decimal(value)
    return Result(
        key=key,
        id=key,
        source="urn:lab",
        analyte=analyte,
        status=status,
        effective_at=NOW - timedelta(days=days),
        issued_at=NOW - timedelta(days=days),
        known_at=NOW - timedelta(days=days),
        arrival=arrival,
        quantity=Quantity(number, comparator, known.code, known.dimension, number * known.factor),
        range_high=Decimal(high) if high else None,
        reported_value=value,
        reported_unit=unit,
    )


def of(*results: Result, records: tuple[Record, ...] = (), tree: dict[str, Any] | None = None) -> Chart:
    history = History(Patient("urn:mrn", "1"), results, records)
    held = limits_by_result(tree) if tree else {}
    shown = [Shown(r.key, r.analyte or "", "", "", "", r.effective_at or NOW) for r in results[:1]]
    return chart(history, shown, held, NOW, ZONE)


def test_a_value_of_another_unit_is_placed_on_one_scale_and_read_as_reported() -> None:
    drawn = of(
        a_result("a", "ferritin", "9000", "ng/L", days=30), a_result("b", "ferritin", "12", "ng/mL", days=1)
    )

    (panel,) = drawn.panels
    assert panel.unit == "ng/mL"
    assert [point.y for point in panel.points] == [9.0, 12.0]
    assert [point.text for point in panel.points] == ["9,000 ng/L", "12 ng/mL"]


def test_a_value_of_another_dimension_is_placed_by_the_catalogues_factor() -> None:
    drawn = of(a_result("a", "b12", "738", "pmol/L", days=30), a_result("b", "b12", "500", "pg/mL"))

    (panel,) = drawn.panels
    assert panel.points[0].y == pytest.approx(1000, rel=0.01)
    assert panel.points[0].text == "738 pmol/L"


def test_a_corrected_value_stays_struck_beside_the_new_one() -> None:
    drawn = of(
        a_result("a", "ferritin", "19", "ng/mL"),
        a_result("a", "ferritin", "9", "ng/mL", status=Status.CORRECTED, arrival=2),
    )

    points = drawn.panels[0].points
    assert [(p.text, p.gone, p.note) for p in points] == [
        ("19 ng/mL", True, "corrected to 9 ng/mL"),
        ("9 ng/mL", False, "corrected"),
    ]
    assert drawn.corrected


def test_a_version_that_repeats_the_value_is_one_point() -> None:
    drawn = of(
        a_result("a", "ferritin", "9", "ng/mL", status=Status.PRELIMINARY),
        a_result("a", "ferritin", "9", "ng/mL", arrival=2),
    )

    assert len(drawn.panels[0].points) == 1


def test_a_result_that_was_taken_back_is_struck_and_alone_makes_no_panel() -> None:
    retracted = a_result("a", "ferritin", "9", "ng/mL", status=Status.ENTERED_IN_ERROR, arrival=2)
    alone = of(retracted)
    beside = of(retracted, a_result("b", "ferritin", "30", "ng/mL", days=9))

    assert alone.panels == ()
    assert [line.gone for line in alone.table] == [True]
    assert [(p.text, p.gone) for p in beside.panels[0].points] == [("30 ng/mL", False), ("9 ng/mL", True)]


def test_a_censored_value_points_to_where_the_true_one_lies() -> None:
    drawn = of(a_result("a", "crp", "2", "mg/L", comparator=Comparator.LT))

    assert drawn.panels[0].points[0].toward == "down"
    assert drawn.panels[0].points[0].text == "< 2 mg/L"


@pytest.mark.parametrize(
    ("converted", "said"),
    [
        ("67.41573033707865168539325843", "≈ 67.4"),
        ("7.446709485246206832355952713", "≈ 7.45"),
        ("1355.37", "≈ 1360"),
        ("950", "950"),
        ("13.30", "13.3"),
    ],
)
def test_a_converted_limit_is_written_as_people_write_it(converted: str, said: str) -> None:
    assert about(Decimal(converted)) == said


def leaf(note: str, truth: str = "true", text: str = "ferritin", key: str = "a") -> dict[str, Any]:
    evidence = [{"analyte": "ferritin", "key": key}]
    return {"text": text, "truth": truth, "note": note, "evidence": evidence, "parts": []}


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (leaf("limit < 30 ng/mL"), "below 30 ng/mL"),
        (leaf("limit >= 1000 ng/mL"), "at or above 1,000 ng/mL"),
        (leaf("laboratory's limit > 150 ng/mL"), "above 150 ng/mL (laboratory)"),
        (leaf("laboratory's limit < 13 ng/mL"), "below 13 ng/mL (laboratory)"),
        (leaf("no laboratory limit sent; > 950 pg/mL"), "above 950 pg/mL"),
        (leaf("limit >= 5 mg/L", truth="false"), "below 5 mg/L"),
        (leaf("limit < 30 ng/mL", truth="false"), "not below 30 ng/mL"),
    ],
)
def test_a_limit_is_read_from_the_explanation(node: dict[str, Any], said: str) -> None:
    assert limits_by_result(node)["a"].text == said


@pytest.mark.parametrize(
    "note", ["", "not measured in the window", "several results of the same time", "limit < many"]
)
def test_a_note_of_another_shape_gives_no_limit(note: str) -> None:
    assert limits_by_result(leaf(note)) == {}


def test_what_cannot_be_told_gives_no_limit_and_a_crossed_one_wins() -> None:
    tree = {
        "text": "all of",
        "truth": "true",
        "note": "",
        "evidence": [],
        "parts": [
            leaf("limit < 30 ng/mL", truth="unknown"),
            leaf("limit >= 100 ng/mL", truth="false"),
            leaf("limit < 45 ng/mL"),
        ],
    }

    assert limits_by_result(tree)["a"].text == "below 45 ng/mL"
    assert limits_by_result(leaf("limit < 30 ng/mL", truth="unknown")) == {}


def test_the_crossed_limit_is_drawn_and_its_value_is_decisive() -> None:
    drawn = of(
        a_result("a", "ferritin", "9", "ng/mL"),
        a_result("b", "ferritin", "50", "ng/mL", days=90),
        tree=leaf("limit < 30 ng/mL"),
    )

    assert [(line.y, line.label) for line in drawn.panels[0].lines] == [(30.0, "30 ng/mL")]
    assert [p.decisive for p in drawn.panels[0].points] == [False, True]


def test_treatments_are_bars_from_start_to_end_and_one_still_taken_reaches_now() -> None:
    def iron(name: str, end: datetime | None, status: str) -> Record:
        start = NOW - timedelta(days=100)
        return Record(name, RecordKind.MEDICATION, "s", "c", name, status, start, end, start, 1, "oral")

    drawn = of(
        a_result("a", "ferritin", "9", "ng/mL"),
        records=(iron("Old", NOW - timedelta(days=50), "completed"), iron("Current", None, "active")),
    )

    assert [(bar.label, bar.end) for bar in drawn.bars] == [
        ("Current (oral)", NOW),
        ("Old (oral)", NOW - timedelta(days=50)),
    ]
    assert drawn.bars[0].words.endswith("still taken")


def test_a_limit_is_said_in_the_unit_of_the_value_beside_it_where_that_is_exact() -> None:
    held = limits_by_result(leaf("limit < 30 ug/L"))["a"]

    assert held.said_in("ng/mL").text == "below 30 ng/mL"
    assert limits_by_result(leaf("limit < 120 g/L"))["a"].said_in("g/dL").text == "below 12 g/dL"
    assert limits_by_result(leaf("limit < 133 pmol/L"))["a"].said_in("pg/mL").text == "below 133 pmol/L"
