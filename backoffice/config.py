"""The configuration of the back office: schema, loading, and refusals that say what was meant."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import available_timezones

import msgspec

from pos_agent.errors import ConfigFileError, ConfigValueError

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


class ServerConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The web pages.

    Attributes:
        host: Address to listen on.
        port: TCP port; 0 = any free one, told on the ready line.
        public_url: How browsers reach it; empty = ``http://host:port``. An ``https`` one makes cookies ``Secure``.
        locale: ``zh-CN`` or ``en``: language of the shop, for sentences that go to tills.
        session_hours: A login ends after this.
        time_zone: IANA name, in which pages show times.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    locale: str = "zh-CN"
    session_hours: int = 12
    time_zone: str = "Asia/Shanghai"


class DatabaseConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where the record is.

    Attributes:
        url: ``sqlite:///file`` or ``postgresql+psycopg://user@host/name``.
        pool: Threads and connections that serve pages and ingest.
    """

    url: str = "sqlite:///backoffice.db"
    pool: int = 4


class BrokerConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The broker and who we are to it (D15); an empty url runs the pages without tills.

    Attributes:
        url: ``mqtts://host:port`` or, for loopback only, ``mqtt://host:port``.
        ca_file: PEM of the CA that signed the broker's certificate.
        cert_file, key_file: PEM of this worker's certificate and its key.
        client_id: The certificate's CN; one per worker.
        share: Name of the MQTT 5 shared subscription for several workers; empty = an ordinary subscription.
        keep_alive_s: MQTT keep alive.
    """

    url: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_id: str = "backoffice-1"
    share: str = ""
    keep_alive_s: int = 20


class SigningConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The back-office key (D16), which signs what goes to tills.

    Attributes:
        key_file: PEM (PKCS#8) of the Ed25519 key; `pos-backoffice keys` makes it.
        kid: The name under which tills pin it.
    """

    key_file: str = "backoffice.key"
    kid: str = "backoffice"


class TlsConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """HTTPS of our own; empty = plain HTTP, behind a proxy that speaks TLS.

    Attributes:
        cert_file, key_file: PEM of the server's chain and key; `pos-backoffice ca make` makes them.
        ca_file: PEM of the CA that signed it. Tills pin its fingerprint, also where a proxy speaks TLS for us.
    """

    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""


class EnrolmentConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Enrolment of tills and renewal of their certificates; without `ca_cert_file` there is neither.

    Attributes:
        ca_cert_file, ca_key_file: PEM of the CA of the tills; no other CA may be used for anything else (D15).
        broker_url: As tills reach it, ``mqtts://host:port``; empty = `broker.url`.
        broker_ca_file: PEM of the CA of the broker's certificate; empty = `broker.ca_file`.
        lifetime_days: Of a till's certificate; it renews by itself when 60 % of it are over.
        crl_file: Where revoked certificates are listed for the broker; empty = no list.
        crl_days: How long a list counts; `pos-backoffice ca crl` writes a new one, best weekly.
        reload_command: Run after a new list, such as ``["systemctl", "reload", "mosquitto"]``.
    """

    ca_cert_file: str = ""
    ca_key_file: str = ""
    broker_url: str = ""
    broker_ca_file: str = ""
    lifetime_days: int = 365
    crl_file: str = ""
    crl_days: int = 30
    reload_command: tuple[str, ...] = ()


class FleetConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Signed configuration of tills (D16, D17). Without `keys` none is taken, and `serve` has no fleet connection.

    Attributes:
        keys: ``kid`` → base64 of the public fleet keys that the tills pin; the private ones are never on this machine.
        client_id: CN of the certificate that may publish configuration; another one than the worker's.
        cert_file, key_file: PEM of that certificate and its key; broker and CA are those of `[broker]`.
    """

    keys: dict[str, str] = {}
    client_id: str = "fleet-1"
    cert_file: str = ""
    key_file: str = ""


class AcquirerConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One acquirer profile, as far as refunds need it (payments.md 2.8, 9c).

    Attributes:
        adapter: ``simulated`` or ``none`` (no online refund).
        url: Of the adapter's service.
        name: Shown to cashiers and reviewers.
        refund_no_prefix: Put before the request id; prefix + 22 digits is the refund number (D5).
        settle_s: ``not_found`` is believed only this long after the attempt (D11).
        window_days: Oldest sale that it refunds.
        idempotent_by_number: Verified that one number moves money once.
        min_gap_s: Least time between two refunds of one sale.
        timeout_s: Longest wait for one answer.
        manual_after_days: UNKNOWN for longer becomes MANUAL (D10).
        terminated_on: Day (YYYY-MM-DD) the institution ended; refunds go the manual way.
    """

    adapter: str = "simulated"
    url: str = ""
    name: str = ""
    refund_no_prefix: str = ""
    settle_s: float = 600.0
    window_days: int = 365
    idempotent_by_number: bool = False
    min_gap_s: float = 0.0
    timeout_s: float = 10.0
    manual_after_days: float = 7.0
    terminated_on: str = ""


class ReviewConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who decides what.

    Attributes:
        dual_control: ``on``, or ``off`` for one-person shops (I3): capped, marked 未经复核.
        self_approval_limit_minor: The cap with ``off``.
        finance_from_minor: From here on a finance approval follows the first.
        management_from_minor: From here on a manager's approval follows.
        max_requests_per_hour: More by one operator are held (F4).
        duplicate_hours: Same sale and amount finished within this is held as 疑似重复 (F17).
        max_requests_per_shift: More by one person within `shift_hours` need one approval more (F4).
        shift_hours: How long a shift is taken to be.
        max_requests_per_till_day: More from one till within a day need one approval more (trust.md 11).
        opening_hours: ``HH:MM-HH:MM`` in the shop's time zone; empty = always open (F6).
        till_limits_minor: Limits of operators and supervisors at the tills, near which split refunds stay (F3, F7).
        remind_after_min: A request that waits longer is shown as late.
        escalate_after_min: One that waits longer than this is alarmed and comes first (payments.md 9b: 48 h).
    """

    dual_control: str = "on"
    self_approval_limit_minor: int = 20_000
    finance_from_minor: int = 100_000
    management_from_minor: int = 500_000
    max_requests_per_hour: int = 5
    duplicate_hours: int = 24
    max_requests_per_shift: int = 10
    shift_hours: int = 12
    max_requests_per_till_day: int = 200
    opening_hours: str = ""
    till_limits_minor: tuple[int, ...] = (20_000, 100_000)
    remind_after_min: int = 120
    escalate_after_min: int = 2_880


class CouponsConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Coupons (trust.md 10): what may be given away beside refunds, and for how long a code is good.

    Attributes:
        budgets: For a calendar month of the shop, minor units: by merchant id, and by ``MERCHANT/STORE`` for a store
            inside its merchant's. A merchant without one gives no goodwill coupons.
        alone_up_to_minor: Above it a second person approves: finance, from `review.management_from_minor` a manager.
        valid_days: A code is good for so long after it was issued.
    """

    budgets: dict[str, int] = {}
    alone_up_to_minor: int = 5_000
    valid_days: int = 90


class AuditConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where the chains are anchored (I6).

    Attributes:
        anchor_file: Signed heads, appended each hour; best on another disk or machine. Empty = none.
    """

    anchor_file: str = "anchors.jsonl"


class ExecutionConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Timing of the executor.

    Attributes:
        poll_s: First query after an accepted or unknown attempt; doubles up to `poll_max_s`.
        poll_max_s: The longest wait between two queries.
        hold_retry_s: A held refund (merchant balance and the like) is tried again after this.
        lease_s: Another worker may take over when the executor was silent this long.
    """

    poll_s: float = 60.0
    poll_max_s: float = 1800.0
    hold_retry_s: float = 300.0
    lease_s: float = 30.0


class Config(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The whole configuration.

    Attributes:
        lookup_key_file: Base64 key of keyed hashes of ambiguous order numbers (D14); the tills have the same.
    """

    lookup_key_file: str = ""
    server: ServerConfig = msgspec.field(default_factory=ServerConfig)
    database: DatabaseConfig = msgspec.field(default_factory=DatabaseConfig)
    broker: BrokerConfig = msgspec.field(default_factory=BrokerConfig)
    signing: SigningConfig = msgspec.field(default_factory=SigningConfig)
    fleet: FleetConfig = msgspec.field(default_factory=FleetConfig)
    tls: TlsConfig = msgspec.field(default_factory=TlsConfig)
    enrolment: EnrolmentConfig = msgspec.field(default_factory=EnrolmentConfig)
    acquirers: dict[str, AcquirerConfig] = {}
    review: ReviewConfig = msgspec.field(default_factory=ReviewConfig)
    execution: ExecutionConfig = msgspec.field(default_factory=ExecutionConfig)
    audit: AuditConfig = msgspec.field(default_factory=AuditConfig)
    coupons: CouponsConfig = msgspec.field(default_factory=CouponsConfig)


