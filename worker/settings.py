"""What a site may set: `FERRULE_*` from the environment, or from the file that `FERRULE_CONFIG` names.

Each setting `X` may come as `X_FILE`, a path to a file that holds the value (for secrets). An unknown key, a
key given twice and settings that contradict each other stop the start and name themselves; no message ever
shows a value that could be a secret. This module reads settings; it opens no connection and starts nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from joserfc.jwk import KeySet
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from alerts.zones import zone_named
from worker.locales import locale_named, tag_of

PREFIX = "FERRULE_"
CONFIG_KEY = "FERRULE_CONFIG"
"""Names a file of `FERRULE_X=value` lines; the environment wins over it."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Where http is as good as https: nobody else listens."""

NOT_OURS = frozenset({"FERRULE_NO_APT"})
"""Keys that `make` reads; they are no settings but no mistakes either."""


class SettingsError(Exception):
    """A setting is unknown, unreadable or contradicts another. The message is one line and shows no value."""


def _host_and_port(text: object) -> object:
    if not isinstance(text, str):
        return text
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError("expected HOST:PORT")
    return text


def _zone(text: object) -> object:
    return zone_named(text) if isinstance(text, str) else text


def _locale(text: object) -> object:
    return tag_of(locale_named(text)) if isinstance(text, str) else text


