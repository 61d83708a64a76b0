"""The envelope of a FHIR Bundle: its type, its entries, what each asks for. The resources stay JSON here."""

from __future__ import annotations

from typing import Literal

from worker.intake.fhir_datatypes import (
    Backbone,
    Code,
    Element,
    Identifier,
    Instant,
    Meta,
    String,
    Unread,
    Uri,
)

READ_KINDS = frozenset({"transaction", "batch", "message", "collection", "searchset", "history"})
ASKING_KINDS = frozenset({"transaction", "batch"})


class EntryRequest(Backbone):
    """What a transaction or batch asks to be done with an entry."""

    method: Literal["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]
    url: String
    if_none_match: String | None = None
    if_modified_since: Unread = None
    if_match: String | None = None
    if_none_exist: String | None = None


class BundleEntry(Backbone):
    """One entry."""

    link: Unread = None
    full_url: Uri | None = None
    resource: Unread = None
    search: Unread = None
    request: EntryRequest | None = None
    response: Unread = None


class Bundle(Element):
    """The envelope."""

    resource_type: Literal["Bundle"]
    meta: Meta | None = None
    implicit_rules: None = None
    language: Code | None = None
    identifier: Identifier | None = None
    type: Literal[
        "document", "message", "transaction", "transaction-response", "batch", "batch-response", "history",
        "searchset", "collection",
    ]  # fmt: skip
    timestamp: Instant | None = None
    total: Unread = None
    link: Unread = None
    entry: tuple[BundleEntry, ...] = ()
    signature: Unread = None
