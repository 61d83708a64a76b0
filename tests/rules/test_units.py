"""Units: what is believed, what is refused, and every factor against an independent reader of UCUM."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ucumvert import PintUcumRegistry

from rules.library_files import read_library
from rules.units import BASE_UNIT, UNITS, unit_of

LISTED = sorted(set(UNITS.values()), key=lambda u: (u.dimension, u.code))
# Arbitrary and annotated units have no size that a converter could know; /L and 1 are plain counts.
NOT_FOR_THE_ORACLE = {"international", "gfr", "fraction", "number"}


@pytest.fixture(scope="module")
def ucum() -> PintUcumRegistry:
    return PintUcumRegistry()


@pytest.mark.parametrize(
    "unit", [u for u in LISTED if u.dimension not in NOT_FOR_THE_ORACLE], ids=lambda u: u.code
)
def test_factor_agrees_with_an_independent_ucum_reader(ucum, unit):
    base = ucum.from_ucum(BASE_UNIT[unit.dimension])
    assert ucum.from_ucum(unit.code).to(base.units).magnitude / base.magnitude == pytest.approx(
        float(unit.factor), rel=1e-12
    )


@pytest.mark.parametrize("unit", [u for u in LISTED if u.dimension == "number"], ids=lambda u: u.code)
def test_count_factor_agrees_with_an_independent_ucum_reader(ucum, unit):
    code = unit.code if unit.code[0].isdigit() else "1" + unit.code
    measured = ucum.from_ucum(code).to(1 / ucum.liter)
    assert measured.magnitude == pytest.approx(float(unit.factor), rel=1e-12)


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("µg/L", "ug/L"),
        ("μg/L", "ug/L"),
        ("mcg/L", "ug/L"),
        ("ug/l", "ug/L"),
        ("NG/ML", "ng/mL"),
        ("pg/ml", "pg/mL"),
        ("gm/dL", "g/dL"),
        ("g%", "g/dL"),
        ("10^9/L", "10*9/L"),
        ("x10E9/L", "10*9/L"),
        ("G/L", "10*9/L"),
        ("K/uL", "10*3/uL"),
        ("K/mcL", "10*3/uL"),
        ("thou/uL", "10*3/uL"),
        ("10*3/µL", "10*3/uL"),
        ("/nl", "/nL"),
        ("1/pl", "/pL"),
        ("Tsd/µl", "10*3/uL"),
        ("Mio./µl", "10*6/uL"),
        ("mcg/l", "ug/L"),
        ("x10^9/L", "10*9/L"),
        ("mill/mm3", "10*6/uL"),
        ("uIU/mL", "u[IU]/mL"),
        ("µIU/mL", "u[IU]/mL"),
        ("mIU/L", "m[IU]/L"),
        ("pmoles/L", "pmol/L"),
        ("µmol/l", "umol/L"),
        ("mm/hr", "mm/h"),
        ("mL/min/1.73 m2", "mL/min/{1.73_m2}"),
        (" ng / mL ", "ng/mL"),
        ("fl", "fL"),
        ("{ratio}", "1"),
        ("K/MM3", "10*3/uL"),
        ("thou/cumm", "10*3/uL"),
        ("TH/uL", "10*3/uL"),
        ("M/CMM", "10*6/uL"),
        ("mill/cumm", "10*6/uL"),
        ("unit/L", "U/L"),
    ],
)
def test_spelling_seen_in_messages_is_read(spelling, code):
    assert unit_of(spelling).code == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ng/dL",
        "Ug/L",
        "MU/L",
        "MIU/L",
        "mL/min",
        "uM",
        "M",
        "g",
        "L",
        "ng/mL{FEU}",
        "mg",
        "unit",
        "pg/mL/h",
        "mEq/L",
    ],
)
def test_anything_else_is_refused(text):
    assert unit_of(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ng/mL", "ug/L"),
        ("pg/mL", "ng/L"),
        ("nmol/mL", "umol/L"),
        ("10*3/uL", "10*9/L"),
        ("10*6/uL", "10*12/L"),
        ("u[IU]/mL", "m[IU]/L"),
        ("mg/kg", "ug/g"),
        ("um3", "fL"),
    ],
)
def test_units_that_are_equal_are_exactly_equal(one, other):
    assert (unit_of(one).factor, unit_of(one).dimension) == (unit_of(other).factor, unit_of(other).dimension)


def test_one_microkatal_is_sixty_units():
    assert unit_of("ukat/L").factor / unit_of("U/L").factor == 60


def test_giga_per_liter_is_never_grams():
    assert unit_of("G/L").dimension == "number"
    assert unit_of("g/L").dimension == "mass"


def test_each_base_unit_is_one_of_itself():
    assert {d: unit_of(code).factor for d, code in BASE_UNIT.items()} == dict.fromkeys(BASE_UNIT, Decimal(1))


def test_every_factor_is_written_as_text_so_that_no_float_is_between():
    for content in read_library("units.yaml").values():
        assert all(isinstance(entry["factor"], str) for entry in content["units"])


@given(
    number=st.decimals(min_value="0.001", max_value="99999", allow_nan=False, places=3),
    unit=st.sampled_from(LISTED),
)
def test_scaling_to_the_base_and_back_is_exact(number, unit):
    assert number * unit.factor / unit.factor == number


@given(st.text(max_size=12))
def test_no_text_makes_it_fail(text):
    unit = unit_of(text)
    assert unit is None or unit in LISTED
