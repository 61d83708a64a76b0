"""Units against a second UCUM library that nobody here wrote: @lhncbc/ucum-lhc, in node."""

import json
import subprocess
from pathlib import Path

import pytest

from rules.units import BASE_UNIT, UNITS
from tests.services.kinds import on_path
from tests.services.npm import packages

HERE = Path(__file__).parent / "ucum_lhc"
ARBITRARY = {"international"}  # UCUM converts no arbitrary unit, not even to itself times a thousand
LISTED = sorted({u for u in UNITS.values() if u.dimension not in ARBITRARY}, key=lambda u: u.code)


@pytest.fixture(scope="module")
def sizes(pytestconfig: pytest.Config) -> dict[str, float | str]:
    """What one of each unit is in its base unit, by that library."""
    folder = packages(pytestconfig, HERE, "a second UCUM library")
    asked = json.dumps([[unit.code, BASE_UNIT[unit.dimension]] for unit in LISTED])
    command = [str(on_path("node")), str(HERE / "convert.mjs"), str(folder)]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    return dict(zip([unit.code for unit in LISTED], json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("unit", LISTED, ids=lambda unit: unit.code)
def test_factor_agrees_with_the_national_library_of_medicines_ucum(unit, sizes):
    assert sizes[unit.code] == pytest.approx(float(unit.factor), rel=1e-12)
