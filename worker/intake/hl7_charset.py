"""Bytes of an HL7 v2 message as text, by MSH-18; what was not declared is read as UTF-8, else ISO 8859-1."""

from __future__ import annotations

from worker.intake.marks import Mark
from worker.intake.unreadable import Reason, Unreadable

# HL7 table 0211, and spellings seen in the wild, upper case without spaces, dashes and underscores.
CODECS = {
    "ASCII": "ascii",
    "UNICODE": "utf-8",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "ISOIR6": "ascii",
    "ISOIR100": "iso8859-1",
    "ISOIR14": "iso2022_jp",
    "ISOIR87": "iso2022_jp",
    "ISOIR159": "iso2022_jp_1",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "KSX1001": "euc_kr",
    "BIG5": "big5hkscs",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15)},
    **{f"ISO8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    **{f"ISO8859{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    **{f"8859{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "8859": "iso8859-1",
}


def codec_of(declared: list[str]) -> str | None:
    """The codec for the repetitions of MSH-18; None when nothing was declared. Raises `Unreadable`.

    Of several, ASCII is the least: it is a part of the others.
    """
    names = ["".join(name.upper().replace("-", "").replace("_", "").split()) for name in declared]
    named = [name for name in names if name]
    if not named:
        return None
    for name in named:
        if name not in CODECS:
            raise Unreadable(
                Reason.CHARSET, "MSH-18", "expected a character set of HL7 table 0211, got another"
            )
    codecs = [CODECS[name] for name in named]
    return next((codec for codec in codecs if codec != "ascii"), "ascii")


def decoded(raw: bytes, codec: str | None) -> tuple[str, str, tuple[Mark, ...]]:
    """(text, codec used, marks). Bytes invalid in a declared set become U+FFFD, marked, never dropped."""
    if codec is None:
        try:
            return raw.decode("utf-8"), "utf-8", ()
        except UnicodeDecodeError:
            return raw.decode("iso8859-1"), "iso8859-1", (Mark.CHARSET_UNDECLARED,)
    try:
        return raw.decode(codec), codec, ()
    except UnicodeDecodeError:
        return raw.decode(codec, errors="replace"), codec, (Mark.BYTES_REPLACED,)
