"""The unit watch: it notices values that look like another unit, and nothing else."""

import random
from decimal import Decimal

import pytest

from rules.analytes import CATALOGUE, to_canonical
from rules.unit_watch import LEAST_VALUES, TYPICAL, looks_like
from rules.units import unit_of


def values(
    analyte: str, count: int, *, factor: float = 1, seed: int = 1, spread: float = 0.6
) -> list[Decimal]:
    """Log-normal values around the analyte's middle, in the canonical unit, all times `factor`."""
    draw = random.Random(f"{analyte}{seed}")
    middle = float(TYPICAL[analyte].median) * factor
    return [Decimal(str(middle * draw.lognormvariate(0, spread))) for _ in range(count)]


def factor(analyte: str, unit: str, other: str) -> float:
    """What values meant in `other` and read in `unit` are multiplied by."""
    sizes = []
    for text in (unit, other):
        known = unit_of(text)
        assert known is not None
        size = to_canonical(CATALOGUE[analyte], known.factor, known.dimension)
        assert size is not None
        sizes.append(float(size))
    return sizes[0] / sizes[1]


@pytest.mark.parametrize("analyte", sorted(TYPICAL))
@pytest.mark.parametrize("seed", range(5))
def test_ordinary_values_look_like_their_own_unit(analyte: str, seed: int) -> None:
    for unit in TYPICAL[analyte].units:
        assert looks_like(analyte, unit, values(analyte, 60, seed=seed), []) is None
        before = values(analyte, 400, seed=seed + 100)
        assert looks_like(analyte, unit, values(analyte, 60, seed=seed, spread=0.3), before) is None


@pytest.mark.parametrize(
    ("analyte", "unit", "other"),
    [
        ("ferritin", "ug/L", "pmol/L"),
        ("iron", "umol/L", "ug/dL"),
        ("crp", "mg/L", "mg/dL"),
        ("transferrin", "g/L", "mg/dL"),
        ("creatinine", "umol/L", "mg/dL"),
        ("folate", "ng/mL", "nmol/L"),
        ("hemoglobin", "g/L", "g/dL"),
        ("mma", "umol/L", "nmol/L"),
    ],
)
def test_values_of_another_unit_are_noticed(analyte: str, unit: str, other: str) -> None:
    shifted = values(analyte, 60, factor=factor(analyte, unit, other), spread=0.3)
    assert looks_like(analyte, unit, shifted, []) == other


def test_b12_in_pmol_is_told_from_the_sources_own_earlier_values_alone() -> None:
    before = values("b12", 400, spread=0.3)
    shifted = values("b12", 60, factor=factor("b12", "pg/mL", "pmol/L"), spread=0.2, seed=3)
    assert looks_like("b12", "pg/mL", shifted, before) == "pmol/L"
    assert looks_like("b12", "pg/mL", shifted, []) is None


def test_a_sicker_cohort_is_no_other_unit() -> None:
    assert looks_like("ferritin", "ug/L", values("ferritin", 60, factor=1.6), []) is None


def test_too_few_values_say_nothing() -> None:
    few = values("crp", LEAST_VALUES - 1, factor=10)
    assert looks_like("crp", "mg/L", few, []) is None
    assert looks_like("mcv", "fL", [Decimal(90)] * 60, []) is None
