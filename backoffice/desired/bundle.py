"""Bundles: signed configurations for a list of tills, each with its undo, as one file that goes from hand to hand.

Version N and its undo N + 1 are signed together, so that going back needs no key that is not here (trust.md 14).
Everything in this module runs without network and database.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar, get_origin

import msgspec

from backoffice.desired.difference import flat
from backoffice.desired.fleet_keys import FleetKey
from pos_agent.domain.config import Config
from pos_agent.domain.desired import LOCAL_KEYS, needs_two_signatures
from pos_agent.protocol import codec
from pos_agent.protocol.desired import CONFIG_TYPE, ConfigDesired, etag_of
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.envelope import endorse, peek, seal, unseal_signed_by

_BUNDLE: Final = "pos-agent config bundle"
_PLAN: Final = "pos-agent config plan"
_T = TypeVar("_T", "Bundle", "Plan")
#: What only the till's own file says, so that the rest can be checked without it.
_OWN_FILE: Final = {
    "terminal": {"terminal_id": "t-x", "merchant_id": "x", "merchant_name": "x"},
    "broker": {"url": "mqtts://x"},
    "trust": {"device_key_file": "x", "device_key_id": "x", "back_office_keys": {}},
}


class BundleError(ValueError):
    """A bundle, plan or configuration cannot be used; the text says why."""


class PlannedTill(msgspec.Struct, frozen=True, kw_only=True):
    """What a signer needs to know of a till.

    Attributes:
        version: The next free number; its undo takes the one above.
        base: Envelope of the document that the till runs, as a fleet key signed it; None = its own file alone.
        agent: Version of its agent.
    """

    terminal_id: str
    version: int
    base: msgspec.Raw | None = None
    agent: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the back office gives to a signer."""

    kind: str = _PLAN
    v: int = 1
    made_at: datetime
    tills: tuple[PlannedTill, ...]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A signed configuration and its undo, as envelopes."""

    terminal_id: str
    config: msgspec.Raw
    undo: msgspec.Raw


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """What a signer gives to the back office. All that counts is inside the envelopes."""

    kind: str = _BUNDLE
    v: int = 1
    rollout: str
    title: str = ""
    pairs: tuple[Pair, ...]


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A document whose signatures are right."""

    document: ConfigDesired
    etag: str
    signers: tuple[str, ...]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the signer wants of every till of a plan.

    Attributes:
        change: Sections and keys of terminal.toml.
        dropped: Dotted keys that go back to the till's own file.
        is_whole: `change` is all; otherwise it is laid over what each till has been given so far.
    """

    rollout: str
    title: str = ""
    change: dict[str, Any]
    dropped: tuple[str, ...] = ()
    is_whole: bool = False
    issued: datetime
    not_after: datetime
    undo_not_after: datetime
    min_agent: str = ""
    confirm_within_s: int = 120
    needs_ack: bool = False


def read(path: Path, kind: type[_T]) -> _T:
    """Read a plan or bundle file.

    Raises:
        BundleError: It is none.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{path}: {error}") from error
    expected = _PLAN if kind is Plan else _BUNDLE
    if (found.kind, found.v) != (expected, 1):
        raise BundleError(f"{path}: is {found.kind!r} version {found.v}, not {expected!r} version 1")
    return found


def write(path: Path, what: "Plan | Bundle") -> None:
    """Write a file, never over another.

    Raises:
        FileExistsError: There is one.
    """
    with path.open("xb") as stream:
        stream.write(msgspec.json.encode(what) + b"\n")


def open_document(envelope: bytes, pins: Mapping[str, PublicKey], *, terminal_id: str) -> Opened:
    """Check what a terminal checks first: size, signature, terminal id, in this order (trust.md 13).

    Raises:
        RemoteProtocolError: Too large, or not a document.
        SignatureError: No pinned fleet key signed it as a configuration.
        BundleError: For another till.
    """
    payload, signers = unseal_signed_by(envelope, payload_type=CONFIG_TYPE, keys=pins)
    document = codec.decode_desired(payload)
    if document.terminal_id != terminal_id:
        raise BundleError(f"{terminal_id}: the signed document is for {document.terminal_id}")
    return Opened(document=document, etag=etag_of(payload), signers=signers)


def peek_document(envelope: bytes) -> ConfigDesired:
    """Return what an envelope says, whoever signed it: to be shown, not to be believed."""
    return codec.decode_desired(peek(envelope))


def make(plan: Plan, wish: Wish, key: FleetKey, pins: Mapping[str, PublicKey]) -> Bundle:
    """Sign a configuration and its undo for each till of a plan.

    The back office is not believed about what a till runs: the base must carry a fleet key's own signature.

    Raises:
        BundleError: Nothing would change at a till, or the configuration is none.
        LocalProtocolError: It is larger than a message may be.
        SignatureError: A base that no fleet key signed.
    """
    pins = {**pins, key.kid: key.public_key}
    pairs = []
    for till in plan.tills:
        old: dict[str, Any] = {}
        if till.base is not None:
            old = open_document(bytes(till.base), pins, terminal_id=till.terminal_id).document.config
        new = wish.change if wish.is_whole else merged(old, wish.change)
        new = without(new, wish.dropped)
        check_config(new)
        if new == old:
            raise BundleError(f"{till.terminal_id}: nothing would change; take it out of the plan")
        pairs.append(_sign_pair(till, wish, old, new, key))
    return Bundle(rollout=wish.rollout, title=wish.title, pairs=tuple(pairs))


