"""Units against a second UCUM library that nobody here wrote: @lhncbc/ucum-lhc, in node."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from rules.units import BASE_UNIT, UNITS
from tests.services.kinds import need, on_path

HERE = Path(__file__).parent / "ucum_lhc"
PACKAGES = ("package.json", "package-lock.json")
ARBITRARY = {"international"}  # UCUM converts no arbitrary unit, not even to itself times a thousand
LISTED = sorted({u for u in UNITS.values() if u.dimension not in ARBITRARY}, key=lambda u: u.code)


@pytest.fixture(scope="module")
def sizes(pytestconfig: pytest.Config) -> dict[str, float | str]:
    """What one of each unit is in its base unit, by that library."""
    npm = need("npm")
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("ucum-lhc")
    locked = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in PACKAGES)).hexdigest()
    ready = folder / "ready"
    if not ready.exists() or ready.read_text() != locked:
        for name in PACKAGES:
            shutil.copy(HERE / name, folder)
        command = [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"needs npm packages (a second UCUM library): npm ci: {done.stderr.strip()[-200:]}")
        ready.write_text(locked)
    asked = json.dumps([[unit.code, BASE_UNIT[unit.dimension]] for unit in LISTED])
    command = [str(on_path("node")), str(HERE / "convert.mjs"), str(folder)]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    return dict(zip([unit.code for unit in LISTED], json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("unit", LISTED, ids=lambda unit: unit.code)
def test_factor_agrees_with_the_national_library_of_medicines_ucum(unit, sizes):
    assert sizes[unit.code] == pytest.approx(float(unit.factor), rel=1e-12)
