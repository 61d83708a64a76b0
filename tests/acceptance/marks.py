"""Marked patient data, and finding it again however it was spelled on the way."""

import base64
import re
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from urllib.parse import quote

import redis

# Made up, and unlike anything else a program could print.
MARKS: Mapping[str, str] = {
    "name": "Zzmarkova",
    "id": "MRK58203917",
    "birth date": "1931-07-29",
    "birth date in HL7": "19310729",
    "ferritin": "9.77319",
    "b12": "1450.58203",
    "note": "zznotemark",
}


def spellings(mark: str) -> Iterator[bytes]:
    """The mark as text, percent-encoded, in hex, and in base64 wherever its first byte may have fallen."""
    raw = mark.encode()
    yield raw
    yield quote(mark).encode()
    yield raw.hex().encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        # The first and last characters also hold bits of what stands beside the mark.
        first, last = (0, 2, 3)[before], (before + len(raw)) * 8 // 6
        yield encoded[first:last]


def found(places: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Which marks are in which place; base64 is looked for as it is, all else in any case."""
    leaks: dict[str, list[str]] = {}
    for place, content in places.items():
        folded = content.lower()
        for name, mark in MARKS.items():
            plain, percent, hexadecimal, *encoded = spellings(mark)
            folded_forms = (plain.lower(), percent.lower(), hexadecimal)
            if any(form in folded for form in folded_forms) or any(form in content for form in encoded):
                leaks.setdefault(place, []).append(name)
    return leaks


def broker_content(url: str) -> bytes:
    """Every key of every database of the broker with all that is in it."""
    kept: list[object] = []
    for name in redis.Redis.from_url(url).info("keyspace"):
        database = redis.Redis.from_url(url, db=int(name.removeprefix("db")))
        for key in database.scan_iter():
            kept += [key, database.execute_command(*_read(database.execute_command("TYPE", key), key))]
    return repr(kept).encode()


def _read(kind: bytes, key: bytes) -> tuple[object, ...]:
    """The command that reads all of a key of this type (DUMP would compress it out of sight)."""
    return {
        b"string": ("GET", key),
        b"list": ("LRANGE", key, 0, -1),
        b"set": ("SMEMBERS", key),
        b"zset": ("ZRANGE", key, 0, -1),
        b"hash": ("HGETALL", key),
        b"stream": ("XRANGE", key, "-", "+"),
    }[kind]


def letters_content(letters: list[bytes], messages: list[EmailMessage]) -> bytes:
    """The letters as sent, and as a mail program shows them: headers and parts decoded."""
    shown = [str(value) for message in messages for value in message.values()]
    shown += [
        str(part.get_content()) for message in messages for part in message.walk() if not part.is_multipart()
    ]
    return b"\n".join([*letters, *(line.encode() for line in shown)])


def without_timings(metrics: bytes) -> bytes:
    """The metrics page without its values: a sum of seconds may hold any digits, labels and names may not."""
    return re.sub(rb"(?m)^([^#].*) \S+$", rb"\1", metrics)
