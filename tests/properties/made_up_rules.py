"""Random conditions and random histories, small enough to collide and odd enough to reach every construct."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st

from rules import nodes
from rules.naming import in_place
from rules.syntax import parse_leaf, parse_selection

DAY0 = date(2026, 3, 1)
NUMERIC = {
    "ferritin": ("ug/L", "ng/mL", "pmol/L"),
    "b12": ("pg/mL", "pmol/L"),
    "hemoglobin": ("g/L", "g/dL", "mmol/L"),
    "crp": ("mg/L", "mg/dL"),
    "tsat": ("%",),
}
VALUES = {
    "ferritin": ("9", "29.9", "30", "45", "100", "300"),
    "b12": ("50", "133", "180", "350", "701", "950", "1450"),
    "hemoglobin": ("60", "69", "70", "110", "120", "130"),
    "crp": ("4.9", "5", "100"),
    "tsat": ("12", "20", "45.1"),
}
LIMITS = {
    "ferritin": ("30 ug/L", "100 ng/mL", "45 ug/L | 100 pmol/L"),
    "b12": ("180 pg/mL | 133 pmol/L", "950 pg/mL", "701 pmol/L"),
    "hemoglobin": ("70 g/L", "12 g/dL", "7.5 mmol/L"),
    "crp": ("5 mg/L", "10 mg/dL"),
    "tsat": ("20 %",),
}
RANGES = {
    "ferritin": "30..<100 ug/L",
    "b12": "180..350 pg/mL | 133..258 pmol/L",
    "hemoglobin": "70<..120 g/L",
    "crp": "5..<100 mg/L",
    "tsat": "20..45 %",
}
CONCEPTS = (
    ("medication", "b12_supplement"),
    ("medication", "oral_iron"),
    ("condition", "celiac"),
    ("condition", "pregnancy"),
    ("procedure", "transfusion"),
    ("order", "gi_referral"),
)

analytes = st.sampled_from(sorted(NUMERIC))
ops = st.sampled_from(["<", "<=", ">=", ">"])
windows = st.sampled_from(
    [
        "",
        " within 30 d",
        " within 48 h",
        " ever",
        " within 14 d of ferritin",
        " -30..3 d after medication oral_iron",
        " 0..<14 d before hemoglobin",
        " at most 14 d before b12",
        " with hemoglobin",
        " between peak and hemoglobin",
        " within 90 d at most 14 d before b12",
    ]
)
which = st.sampled_from(["", "latest ", "previous ", "any ", "all ", "first ", "highest ", "lowest "])


@st.composite
def measured(draw: st.DrawFn) -> str:
    analyte, op = draw(analytes), draw(ops)
    limit = draw(st.sampled_from(LIMITS[analyte]))
    also = draw(st.sampled_from(["", " (also preliminary)"]))
    test = draw(
        st.sampled_from(
            [
                f"{op} {limit}",
                RANGES[analyte],
                f"censored {RANGES[analyte]}",
                f"above range else {op} {limit}",
                f"below range else {op} {limit}",
                f"above range and {op} {limit}",
                f"{op} 3 x ULN else 3 x {limit.split(' | ')[0]}",
                "noted non_fasting",
            ]
        )
    )
    return f"{draw(which)}{analyte}{also} {test}{draw(windows)}"


@st.composite
def counted(draw: st.DrawFn) -> str:
    analyte, n = draw(analytes), draw(st.integers(2, 3))
    apart = draw(st.sampled_from(["", " 14..365 d apart"]))
    return (
        f"{analyte} {draw(ops)} {draw(st.sampled_from(LIMITS[analyte]))} within 365 d on {n} results{apart}"
    )


@st.composite
def compared_twice(draw: st.DrawFn) -> str:
    analyte = draw(analytes)
    limit = draw(st.sampled_from(LIMITS[analyte])).split(" | ")[0]
    return draw(
        st.sampled_from(
            [
                f"{analyte} falls {limit} within 30 d",
                f"{analyte} rises {limit} within 30 d",
                f"previous {analyte} - {analyte} {draw(ops)} {limit}",
                f"peak - hemoglobin {draw(ops)} 20 g/L",
                f"any {analyte} {draw(ops)} {limit} within 365 d preceded by {draw(ops)} {limit}",
            ]
        )
    )


@st.composite
def recorded(draw: st.DrawFn) -> str:
    kind, concept = draw(st.sampled_from(CONCEPTS))
    route = draw(st.sampled_from(["", " oral", " injection"])) if kind == "medication" else ""
    state = draw(st.sampled_from(["", " open"])) if kind == "order" else ""
    window = draw(st.sampled_from(["", " ever", " within 90 d", " 0..14 d before hemoglobin"]))
    return f"{kind} {concept}{route}{state}{window}"


plain = st.sampled_from(
    [
        "parietal_cell_ab positive",
        "parietal_cell_ab negative",
        "parietal_cell_ab equivocal",
        "known(b12 within 90 d)",
        "no crp within 30 d",
        "ordered tsat",
        "age >= 18 y",
        "age < 50 y",
        "sex female",
        "sex male",
        "pregnant",
        "gestation >= 28 wk",
        "hemoglobin < table anemia within 90 d",
        "low_iron",
        "unsettled while low_iron until crp",
    ]
)
leaf_texts = st.one_of(measured(), counted(), compared_twice(), recorded(), plain)
PEAK = {"peak": parse_selection("highest hemoglobin 0<..30 d before hemoglobin")}
leaves = leaf_texts.map(lambda text: in_place(parse_leaf(text), PEAK))


def _joined(children: st.SearchStrategy[nodes.Condition]) -> st.SearchStrategy[nodes.Condition]:
    parts = st.lists(children, min_size=1, max_size=4).map(tuple)
    two = st.lists(children, min_size=2, max_size=4).map(tuple)
    return st.one_of(
        parts.map(nodes.All),
        parts.map(nodes.Any),
        parts.map(nodes.NoneOf),
        two.map(lambda p: nodes.AtLeast(2, p)),
    )


conditions = st.recursive(leaves, _joined, max_leaves=8)


# ── histories, as case lines ─────────────────────────────────────────────────────────────────────────

days = st.integers(0, 120).map(lambda n: (DAY0 - timedelta(days=n)).isoformat())


@st.composite
def result_line(draw: st.DrawFn) -> str:
    analyte = draw(analytes)
    value = draw(st.sampled_from(("", "", "", "<", ">", "<=", ">="))) + draw(st.sampled_from(VALUES[analyte]))
    unit = draw(st.sampled_from((*NUMERIC[analyte], "")))
    extra = draw(
        st.sampled_from(
            ("", "", " range 10..100", " preliminary", " corrected as R1", " as R1", " note non-fasting")
        )
    )
    return f"{draw(days)}  {analyte} {value} {unit}{extra}" if unit else f"{draw(days)}  {analyte} {value}"


@st.composite
def record_line(draw: st.DrawFn) -> str:
    kind, concept = draw(st.sampled_from(CONCEPTS))
    tail = draw(st.sampled_from(["", " completed", " injection", " resolved", f" until {draw(days)}"]))
    return f"{draw(days)}  {kind} {concept}{tail}"


other_lines = st.sampled_from(
    [
        "2026-02-01  parietal_cell_ab positive",
        "2026-02-02  parietal_cell_ab negative",
        "2026-02-10  pregnant 20 wk",
        "2026-01-10  pregnant",
        "2026-02-20  order 2502-3",
    ]
)
patients = st.sampled_from(
    ["patient female 34 y", "patient male 17 y", "patient unknown 60 y", "patient female"]
)


@st.composite
def cases(draw: st.DrawFn) -> str:
    lines = draw(st.lists(st.one_of(result_line(), result_line(), record_line(), other_lines), max_size=14))
    return "\n".join([draw(patients), *lines, "as of 2026-03-01T08:00:00Z"])
