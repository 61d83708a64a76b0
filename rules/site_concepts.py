"""A site's own concepts, and its codes and names added to the library's: refused where they cannot be meant.

Sites give names as words, never as regular expressions: no pattern of theirs can take forever. What loads and
yet should be looked at (a code that already means something) is told by `overlaps`, for `rules.lint`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rules.analytes import CATALOGUE
from rules.concepts import CONCEPTS, LIBRARY, SYSTEMS, Concept, Entry, concepts_of, fits_plain, short_system
from rules.nearest import nearest
from rules.rule import SiteChange
from rules.shape import SiteConceptShape, SiteFileShape
from rules.shaping import shaped
from rules.yaml_source import Path_, Refused, Source

_WILD = re.compile(r"[*?\[\]!-]")


def concepts_at(site: Source) -> Mapping[str, Concept]:
    """The library's concepts with the site's own and its additions among them.

    Raises:
        BadFile: an unknown system, kind or part, a name that is taken, or an addition of nothing.
    """
    own = shaped(site, SiteFileShape).concepts
    if not own:
        return CONCEPTS
    refused, entries = Refused(), dict(LIBRARY)
    for name, shape in own.items():
        with refused.gathered():
            _check(site, name, shape, {*LIBRARY, *own})
    refused.check()
    for name, shape in own.items():
        entries[name] = _extended(LIBRARY[name], shape) if name in LIBRARY else _new(name, shape)
    return concepts_of(entries)


def concept_changes(site: Source) -> Iterator[SiteChange]:
    """What the site has added, for the list of its changes."""
    shape = shaped(site, SiteFileShape)
    signed = f"{shape.signed_by}, {shape.site}, {shape.signed_on}"
    for name, own in shape.concepts.items():
        was = "concept of the library" if name in LIBRARY else "no such concept"
        yield SiteChange(name, was, f"with {_added(own)}", own.because, signed)


def overlaps(site: Source) -> Iterator[tuple[str, int, str]]:
    """Concept, line and what a code of it means already; that may be meant (one code, two concepts)."""
    for name, own in shaped(site, SiteFileShape).concepts.items():
        kind = LIBRARY[name]["kind"] if name in LIBRARY else own.kind
        for written, codes in own.codes.items():
            system = short_system(written)
            for index, code in enumerate(codes):
                line = site.line(("concepts", name, "codes", written, index))
                for other in CONCEPTS.values():
                    if other.kind == kind and fits_plain(other, system, code):
                        already = "is one of its codes already" if other.name == name else _also(other)
                        yield name, line, f"{code} {already}"


def _also(other: Concept) -> str:
    return f"means '{other.name}' ({other.display}) as well; a record with it counts as both"


def _check(site: Source, name: str, shape: SiteConceptShape, known: set[str]) -> None:
    path: Path_ = ("concepts", name)
    if name in CATALOGUE:
        raise site.error(path, f"'{name}' is an analyte; give the concept another name")
    if name in LIBRARY and shape.kind is not None:
        kind = LIBRARY[name]["kind"]
        raise site.error(
            (*path, "kind"), f"'{name}' is a {kind} concept of the library; leave 'kind' out to add to it"
        )
    if name not in LIBRARY and shape.kind is None:
        near = nearest(name, LIBRARY)
        raise site.error(path, f"the library has no concept '{name}'; {near}a new one needs its 'kind'")
    if not (shape.codes or shape.names or shape.includes or shape.without):
        raise site.error(path, f"'{name}' gives no codes and no names; say which records mean it")
    for part in shape.includes:
        _check_part(site, (*path, "includes"), part, known, shape.kind or LIBRARY[name]["kind"])
    for key, by_system in (("codes", shape.codes), ("except", shape.without)):
        for system, codes in by_system.items():
            _check_codes(site, (*path, key, system), system, codes)


def _check_part(site: Source, path: Path_, part: str, known: set[str], kind: str) -> None:
    if part not in known:
        raise site.error(path, f"unknown concept '{part}'; {nearest(part, known)}`ferrule rules concepts`")
    if part not in LIBRARY:
        raise site.error(path, f"'{part}' is this site's own; only the library's can be parts")
    if LIBRARY[part]["kind"] != kind:
        raise site.error(path, f"'{part}' is a {LIBRARY[part]['kind']} concept, not a {kind}")


def _check_codes(site: Source, path: Path_, system: str, codes: list[str]) -> None:
    if system not in SYSTEMS and ":" not in system:
        raise site.error(
            path,
            f"unknown code system '{system}'; {nearest(system, SYSTEMS)}there are {', '.join(SYSTEMS)}, "
            "or the URI that your messages carry",
        )
    for index, code in enumerate(codes):
        if not _WILD.sub("", code).strip():
            raise site.error((*path, index), f"'{code}' would take every code; give at least its beginning")


def _codes(by_system: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """By short name; a URI that has one is the same system."""
    found: dict[str, list[str]] = {}
    for system, codes in by_system.items():
        found.setdefault(short_system(system), []).extend(codes)
    return found


def _pattern(names: list[str]) -> str:
    """Any of the names as whole words, with any white space between its words."""
    said = (r"\s+".join(re.escape(word) for word in name.split()) for name in names)
    return "|".join(rf"\b{name}\b" for name in said)


def _new(name: str, shape: SiteConceptShape) -> Entry:
    entry: dict[str, Any] = {
        "kind": shape.kind,
        "display": name.replace("_", " "),
        "codes": _codes(shape.codes),
        "except": _codes(shape.without),
        "includes": shape.includes,
        "checked": "no",
        "source": f"this site: {shape.because}",
    }
    return entry | ({"names": _pattern(shape.names), "example": shape.names[0]} if shape.names else {})


def _extended(entry: Entry, shape: SiteConceptShape) -> Entry:
    more: dict[str, Any] = {
        key: {s: [*entry.get(key, {}).get(s, ()), *added.get(s, ())] for s in {**entry.get(key, {}), **added}}
        for key, added in (("codes", _codes(shape.codes)), ("except", _codes(shape.without)))
    }
    if shape.names:
        names = [f"(?:{entry['names']})"] if "names" in entry else []
        more["names"] = "|".join([*names, _pattern(shape.names)])
    return {**entry, **more, "includes": [*entry.get("includes", ()), *shape.includes]}


def _added(shape: SiteConceptShape) -> str:
    said = [f"{s} {', '.join(codes)}" for s, codes in shape.codes.items()]
    said += [f"names {', '.join(shape.names)}"] if shape.names else []
    said += [f"all of {', '.join(shape.includes)}"] if shape.includes else []
    said += [f"not {s} {', '.join(codes)}" for s, codes in shape.without.items()]
    return "; ".join(said)