def _networks(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("expected addresses or networks such as 10.1.2.3, 10.2.0.0/16") from None


Listen = Annotated[str, BeforeValidator(_host_and_port)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
LocaleTag = Annotated[str, BeforeValidator(_locale)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)]


def _json_object(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        raise ValueError("expected a JSON object") from None


class FhirServer(BaseModel):
    """Where the events of a sender's subscriptions are fetched when one was missed; `token` is a bearer's."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base: str = Field(pattern=r"^https?://[^\s?#]+$")
    token: SecretStr | None = None


class CdsClient(BaseModel):
    """A client of the CDS Hooks service: the public keys that its calls are signed with."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    jwks: dict[str, Any]

    @model_validator(mode="after")
    def _readable(self) -> Self:
        keys = self.jwks.get("keys")
        if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
            raise ValueError('expected {"keys": [...]}')
        if any(key.get("kty") not in ("EC", "RSA") or "d" in key for key in keys):
            raise ValueError("expected public EC or RSA keys alone")
        try:
            assert self.keys
        except Exception:
            raise ValueError("expected a JSON Web Key Set") from None
        return self

    @property
    def keys(self) -> KeySet:
        """The keys, ready to check with."""
        return KeySet.import_key_set(self.jwks)  # type: ignore[arg-type]


def _claim_values(value: object) -> object:
    """Claim values by role, as FERRULE_OIDC_ROLES gives them."""
    return (
        {k: [v] if isinstance(v, str) else v for k, v in value.items()} if isinstance(value, dict) else value
    )


PersonRole = Literal["clinician", "operator", "rule-owner", "privacy-officer"]
"""What a person may be who signs in."""


class Settings(BaseSettings):
    """All settings with their defaults. Build it with `read_settings`, which checks what pydantic cannot."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(Path(".ferrule"), description="Where the embedded parts keep their files.")
    database_url: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL (postgresql+psycopg://… or sqlite:///…); default: SQLite in DATA_DIR.",
    )
    broker_url: SecretStr | None = Field(None, description="Celery broker URL; default: `up` starts its own.")
    http_listen: Listen = Field("127.0.0.1:8000", description="HOST:PORT of the pages and the API.")
    mllp_listen: Listen = Field("127.0.0.1:2575", description="HOST:PORT of the HL7 listener.")
    mllp_tls_certificate: Path | None = Field(
        None, description="PEM chain of the HL7 listener; turns TLS on."
    )
    mllp_tls_key: Path | None = Field(None, description="PEM key of MLLP_TLS_CERTIFICATE.")
    mllp_client_ca: Path | None = Field(
        None, description="PEM authorities of client certificates, which HL7 senders must then show."
    )
    mllp_client_crl: Path | None = Field(None, description="PEM list of revoked client certificates.")
    mllp_known_peers: Networks = Field(
        (), description="Addresses of HL7 senders (10.1.2.3, 10.2.0.0/16) for whom places are kept free."
    )
    mllp_connections: int = Field(256, ge=2, le=10_000, description="HL7 connections at once.")
    mllp_connections_of_peer: int = Field(32, ge=1, le=10_000, description="HL7 connections of one address.")
    mllp_max_bytes: int = Field(
        4 * 1024 * 1024, ge=1024, le=4 * 1024 * 1024, description="The largest HL7 message taken."
    )
    mllp_total_bytes: int = Field(
        256 * 1024 * 1024,
        ge=8 * 1024 * 1024,
        description="What all HL7 connections together keep unanswered; beyond it they are read in turn.",
    )
    mllp_frame_seconds: float = Field(
        60, ge=0.1, le=3600, description="How long an HL7 message may take from its first byte to its last."
    )
    mllp_idle_seconds: float = Field(
        3600, ge=0.1, le=86_400, description="How long an HL7 connection may send nothing."
    )
    mllp_end_block: Literal["lenient", "strict"] = Field(
        "lenient", description="lenient: take a message whose end block has no carriage return, after 1 s."
    )
    mllp_test_messages: Literal["refuse", "keep"] = Field(
        "refuse", description="HL7 with MSH-11 T or D: refuse answers AR, keep answers AA; none is judged."
    )
    mllp_unknown_senders: Literal["refuse", "accept"] = Field(
        "refuse", description="refuse: once SOURCES_FILE names HL7 senders, all others are answered AR."
    )
    metrics_listen: Listen | None = Field(None, description="HOST:PORT of a metrics page of its own.")
    public_url: str | None = Field(None, description="How clinicians reach the pages; used in links.")
    rules_dir: Path | None = Field(None, description="Rule files to use instead of the built-in library.")
    site_file: Path | None = Field(None, description="The site's own limits, statuses and rules.")
    default_zone: Zone | None = Field(None, description="Zone of times that carry no offset.")
    locale: LocaleTag | None = Field(
        None,
        description="How pages and lists write dates, times and thousands: `de-DE`. Texts stay English.",
    )
    sources_file: Path | None = Field(
        None, description="Who sends to us and how each writes (YAML); its mapping files lie beside it."
    )
    fhir_servers: Annotated[dict[str, FhirServer], BeforeValidator(_json_object)] = Field(
        default_factory=dict,
        description='JSON: whose missed subscription events are fetched where: {"SOURCE": {"base": "https://…"}}.',
    )
    smtp_url: SecretStr | None = Field(
        None,
        description="smtp://user:password@host:port of the mail relay; off this machine by STARTTLS alone.",
    )
    smtp_from: str | None = Field(None, description="The sender's address of e-mails.")
    webhook_url: SecretStr | None = Field(
        None, description="https://… that alerts are told to, signed (Standard Webhooks)."
    )
    webhook_secret: SecretStr | None = Field(
        None, description="whsec_…, its signing secret; two by a space while they are exchanged."
    )
    chat_url: SecretStr | None = Field(
        None, description="Apprise URL of a team's channel (slack://…, workflows://… for Teams)."
    )
    sms_url: SecretStr | None = Field(
        None,
        description="Apprise URL for SMS; {phone} stands for the recipient's number: twilio://…/{phone}.",
    )
    pager_url: SecretStr | None = Field(
        None, description="Apprise URL of a pager service (pagerduty://…, opsgenie://…)."
    )
    fhir_url: SecretStr | None = Field(
        None, description="https://…/fhir of the server that alerts are written to (needs PUBLIC_URL)."
    )
    fhir_token_file: Path | None = Field(
        None, description="File with FHIR_URL's bearer token, read anew for each attempt."
    )
    hl7_record_url: SecretStr | None = Field(
        None, description="mllps://host:port that alerts are sent back to as ORU^R01 (needs PUBLIC_URL)."
    )
    hl7_record_ca: Path | None = Field(None, description="PEM authorities of HL7_RECORD_URL's certificate.")
    hl7_record_certificate: Path | None = Field(
        None, description="PEM chain and key that are shown to HL7_RECORD_URL."
    )
    private_hosts: str | None = Field(
        None, description="Hosts of our own network that channels may send to, by commas; http is for these."
    )
    cds_clients: Annotated[dict[str, CdsClient], BeforeValidator(_json_object)] = Field(
        default_factory=dict,
        description='JSON: who may call CDS Hooks, with which keys: {"ISSUER": {"jwks": {"keys": […]}}}.',
    )
    escalation_file: Path | None = Field(
        None, description="How long each severity may wait, and who hears of it then (YAML)."
    )
    fallback_pool: str = Field("unaddressed", description="The pool that gets alerts nobody else can get.")
    test_patients: str | None = Field(
        None, description="How numbers and names of test patients begin, by commas: `ZZ,TEST`. Never judged."
    )
    live_since: AwareDatetime | None = Field(
        None, description="Results known before this time (with offset) are judged and never told."
    )
    storm_floor: int = Field(
        200, ge=0, description="Alerts of one rule in STORM_MINUTES that are no storm yet; 0: no brake."
    )
    storm_minutes: int = Field(15, ge=1, le=1440, description="How long a surge is looked at.")
    storm_factor: int = Field(10, ge=1, description="How many times the usual hour a surge must be.")
    operator_email: str | None = Field(None, description="Who is told once of a storm.")
    local_accounts: bool = Field(False, description="on: allow POST /login with accounts kept by Ferrule.")
    oidc_issuer: str | None = Field(
        None, description="https://… of the OpenID provider where people sign in; turns sign-in on."
    )
    oidc_client_id: str | None = Field(None, description="Ferrule's name at the OpenID provider.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="Its secret there, for client_secret_basic."
    )
    oidc_scope: str = Field(
        "openid profile", description="What is asked for; the claims below must come of it."
    )
    oidc_roles_claim: str = Field("groups", description="The ID token's claim that roles are read from.")
    oidc_roles: Annotated[
        dict[PersonRole, list[str]], BeforeValidator(_claim_values), BeforeValidator(_json_object)
    ] = Field(
        default_factory=dict,
        description='JSON: which values of OIDC_ROLES_CLAIM make whom: {"clinician": ["lab-alerts"]}. '
        "Roles: clinician, operator, rule-owner, privacy-officer.",
    )
    oidc_ident_claim: str = Field(
        "npi", description="The claim that holds a clinician's id in the directory."
    )
    oidc_ident_system: str = Field(
        "http://hl7.org/fhir/sid/us-npi", description="The system of OIDC_IDENT_CLAIM's ids."
    )
    oidc_acr: str | None = Field(
        None,
        description="The acr a sign-in must have (spaces between several), such as that of a second factor.",
    )
    oidc_step_up_acr: str | None = Field(
        None,
        description="The acr (spaces between several) that break-glass, marks of sensitive patients and what "
        "discards for good need; who lacks it signs in once more.",
    )
    privacy_email: str | None = Field(
        None, description="Who is told when a patient is opened by break-glass."
    )
    audit_key: SecretStr | None = Field(
        None,
        description="PEM of the Ed25519 private key that signs heads of the audit chain; AUDIT_KEY_FILE.",
    )
    audit_heads_dir: Path | None = Field(
        None, description="Directory of another machine (a share) to keep the signed head in every 5 minutes."
    )
    audit_heads_url: SecretStr | None = Field(
        None, description="https://… the signed head is posted to every 5 minutes (application/jose)."
    )
    pool: Literal["solo", "threads", "prefork"] = Field(
        "solo", description="Celery pool. solo: CONCURRENCY processes of one task each."
    )
    concurrency: int = Field(2, ge=1, le=256, description="Tasks at once on this machine.")
    lease_seconds: int = Field(30, ge=1, le=3600, description="How long claimed work belongs to its claimer.")
    attempts: int = Field(3, ge=1, le=20, description="Runs of one message before it is set aside.")
    batch_size: int = Field(50, ge=1, le=1000, description="Messages judged together.")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="From where on.")
    demo_seed: int = Field(1, description="Which synthetic day the demo plays.")
    demo_exit: bool = Field(False, description="End the demo after its summary.")
    allow_faults: bool = Field(
        False, description="yes: let FAULTPOINTS kill processes. For fault tests only."
    )
    faultpoints: str = Field("", description="Where and how often to die: `before-commit=0.05,…`.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `read_settings` hands in: it has read the environment and the files already."""
        return (init_settings,)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.faultpoints and not self.allow_faults:
            raise ValueError("FERRULE_FAULTPOINTS needs FERRULE_ALLOW_FAULTS=yes")
        if self.smtp_from and not self.smtp_url:
            raise ValueError("FERRULE_SMTP_FROM is set but FERRULE_SMTP_URL is not")
        if self.cds_clients and not self.public_url:
            raise ValueError("FERRULE_CDS_CLIENTS needs FERRULE_PUBLIC_URL")
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("FERRULE_WEBHOOK_URL and FERRULE_WEBHOOK_SECRET belong together")
        if (self.audit_heads_dir or self.audit_heads_url) and not self.audit_key:
            raise ValueError(
                "FERRULE_AUDIT_HEADS_DIR and FERRULE_AUDIT_HEADS_URL need FERRULE_AUDIT_KEY_FILE"
            )
        if (self.mllp_tls_certificate is None) != (self.mllp_tls_key is None):
            raise ValueError("FERRULE_MLLP_TLS_CERTIFICATE and FERRULE_MLLP_TLS_KEY belong together")
        if self.mllp_client_ca and not self.mllp_tls_certificate:
            raise ValueError("FERRULE_MLLP_CLIENT_CA needs FERRULE_MLLP_TLS_CERTIFICATE")
        if self.mllp_client_crl and not self.mllp_client_ca:
            raise ValueError("FERRULE_MLLP_CLIENT_CRL needs FERRULE_MLLP_CLIENT_CA")
        _refuse_half_a_sign_in(self)
        _refuse_half_a_record_system(self)
        _refuse_shared_address(self)
        return self

    @property
    def test_patients_begin(self) -> tuple[str, ...]:
        """The beginnings in TEST_PATIENTS."""
        begin = (text.strip() for text in (self.test_patients or "").split(","))
        return tuple(text for text in begin if text)

    @property
    def private_host_names(self) -> tuple[str, ...]:
        """The hosts in PRIVATE_HOSTS."""
        names = (name.strip() for name in (self.private_hosts or "").split(","))
        return tuple(name for name in names if name)

    @property
    def database(self) -> str:
        """The database's URL in clear; SQLite in DATA_DIR when none is set."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.absolute() / 'ferrule.sqlite3'}"

    @property
    def broker(self) -> str | None:
        """The broker's URL in clear, if one is set."""
        return self.broker_url.get_secret_value() if self.broker_url else None

    @property
    def links_to(self) -> str:
        """The address that links in e-mails and webhooks start with."""
        return (self.public_url or f"http://{self.http_listen}").rstrip("/")


def _refuse_half_a_sign_in(settings: Settings) -> None:
    if settings.oidc_issuer is None:
        if settings.oidc_step_up_acr:
            raise ValueError("FERRULE_OIDC_STEP_UP_ACR needs FERRULE_OIDC_ISSUER")
        return
    for name in ("oidc_client_id", "oidc_roles", "public_url"):
        if not getattr(settings, name):
            raise ValueError(f"FERRULE_OIDC_ISSUER needs FERRULE_{name.upper()}")
    parts = urlsplit(settings.oidc_issuer)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ValueError("FERRULE_OIDC_ISSUER: expected https://…")
    if "openid" not in settings.oidc_scope.split():
        raise ValueError("FERRULE_OIDC_SCOPE: expected openid among them")


def _refuse_half_a_record_system(settings: Settings) -> None:
    if settings.fhir_url and not settings.public_url:
        raise ValueError("FERRULE_FHIR_URL needs FERRULE_PUBLIC_URL")
    if settings.fhir_token_file and not settings.fhir_url:
        raise ValueError("FERRULE_FHIR_TOKEN_FILE is set but FERRULE_FHIR_URL is not")
    if settings.hl7_record_url and not settings.public_url:
        raise ValueError("FERRULE_HL7_RECORD_URL needs FERRULE_PUBLIC_URL")
    if (settings.hl7_record_ca or settings.hl7_record_certificate) and not settings.hl7_record_url:
        raise ValueError("FERRULE_HL7_RECORD_CA and _CERTIFICATE need FERRULE_HL7_RECORD_URL")


def _refuse_shared_address(settings: Settings) -> None:
    listens = {
        "FERRULE_HTTP_LISTEN": settings.http_listen,
        "FERRULE_MLLP_LISTEN": settings.mllp_listen,
        "FERRULE_METRICS_LISTEN": settings.metrics_listen,
    }
    seen: dict[str, str] = {}
    for name, address in listens.items():
        if address is None or address.endswith(":0"):
            continue
        if address in seen:
            raise ValueError(f"{seen[address]} and {name} name the same address")
        seen[address] = name


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of `environ` (default: this process's) and of the file it names.

    Raises SettingsError, one line, without any value.
    """
    given = dict(os.environ if environ is None else environ)
    keys = {**_config_file(given.get(CONFIG_KEY)), **{k: v for k, v in given.items() if k.startswith(PREFIX)}}
    keys.pop(CONFIG_KEY, None)
    try:
        return Settings.model_validate(_values(keys))
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None


def _config_file(path: str | None) -> dict[str, str]:
    if not path:
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(_read(Path(path), CONFIG_KEY).splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key, equals, value = text.partition("=")
        if not equals or not key.strip().startswith(PREFIX):
            raise SettingsError(f"{path}:{number}: expected {PREFIX}NAME=value")
        found[key.strip()] = value.strip().strip("\"'")
    return found


def _values(keys: Mapping[str, str]) -> dict[str, object]:
    """Field name → text, from `FERRULE_X` and `FERRULE_X_FILE`."""
    values: dict[str, object] = {}
    for key, text in sorted(keys.items()):
        if key in NOT_OURS:
            continue
        name = key.removeprefix(PREFIX).lower()
        if name not in Settings.model_fields and name.endswith("_file"):
            name, text = name.removesuffix("_file"), _secret(key, text)
        if name not in Settings.model_fields:
            raise SettingsError(f"{key} is not a setting; `ferrule doctor --settings` lists them")
        if name in values:
            raise SettingsError(f"{PREFIX}{name.upper()} and {PREFIX}{name.upper()}_FILE are both set")
        if text:
            values[name] = text
    return values


def _secret(key: str, path: str) -> str:
    if key.removeprefix(PREFIX).lower().removesuffix("_file") not in Settings.model_fields:
        raise SettingsError(f"{key} is not a setting; `ferrule doctor --settings` lists them")
    return _read(Path(path), key).strip()


def _read(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{key}: cannot read the file it names ({type(error).__name__})") from None


def _one_line(error: ValidationError) -> str:
    """Each fault with the name of its setting; never the value given."""
    faults = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        message = fault["msg"].removeprefix("Value error, ")
        where = ".".join(str(part) for part in fault["loc"])
        faults.append(f"{PREFIX}{where.upper()}: {message}" if where else message)
    return "; ".join(faults)
