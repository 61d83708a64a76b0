"""Tables of limits: the first row that fits the patient's age, sex and pregnancy gives the number.

Age is that at `as_of`; pregnancy is judged at the result's own day (clinical.md 4.0.1, "Which result").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rules.facts import Sex
from rules.history import View
from rules.nodes import Limit


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. Ages in completed months, `from_months` included, `below_months` not; None: no
    bound.

    `trimester` 0 means pregnant with weeks unknown; `any_pregnancy` is for all who are pregnant; without
    either the row is for those who are not.
    """

    limits: tuple[Limit, ...]
    sex: Sex | None = None
    from_months: int | None = None
    below_months: int | None = None
    trimester: int | None = None
    any_pregnancy: bool = False
    source: str = ""

    def fits(self, months: int | None, sex: Sex, pregnant: bool, trimester: int | None) -> bool:
        """Whether the row is for such a patient; a row with an age bound fits nobody of unknown age."""
        if (self.any_pregnancy or self.trimester is not None) != pregnant:
            return False
        if pregnant and not self.any_pregnancy and self.trimester != (trimester or 0):
            return False
        if self.sex is not None and self.sex is not sex:
            return False
        if self.from_months is None and self.below_months is None:
            return True
        above = months is not None and (self.from_months is None or months >= self.from_months)
        return above and (self.below_months is None or (months or 0) < self.below_months)

    @property
    def words(self) -> str:
        """Whom the row is for."""
        who = {Sex.MALE: "men and boys", Sex.FEMALE: "women and girls"}.get(
            self.sex or Sex.UNKNOWN, "all others"
        )
        ages = [
            f"from {_age_words(self.from_months)}" if self.from_months is not None else "",
            f"below {_age_words(self.below_months)}" if self.below_months is not None else "",
        ]
        state = "pregnant" if self.any_pregnancy else _TRIMESTERS[self.trimester]
        return ", ".join(part for part in (state or who, *ages) if part)

    @property
    def printed(self) -> str:
        """The limit as printed."""
        return " or ".join(f"{x.value:f} {x.unit}" for x in self.limits)


_TRIMESTERS = {
    None: "",
    0: "pregnant, weeks unknown",
    1: "pregnant, first trimester",
    2: "pregnant, second trimester",
    3: "pregnant, third trimester",
}


def _age_words(months: int) -> str:
    return f"{months // 12} y" if months % 12 == 0 and months >= 24 else f"{months} months"


@dataclass(frozen=True, slots=True)
class Table:
    """Limits of one analyte, most special row first."""

    name: str
    analyte: str
    rows: tuple[Row, ...]


def limit_for(table: Table, view: View, day: datetime | None) -> tuple[Limit, ...]:
    """The limit for this patient on that day; empty when no row fits (the comparison is then unknown)."""
    state = view.gravidity(day)
    months, sex = view.age_in_months, view.history.patient.sex
    for row in table.rows:
        if row.fits(months, sex, state.pregnant, state.trimester):
            return row.limits
    return ()
