"""Age or sex not known: nobody is an adult by default, and nobody a man."""

from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts.tables import ALERT
from tests.worker.made_up import LOINC, deps_on, event, inbound, result
from worker.accepting import accept
from worker.database import reading
from worker.pipeline import judge
from worker.tables import EVALUATION

LOINC.setdefault("hemoglobin", ("718-7", "g/L"))
WOMAN = {"system": "urn:mrn:north", "id": "P1", "birth_date": "1980-02-03", "sex": "female"}
LOW = [result("R1", "hemoglobin", "105"), result("R2", "ferritin", "9")]


def outcomes(engine: Engine, who: dict[str, Any]) -> dict[str, str]:
    """Each rule's truth, after a hemoglobin that is low for a woman and for nobody below it by table."""
    whole = event("M1", LOW)
    whole = whole | {"data": whole["data"] | {"patient": who}}
    judge(deps_on(engine), [receipt.message for receipt in accept(engine, [inbound(whole)])])
    with reading(engine) as connection:
        found = connection.execute(select(EVALUATION.c.outcomes)).scalar_one()
    return {one["rule"]: one["truth"] for one in found}


def anemia_alerts(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        return {rule for rule in connection.execute(select(ALERT.c.rule)).scalars() if "anemia" in rule}


@pytest.mark.parametrize("born", [None, "1800-01-01", "2090-01-01"])
def test_b53_without_a_believable_age_the_limit_is_unknown(engine: Engine, born: str | None) -> None:
    LOW[0] = result("R1", "hemoglobin", "105")
    seen = outcomes(engine, WOMAN | {"birth_date": born})
    assert anemia_alerts(engine) == set()
    assert "unknown" in {truth for rule, truth in seen.items() if "anemia" in rule}


@pytest.mark.parametrize("sex", ["other", "unknown", None])
@pytest.mark.parametrize(("hemoglobin", "anemia"), [("125", False), ("105", True)])
def test_b54_without_a_sex_only_what_is_low_for_both_is_anemia(
    engine: Engine, sex: str | None, hemoglobin: str, anemia: bool
) -> None:
    """The library's own case: `sex unknown uses the lower limit`. 125 g/L is low for a man alone."""
    LOW[0] = result("R1", "hemoglobin", hemoglobin)
    outcomes(engine, WOMAN | {"sex": sex})
    assert bool(anemia_alerts(engine)) is anemia


def test_the_same_values_of_a_woman_of_known_age_are_an_alert(engine: Engine) -> None:
    LOW[0] = result("R1", "hemoglobin", "105")
    outcomes(engine, WOMAN)
    assert anemia_alerts(engine)
