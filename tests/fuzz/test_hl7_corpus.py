"""The corpus of the HL7 fuzzers, and changes of it, are framed, answered and read without an exception."""

import random
from pathlib import Path

import pytest

from tests.fuzz.hl7_reader import take_all

CORPUS = sorted((Path(__file__).parent / "hl7_corpus").iterdir())
CHANGES = 150
PIECES = [
    *(b"", b"\x0b", b"\x1c\r", b"\x1c", b"\r", b"\n", b"|", b"^~\\&", b"\\X0D\\", b"\xff", b"\x00"),
    *(b"~" * 30, b"MSH|", b"PID|", b"OBX|1|NM|", b"99999999999999+2600", b"BHS|^~\\&|\r"),
]


def changed(raw: bytes, chance: random.Random) -> bytes:
    """`raw` with a piece dropped, doubled or overwritten."""
    at, size = chance.randrange(len(raw)), chance.randrange(1, 20)
    piece = chance.choice([*PIECES, raw[at : at + size] * 2])
    return raw[:at] + piece + raw[at + size :]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_b12_what_the_fuzzers_found_is_taken_or_refused(path: Path) -> None:
    raw = path.read_bytes()
    chance = random.Random(path.name)
    take_all(raw)
    for _ in range(CHANGES):
        take_all(changed(raw, chance))
