"""A mistake in one of the library's own tables stops the program as it starts, before anything is judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules import analytes, concepts, names, units


def test_a_factor_to_a_unit_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"analytes\.yaml: made-up: unknown unit 'furlong'"):
        list(analytes._crossings("made-up", "furlong", ()))


def test_a_code_that_two_analytes_claim_or_that_is_mistyped_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ferritin = analytes.CATALOGUE["ferritin"]
    twin = replace(ferritin, name="ferritin_twin")
    monkeypatch.setattr(analytes, "CATALOGUE", {"ferritin": ferritin, "ferritin_twin": twin})
    with pytest.raises(ValueError, match=r"ferritin_twin: .* is mapped twice or mistyped"):
        list(analytes._by_loinc())
    mistyped = replace(ferritin, loinc={"2276-5": "mass"})
    monkeypatch.setattr(analytes, "CATALOGUE", {"ferritin": mistyped})
    with pytest.raises(ValueError, match="2276-5 is mapped twice or mistyped"):
        list(analytes._by_loinc())


def test_a_concept_that_stands_in_two_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concepts, "library_names", lambda _folder: ["one.yaml", "two.yaml"])
    monkeypatch.setattr(concepts, "read_library", lambda *_path: {"celiac": {}})
    with pytest.raises(ValueError, match=r"concepts/two\.yaml: celiac is there twice"):
        list(concepts._entries())


def test_a_spelling_that_means_two_units_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = {"mass": {"units": units.read_library("units.yaml")["mass"]["units"]}}
    twice["molar"] = twice["mass"]
    monkeypatch.setattr(units, "read_library", lambda _file: twice)
    with pytest.raises(ValueError, match=r"units\.yaml: .* is both"):
        list(units._load())


def test_a_name_of_an_analyte_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_FILE", {"names": {"feritin": ["ferritin"]}})
    with pytest.raises(ValueError, match=r"names\.yaml: unknown analyte 'feritin'"):
        names._by_name()
