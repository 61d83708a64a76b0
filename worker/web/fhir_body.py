"""The body of a FHIR request: its media type, its encoding, its size and how long it may take to come.

Refused while it comes in when it is larger than anything we read, packed or unpacked. What it says is not
looked at here.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from email.message import Message

from fastapi import Request

from worker.intake.fhir_package import MAX_BYTES
from worker.web.fhir_answers import FHIR_JSON, fhir_version, refusal

BODY_SECONDS = 30.0
"""A body that has not come by then is given up."""

_MEDIA = frozenset({FHIR_JSON, "application/json", "text/json"})
_OLD_MEDIA = frozenset({"application/json+fhir", "text/json+fhir"})
_VERSIONS = {"3.0": "STU3", "1.0": "DSTU2", "4.3": "R4B", "5.0": "R5", "6.0": "R6"}
_GZIP = zlib.MAX_WBITS | 16
_TOO_LARGE = f"send at most {MAX_BYTES} bytes, unpacked; or the file as ndjson by `ferrule submit`"


async def fhir_body(request: Request) -> bytes:
    """The body, unpacked; raises `FhirRefusal` 400, 408, 413 or 415."""
    _refuse_media(request)
    if int(request.headers.get("content-length", "0") or 0) > MAX_BYTES:
        raise refusal(413, _TOO_LARGE)
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("identity", "gzip", "x-gzip", ""):
        raise refusal(415, "Content-Encoding: expected gzip or none")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(request.stream(), gzip="gzip" in packed)
    except TimeoutError:
        raise refusal(408, "the body did not come in time", headers={"Connection": "close"}) from None


async def _read(chunks: AsyncIterator[bytes], *, gzip: bool) -> bytes:
    body = bytearray()
    unpacker = zlib.decompressobj(_GZIP) if gzip else None
    async for chunk in chunks:
        body += _unpacked(unpacker, chunk, MAX_BYTES + 1 - len(body)) if unpacker else chunk
        if len(body) > MAX_BYTES:
            raise refusal(413, _TOO_LARGE)
    if unpacker is not None and (not unpacker.eof or unpacker.unused_data):
        raise refusal(400, "Content-Encoding: the body is not one whole gzip stream")
    return bytes(body)


def _unpacked(unpacker: zlib._Decompress, chunk: bytes, room: int) -> bytes:
    """At most `room` bytes of what a chunk unpacks to: the rest of a bomb is never made."""
    try:
        return unpacker.decompress(unpacker.unconsumed_tail + chunk, max(room, 1))
    except zlib.error:
        raise refusal(400, "Content-Encoding: the body is not gzip") from None


def _refuse_media(request: Request) -> None:
    given = Message()
    given["content-type"] = request.headers.get("content-type", "")
    media = given.get_content_type() if request.headers.get("content-type") else ""
    if media in _OLD_MEDIA:
        raise refusal(415, f"Content-Type: this is the media type of DSTU2; send R4 as {FHIR_JSON}")
    if media not in _MEDIA:
        raise refusal(415, f"Content-Type: expected {FHIR_JSON}; XML is not read")
    charset = str(given.get_param("charset", "utf-8")).lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise refusal(415, "Content-Type: expected charset=utf-8")
    version = fhir_version(request.headers["content-type"].partition(";")[2])
    if version is not None and version not in ("4.0", "4.0.1"):
        named = _VERSIONS.get(version[:3], "another version")
        raise refusal(415, f"Content-Type: FHIR {named} is not read; send R4 (fhirVersion=4.0)")
