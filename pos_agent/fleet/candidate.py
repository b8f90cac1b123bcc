"""From the bytes of ``cfg/desired`` to something that the rules can judge: signatures, content, what would change."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any, Final

import msgspec

from pos_agent.domain.config import Config
from pos_agent.domain.desired import LOCAL_KEYS, HealthCheck, Reason, needs_two_signatures
from pos_agent.domain.desired_book import Document, Trial
from pos_agent.domain.desired_rules import MAX_CONFIRM_S, MIN_CONFIRM_S, Health, Offer
from pos_agent.errors import ConfigError, RemoteProtocolError, SignatureError, UnsupportedVersionError
from pos_agent.protocol import codec
from pos_agent.protocol.desired import CONFIG_TYPE, ConfigDesired, etag_of
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.envelope import MAX_ENVELOPE_BYTES, unseal_signed_by
from pos_agent.settings import Layer, LoadedConfig, changed_keys

#: Loads the configuration with a layer, and tries its devices. Raises ConfigError.
LoadWith = Callable[[Layer | None], LoadedConfig]
#: What of a device's section says where it is.
_PLACE: Final = frozenset({"driver", "link", "usb", "path"})
#: Changes that could cut the till off from the back office.
_ENDPOINTS: Final = ("broker.", "trust.")


class UnusableError(RemoteProtocolError):
    """Bytes that are no document of the fleet: nothing in them is believed, not even the version.

    Attributes:
        reason: TOO_LARGE, SIGNATURE or MALFORMED.
        document: If a fleet key signed it but it cannot be read: its bytes, version 0.
    """

    def __init__(self, reason: Reason, detail: str, document: Document | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.document = document


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A document that a fleet key signed, and what it would change.

    Attributes:
        config: What the till would run; None if it could not, or was not examined.
    """

    offer: Offer
    desired: ConfigDesired
    changed: frozenset[str] = frozenset()
    config: Config | None = None


def pinned_keys(config: Config) -> dict[str, PublicKey]:
    """Return the fleet keys that the configuration pins; it was validated before."""
    return {kid: PublicKey(b64decode(text)) for kid, text in config.fleet.keys.items()}


def open_envelope(data: bytes, keys: Mapping[str, PublicKey]) -> tuple[Document, ConfigDesired, tuple[PublicKey, ...]]:
    """Check size and signatures, read the document.

    Returns:
        The document, its content, and the different fleet keys that signed it.
    Raises:
        UnusableError: Too large, not signed by a pinned fleet key, or signed but not readable.
    """
    if len(data) > MAX_ENVELOPE_BYTES:
        raise UnusableError(Reason.TOO_LARGE, f"{len(data)} bytes, limit {MAX_ENVELOPE_BYTES}")
    try:
        payload, signers = unseal_signed_by(data, payload_type=CONFIG_TYPE, keys=keys)
    except SignatureError as error:
        raise UnusableError(Reason.SIGNATURE, str(error)) from error
    except RemoteProtocolError as error:
        raise UnusableError(Reason.MALFORMED, str(error)) from error
    unread = Document(version=0, etag=etag_of(payload), payload=b"")
    if len(payload) > codec.MAX_PAYLOAD_BYTES:
        raise UnusableError(Reason.TOO_LARGE, f"{len(payload)} bytes, limit {codec.MAX_PAYLOAD_BYTES}", unread)
    try:
        desired = codec.decode_desired(payload)
    except UnsupportedVersionError as error:
        raise UnusableError(Reason.SCHEMA, str(error), unread) from error
    except RemoteProtocolError as error:
        raise UnusableError(Reason.MALFORMED, str(error), unread) from error
    document = Document(version=desired.version, etag=unread.etag, payload=payload)
    return document, desired, tuple(keys[kid] for kid in signers)


def layer_of(document: Document) -> Layer:
    """Return what an accepted document lays over the terminal's own file.

    Raises:
        RemoteProtocolError: An agent older than the one that accepted it cannot read it.
    """
    return _layer(codec.decode_desired(document.payload))


