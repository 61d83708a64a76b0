"""Names of analytes in several languages: what is proposed, and what contradicts a code."""

import pytest

from rules.analytes import CATALOGUE
from rules.names import analytes_named, contradiction, proposed


@pytest.mark.parametrize("analyte", sorted(CATALOGUE))
def test_the_catalogues_own_name_never_contradicts_its_analyte(analyte):
    assert contradiction(CATALOGUE[analyte].display, analyte) is None


@pytest.mark.parametrize(
    ("name", "analyte"),
    [
        ("Ferritin", "ferritin"),
        ("Ferritin i.S.", "ferritin"),
        ("FERRITINE", "ferritin"),
        ("Ferritin [Mass/volume] in Serum or Plasma", "ferritin"),
        ("Eisen", "iron"),
        ("Hämoglobin", "hemoglobin"),
        ("Haemoglobin (Hb)", "hemoglobin"),
        ("Hemoglobin [Mass/volume] in Blood", "hemoglobin"),
        ("Vitamin-B12", "b12"),
        ("Vit. B 12", "b12"),
        ("Cobalamin", "b12"),
        ("Vitamine B12", "b12"),
        ("Holo-Transcobalamin", "holotranscobalamin"),
        ("Folsäure", "folate"),
        ("Folsaeure", "folate"),
        ("Transferrinsättigung", "tsat"),
        ("Transferrinsaettigung", "tsat"),
        ("Fe/TIBC ratio", "tsat"),
        ("Transferrin-Rezeptor", "stfr"),
        ("Retikulozyten-Hämoglobin", "ret_he"),
        ("C-reaktives Protein", "crp"),
        ("Thrombozyten", "platelets"),
    ],
)
def test_a_name_is_known_in_several_languages(name, analyte):
    assert analyte in analytes_named(name)
    assert contradiction(name, analyte) is None


@pytest.mark.parametrize(("name", "analyte"), [("Transferin", "transferrin"), ("Ferittin", "ferritin")])
def test_a_slip_of_the_pen_is_proposed_but_contradicts_nothing(name, analyte):
    assert proposed(name) == {analyte}
    assert contradiction(name, "folate") is None


@pytest.mark.parametrize(
    "name",
    [
        "HbA1c",
        "Glycated hemoglobin",
        "Hemoglobin A1c/Hemoglobin.total in Blood",
        "Hemoglobin A",
        "HbF",
        "Fetal hemoglobin",
        "Hb-Varianten",
        "Carboxyhämoglobin",
        "Freies Hämoglobin",
        "Hemoglobin.gastrointestinal [Presence] in Stool",
        "Hemoglobin Urin",
        "CDT",
        "Carbohydrate-deficient transferrin",
        "Kohlenhydratdefizientes Transferrin",
        "Creatine",
        "Kreatin",
        "Creatinine clearance",
        "Myoglobin",
        "Apoferritin",
        "Lactoferrin",
        "Homocystin",
        "Natrium",
        "Gastrin-releasing peptide",
        "IgA2",
        "Hematocrit, Joint Fluid",
        "WBC, peritoneal",
        "",
    ],
)
def test_what_only_looks_like_one_of_ours_is_never_proposed(name):
    assert proposed(name) == frozenset()


def test_the_hemoglobin_of_a_red_cell_or_of_a_reticulocyte_is_not_the_hemoglobin_level():
    for name in ("MCH", "MCHC", "Mean corpuscular hemoglobin", "Ret-He", "Reticulocyte hemoglobin"):
        assert "hemoglobin" not in proposed(name)
        assert contradiction(name, "hemoglobin") is not None


@pytest.mark.parametrize(
    ("name", "analyte", "says"),
    [
        ("Ferritin", "folate", "Ferritin"),
        ("Iron", "tibc", "Iron (serum)"),
        ("HbA1c", "hemoglobin", "glycated hemoglobin"),
        ("Hämoglobin im Urin", "hemoglobin", "a urine test"),
        ("Lactate Dehydrogenase, Pleural", "ldh", "a test of another body fluid or tissue"),
        ("CDT", "transferrin", "carbohydrate-deficient transferrin"),
    ],
)
def test_a_name_of_something_else_contradicts_the_code(name, analyte, says):
    assert contradiction(name, analyte) == says


def test_stool_contradicts_no_stool_test():
    assert contradiction("Hemoglobin.gastrointestinal [Presence] in Stool", "fit") is None
    assert contradiction("Calprotectin in stool", "calprotectin") is None
