"""The fuzzers' corpus, and small changes of it, are read without an unhandled exception."""

import random
from pathlib import Path

import pytest

from tests.fuzz.fhir_reader import read_all

CORPUS = sorted((Path(__file__).parent / "fhir_corpus").iterdir())
CHANGES = 150


def changed(raw: bytes, chance: random.Random) -> bytes:
    """`raw` with a piece dropped, doubled or overwritten."""
    at, size = chance.randrange(len(raw)), chance.randrange(1, 20)
    piece = chance.choice([b"", raw[at : at + size] * 2, b"null", b"[]", b"{}", b'""', b"1e9999", b"\xff"])
    return raw[:at] + piece + raw[at + size :]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_the_fuzzers_found_is_read_or_refused(path: Path) -> None:
    raw = path.read_bytes()
    chance = random.Random(path.name)
    read_all(raw)
    for _ in range(CHANGES):
        read_all(changed(raw, chance))
