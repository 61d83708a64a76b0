"""The demo's laboratories: the same amount, written with each one's codes, units, spellings and digits.

Patterns give amounts in one unit per test (`ng/mL` ferritin, `pg/mL` B12, `g/L` hemoglobin, …); a laboratory
writes them its own way. Which way is right or wrong is not this module's business: that is what the program
under show has to find out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

LOINC = "http://loinc.org"


@dataclass(frozen=True, slots=True)
class Writing:
    """How one laboratory writes one test: `printed = amount × factor`, to so many `places`."""

    code: str
    name: str
    unit: str
    factor: Decimal = Decimal(1)
    places: int = 0
    high: str | None = None
    system: str = LOINC


@dataclass(frozen=True, slots=True)
class Laboratory:
    """A sender: the CloudEvents source and its way of writing."""

    source: str
    writings: Mapping[str, Writing] = field(repr=False)
    inequality_in_value: bool = False

    def write(self, test: str, amount: Decimal) -> str:
        """The number as this laboratory prints it."""
        way = self.writings[test]
        return str((amount * way.factor).quantize(Decimal(1).scaleb(-way.places), ROUND_HALF_EVEN))


def _way(
    code: str, name: str, unit: str, factor: str = "1", places: int = 0, high: str | None = None
) -> Writing:
    return Writing(code, name, unit, Decimal(factor), places, high)


# Mass units, as in the United States.
_NORTH = {
    "hemoglobin": _way("718-7", "Hemoglobin", "g/dL", "0.1", 1),
    "mcv": _way("787-2", "MCV", "fL"),
    "rdw": _way("788-0", "RDW-CV", "%", places=1),
    "platelets": _way("777-3", "Platelets", "10*3/uL"),
    "wbc": _way("6690-2", "Leukocytes", "K/uL", places=1),
    "ferritin": _way("2276-4", "Ferritin", "ng/mL"),
    "b12": _way("2132-9", "Vitamin B12", "pg/mL", high="914"),
    "folate": _way("2284-8", "Folate", "ng/mL", places=1),
    "crp": _way("1988-5", "C-reactive protein", "mg/dL", "0.1", 2),
    "tsat": _way("2502-3", "Transferrin saturation", "%"),
    "iron": _way("2498-4", "Iron", "ug/dL", "5.585"),
    "tibc": _way("2500-7", "TIBC", "ug/dL", "5.585"),
    "alt": _way("1742-6", "ALT", "U/L", high="40"),
    "creatinine": _way("2160-0", "Creatinine", "mg/dL", "0.011312", 2),
    "egfr": _way("62238-1", "eGFR (CKD-EPI)", "mL/min/{1.73_m2}"),
    "parietal_cell_ab": _way("26969-6", "Parietal cell Ab", ""),
}

# Molar units, grams in liters, the micro sign from a keyboard.
_SOUTH = _NORTH | {
    "hemoglobin": _way("718-7", "Haemoglobin", "g/L"),
    "platelets": _way("777-3", "Platelets", "10^9/L"),
    "wbc": _way("6690-2", "White cells", "x10E9/L", places=1),
    "ferritin": _way("2276-4", "Ferritin", "µg/L"),
    "b12": _way("14685-2", "Vitamin B12 (molar)", "pmol/L", "0.73781"),
    "folate": _way("14732-2", "Folate (molar)", "nmol/L", "2.2655", 1),
    "crp": _way("1988-5", "CRP", "mg/L", places=1),
    "iron": _way("14798-3", "Iron (molar)", "umol/L", places=1),
    "tibc": _way("14800-7", "TIBC (molar)", "umol/L"),
    "creatinine": _way("14682-9", "Creatinine (molar)", "µmol/L"),
}

# A third habit: hemoglobin and ferritin in moles, the other micro sign, "mcg".
_WEST = _SOUTH | {
    "hemoglobin": _way("59260-0", "Hemoglobin (molar)", "mmol/L", "0.06206", 2),
    "ferritin": _way("14723-1", "Ferritin (molar)", "pmol/L", "2.2472"),
    "b12": _way("2132-9", "Vitamin B12", "ng/L"),
    "folate": _way("2284-8", "Folate", "mcg/L", places=1),
    "creatinine": _way("14682-9", "Creatinine (molar)", "μmol/L"),
}

# Old habits of spelling, and limits printed with the result.
_EAST = _NORTH | {
    "hemoglobin": _way("20509-6", "Hgb", "gm/dL", "0.1", 1),
    "platelets": _way("26515-7", "PLT", "thou/uL"),
    "ferritin": _way("20567-4", "Ferritin IA", "mcg/L"),
    "b12": _way("2132-9", "B12", "pg/ml", high="771"),
    "crp": _way("1988-5", "CRP", "mg/L", places=1),
}

LABORATORIES = (
    Laboratory("urn:lab:north", _NORTH),
    Laboratory("urn:lab:south", _SOUTH),
    Laboratory("urn:lab:west", _WEST, inequality_in_value=True),
    Laboratory("urn:lab:east", _EAST, inequality_in_value=True),
)


def sources_file(directory: Path) -> Path:
    """A sources file that names these laboratories, written into `directory`."""
    path = directory / "sources.yaml"
    entries = [
        f'  - name: {one.source.rsplit(":", 1)[-1]}\n    recognized_by: {{events: ["{one.source}"]}}\n'
        for one in LABORATORIES
    ]
    path.write_text("sources:\n" + "".join(entries), encoding="utf-8")
    return path