def _layer(desired: ConfigDesired) -> Layer:
    return Layer(name=f"fleet version {desired.version}", tree=desired.config)


def unexamined(document: Document, desired: ConfigDesired, signers: tuple[PublicKey, ...]) -> Candidate:
    """Return a document of which the record already says what is to be done."""
    offer = Offer(
        document=document,
        terminal_id=desired.terminal_id,
        signers=len(signers),
        needs_two=False,
        schema=desired.schema,
        min_agent=desired.min_agent,
        not_after=desired.not_after,
    )
    return Candidate(offer=offer, desired=desired)


def examine(
    document: Document,
    desired: ConfigDesired,
    signers: tuple[PublicKey, ...],
    *,
    running: Config,
    load_with: LoadWith,
) -> Candidate:
    """Find out what a document would change, and whether the till could run with it.

    Args:
        document: Its bytes and its name.
        desired: Its content.
        signers: Who signed it; none = that was looked at before.
        running: What the till runs now.
        load_with: Loads the till's file with a layer.
    """
    offer = unexamined(document, desired, signers).offer
    problem = _content_problem(desired)
    local_key = next((key for key in _keys(desired.config) if key in LOCAL_KEYS), "")
    if problem or local_key:
        offer = msgspec.structs.replace(offer, problem=problem, local_key=local_key)
        return Candidate(offer=offer, desired=desired)
    try:
        config = load_with(_layer(desired)).config
    except ConfigError as error:
        return Candidate(offer=msgspec.structs.replace(offer, problem=str(error)), desired=desired)
    if signers and not set(signers) & set(pinned_keys(config).values()):
        offer = msgspec.structs.replace(offer, problem="fleet.keys: none of the keys that signed this stays pinned")
        return Candidate(offer=offer, desired=desired)
    changed = changed_keys(running, config)
    if path_key := _key_of_a_path_outside_dev(config, changed):
        offer = msgspec.structs.replace(offer, problem=f"{path_key}: a device is looked for in /dev alone")
        return Candidate(offer=offer, desired=desired)
    offer = msgspec.structs.replace(offer, needs_two=needs_two_signatures(changed))
    return Candidate(offer=offer, desired=desired, changed=changed, config=config)


def make_trial(candidate: Candidate, *, health: Mapping[HealthCheck, Health], keys_wanted: tuple[str, ...]) -> Trial:
    """Return the trial of a staged document.

    Args:
        candidate: Examined against what runs now.
        health: Right before the switch: the baseline.
        keys_wanted: Logical keys whose codes change.
    """
    desired, changed = candidate.desired, candidate.changed
    return Trial(
        document=candidate.offer.document,
        remaining_s=float(desired.confirm_within_s),
        baseline=tuple(check for check in desired.health if health.get(check) is Health.GREEN),
        moved=tuple(check for check in HealthCheck if changed & {f"devices.{check}.{name}" for name in _PLACE}),
        needs_ack=desired.needs_ack or any(key.startswith(_ENDPOINTS) for key in changed),
        keys_wanted=keys_wanted,
    )


def _key_of_a_path_outside_dev(config: Config, changed: frozenset[str]) -> str:
    """Return the key of a device's path that could be any file: one signature must not overwrite the journal.

    Only in production; the bench's devices lie where it put them.
    """
    if not config.terminal.production:
        return ""
    for key in sorted(changed):
        if key.startswith("devices.") and key.endswith((".path", ".console")):
            value = str(reduce(getattr, key.split("."), config))
            if "/" in value and (not value.startswith("/dev/") or ".." in value):
                return key
    return ""


def _content_problem(desired: ConfigDesired) -> str:
    if desired.version < 1:
        return f"version {desired.version}: versions begin at 1"
    if not MIN_CONFIRM_S <= desired.confirm_within_s <= MAX_CONFIRM_S:
        return f"confirm_within_s={desired.confirm_within_s}: use {MIN_CONFIRM_S} to {MAX_CONFIRM_S}"
    if desired.not_after.utcoffset() is None:
        return "not_after has no time zone"
    return ""


def _keys(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in tree.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{prefix}{name}.")