def _sign_pair(till: PlannedTill, wish: Wish, old: dict[str, Any], new: dict[str, Any], key: FleetKey) -> Pair:
    first = ConfigDesired(
        terminal_id=till.terminal_id,
        version=till.version,
        rollout=wish.rollout,
        issued=wish.issued,
        not_after=wish.not_after,
        config=new,
        min_agent=wish.min_agent,
        confirm_within_s=wish.confirm_within_s,
        needs_ack=wish.needs_ack,
    )
    undo = msgspec.structs.replace(
        first, version=till.version + 1, config=old, not_after=wish.undo_not_after, min_agent=""
    )
    config, back = (
        msgspec.Raw(seal(codec.encode(each), payload_type=CONFIG_TYPE, kid=key.kid, key=key.private))
        for each in (first, undo)
    )
    return Pair(terminal_id=till.terminal_id, config=config, undo=back)


def countersign(bundle: Bundle, key: FleetKey, pins: Mapping[str, PublicKey]) -> Bundle:
    """Add a second person's signature to every document.

    Raises:
        BundleError: This key has signed already, or a pair is none.
        SignatureError: The first signature is not by a pinned key.
    """
    pairs = []
    for pair in bundle.pairs:
        opened = open_pair(pair, pins)
        if any(key.kid == kid or key.public_key == pins[kid] for each in opened for kid in each.signers):
            raise BundleError("this key has signed already: the second signature is another person's, by another key")
        check_config(opened[0].document.config)
        config, undo = (
            msgspec.Raw(endorse(bytes(each), kid=key.kid, key=key.private)) for each in (pair.config, pair.undo)
        )
        pairs.append(msgspec.structs.replace(pair, config=config, undo=undo))
    return msgspec.structs.replace(bundle, pairs=tuple(pairs))


def open_pair(pair: Pair, pins: Mapping[str, PublicKey]) -> tuple[Opened, Opened]:
    """Verify a configuration and its undo: both signed, for one till, with numbers that follow each other.

    Raises:
        RemoteProtocolError, SignatureError, BundleError: As `open_document`; or they are no pair.
    """
    config, undo = (open_document(bytes(each), pins, terminal_id=pair.terminal_id) for each in (pair.config, pair.undo))
    if undo.document.version != config.document.version + 1:
        raise BundleError(f"{pair.terminal_id}: the undo of version {config.document.version} has another number")
    if set(undo.signers) != set(config.signers):
        raise BundleError(f"{pair.terminal_id}: configuration and undo are signed by different keys")
    return config, undo


def missing_signature(config: Opened, undo: Opened, pins: Mapping[str, PublicKey]) -> str:
    """Return whose signature is missing, in words; empty = none (D16).

    Where fleet keys change, the undo is verified with the new ones: it would be refused without two of them.
    """
    if needs_two(config, undo) and len(config.signers) < 2:
        return "a second person must sign"
    new_keys = config.document.config.get("fleet", {}).get("keys")
    if new_keys is None:
        return ""
    able = [kid for kid in undo.signers if new_keys.get(kid) == pins[kid].base64]
    return "" if len(able) >= 2 else "fleet.keys change, so two of the new keys must sign as well, for the undo"


def needs_two(config: Opened, undo: Opened) -> bool:
    """Return True if going there or back changes what two fleet keys must sign."""
    return needs_two_signatures(changed_keys(undo.document.config, config.document.config))


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    """Return the dotted keys that differ."""
    before, after = dict(flat(old)), dict(flat(new))
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def merged(old: Mapping[str, Any], change: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Lay sections over others, key by key, as tills do: a value that is a mapping or a list is replaced whole."""
    result = dict(old)
    for name, value in change.items():
        below: Any = result.get(name)
        is_section = isinstance(below, Mapping) and isinstance(value, Mapping) and prefix + name not in _MAPPINGS
        result[name] = merged(below, value, f"{prefix}{name}.") if is_section else value
    return result


def _mappings(schema: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys whose values are mappings."""
    for field in msgspec.structs.fields(schema):
        key = prefix + field.encode_name
        if get_origin(field.type) is dict:
            yield key
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _mappings(field.type, f"{key}.")


_MAPPINGS: Final = frozenset(_mappings(Config))


def without(tree: Mapping[str, Any], dropped: Iterable[str]) -> dict[str, Any]:
    """Take dotted keys or sections out; sections that become empty go too.

    Raises:
        BundleError: There is no such key.
    """
    result = dict(tree)
    for key in dropped:
        below: Any = result
        for name in key.split("."):
            if not isinstance(below, Mapping) or name not in below:
                raise BundleError(f"{key}: is not in the configuration that would be signed")
            below = below[name]
        result = _without(result, key)
    return result


def _without(tree: Mapping[str, Any], key: str) -> dict[str, Any]:
    head, _, rest = key.partition(".")
    below = _without(tree[head], rest) if rest else None
    return {**tree, head: below} if below else {each: value for each, value in tree.items() if each != head}


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse what every till would refuse.

    Raises:
        BundleError: An unknown key, a value of the wrong type, or a key of the machine itself.
    """
    local = sorted(key for key, _ in flat(config) if key in LOCAL_KEYS)
    if local:
        raise BundleError(f"{', '.join(local)}: belongs to the machine, no document may name it")
    try:
        msgspec.convert(merged(_OWN_FILE, config), Config)
    except msgspec.ValidationError as error:
        raise BundleError(f"the tills would refuse it: {error}") from error