def load_config(path: Path) -> Config:
    """Read, check and resolve a configuration file; relative paths are relative to it.

    Raises:
        ConfigFileError: Missing, unreadable or not TOML.
        ConfigValueError: A key is unknown or has a bad value.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, RecursionError, tomllib.TOMLDecodeError) as error:
        raise ConfigFileError(f"{path}: {error}") from error
    config = checked(data, Config, origin=str(path))
    if config.review.dual_control not in ("on", "off"):
        raise ConfigValueError("must be 'on' or 'off'", key="review.dual_control", origin=str(path))
    if config.review.opening_hours and _HOURS.fullmatch(config.review.opening_hours) is None:
        raise ConfigValueError("must be like 09:00-22:00", key="review.opening_hours", origin=str(path))
    if config.server.time_zone not in available_timezones():
        raise ConfigValueError("not an IANA time zone", key="server.time_zone", origin=str(path))
    _resolve(config, path.resolve().parent)
    return config


def checked(data: Mapping[str, Any], schema: type[_Struct], *, origin: str, prefix: str = "") -> _Struct:
    """Return what a file says as `schema`; `prefix` = where in the file it stands, such as ``persons[3].``.

    Raises:
        ConfigValueError: A key is unknown ("did you mean"), missing, or has a bad value; the text holds no value.
    """
    _refuse_unknown(data, schema, prefix, origin)
    try:
        return msgspec.convert(data, schema)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        missing = re.search(r"missing required field `(\w+)`", message)
        path = [where.strip("`."), missing[1] if missing else ""]
        raise ConfigValueError(message, key=prefix + ".".join(filter(None, path)), origin=origin) from error


def _refuse_unknown(data: Mapping[str, Any], schema: type[msgspec.Struct], prefix: str, origin: str) -> None:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(schema)}
    for key, value in data.items():
        if key not in fields:
            close = difflib.get_close_matches(key, list(fields), n=1)
            hint = f"did you mean {prefix}{close[0]}?" if close else "known: " + ", ".join(sorted(fields))
            raise ConfigValueError("unknown key", key=prefix + key, origin=origin, hint=hint)
        if key == "acquirers" and isinstance(value, dict):
            for name, profile in value.items():
                if isinstance(profile, dict):
                    _refuse_unknown(profile, AcquirerConfig, f"{prefix}acquirers.{name}.", origin)
        elif isinstance(value, dict) and isinstance(fields[key], type) and issubclass(fields[key], msgspec.Struct):
            _refuse_unknown(value, fields[key], f"{prefix}{key}.", origin)


def _resolve(config: Config, folder: Path) -> None:
    def absolute(name: str) -> str:
        return str(folder / name) if name else ""

    config.lookup_key_file = absolute(config.lookup_key_file)
    config.signing.key_file = absolute(config.signing.key_file)
    config.audit.anchor_file = absolute(config.audit.anchor_file)
    broker = config.broker
    broker.ca_file, broker.cert_file = absolute(broker.ca_file), absolute(broker.cert_file)
    broker.key_file = absolute(broker.key_file)
    config.fleet.cert_file, config.fleet.key_file = absolute(config.fleet.cert_file), absolute(config.fleet.key_file)
    for section, names in (
        (config.tls, ("cert_file", "key_file", "ca_file")),
        (config.enrolment, ("ca_cert_file", "ca_key_file", "broker_ca_file", "crl_file")),
    ):
        for each in names:
            setattr(section, each, absolute(getattr(section, each)))
    scheme, _, name = config.database.url.partition(":///")
    if scheme == "sqlite" and name:
        config.database.url = f"sqlite:///{folder / name}"
