"""Commands for the machine without network: keys, signatures, and what would change, shown before anybody signs."""

import argparse
import secrets
import sys
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from backoffice.clock import system_now
from backoffice.desired import bundle as bundles
from backoffice.desired import fleet_keys
from backoffice.desired.bundle import Bundle, BundleError, Plan, Wish
from backoffice.desired.difference import difference
from pos_agent.domain.desired_rules import MAX_CONFIRM_S, MIN_CONFIRM_S
from pos_agent.protocol.ed25519 import PublicKey

#: Tills named in a difference; the rest is counted.
_NAMED = 12


def run(arguments: argparse.Namespace) -> int:
    """Run a parsed command.

    Raises:
        ConfigFileError: The key file cannot be used.
        ValueError: Anything else that a person must change.
    """
    words, data = _COMMANDS[f"{arguments.command} {arguments.action}"](arguments)
    sys.stdout.write((msgspec.json.encode(data).decode() if arguments.json else words) + "\n")
    return 0


def _new(arguments: argparse.Namespace) -> tuple[str, object]:
    passphrase = fleet_keys.read_passphrase(arguments.passphrase_fd, prompt="passphrase: ", is_new=True)
    key = fleet_keys.make(arguments.file, kid=arguments.kid, passphrase=passphrase)
    return _public(arguments.file, key.kid, key.public_key.base64)


def _show_key(arguments: argparse.Namespace) -> tuple[str, object]:
    return _public(arguments.file, *fleet_keys.public_part(arguments.file))


def _public(path: Path, kid: str, public_key: str) -> tuple[str, object]:
    words = f'{path}\npin it at the tills and at the back office:\n[fleet.keys]\n"{kid}" = "{public_key}"'
    return words, {"kid": kid, "public_key": public_key, "key_file": str(path)}


def _sign(arguments: argparse.Namespace) -> tuple[str, object]:
    if arguments.change is None and not arguments.drop:
        raise BundleError("nothing to change: name a TOML file, or --drop KEY")
    plan = bundles.read(arguments.plan, Plan)
    if not plan.tills:
        raise BundleError(f"{arguments.plan}: no tills in it")
    wish = _wish(arguments, system_now())
    key = _open(arguments)
    made = bundles.make(plan, wish, key, pins_of(arguments.pin))
    return _finish(arguments, made, {key.kid: key.public_key, **pins_of(arguments.pin)}, f"sign with {key.kid}")


def _countersign(arguments: argparse.Namespace) -> tuple[str, object]:
    first = bundles.read(arguments.bundle, Bundle)
    pins = pins_of(arguments.pin)
    if not pins:
        raise BundleError("name the public key of whoever signed first: --pin KID=BASE64")
    key = _open(arguments)
    made = bundles.countersign(first, key, pins)
    return _finish(arguments, made, {**pins, key.kid: key.public_key}, f"countersign with {key.kid}")


def _finish(
    arguments: argparse.Namespace, made: Bundle, pins: Mapping[str, PublicKey], what: str
) -> tuple[str, object]:
    """Show, ask, write."""
    words, data = _describe(made, pins)
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise BundleError("nobody was asked: look at the difference and sign at a terminal, or say --yes")
        sys.stdout.write(f"{words}\n{what}? yes/no: ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() != "yes":
            raise BundleError("not signed")
    bundles.write(arguments.out, made)
    return f"{words}\nwritten: {arguments.out}", {**data, "file": str(arguments.out)}


def _show(arguments: argparse.Namespace) -> tuple[str, object]:
    return _describe(bundles.read(arguments.bundle, Bundle), pins_of(arguments.pin))


def _describe(bundle: Bundle, pins: Mapping[str, PublicKey]) -> tuple[str, dict[str, Any]]:
    """Say what changes where, tills with the same change together; without pins nothing is verified."""
    groups: dict[tuple[str, ...], list[str]] = {}
    signers: set[str] = set()
    missing = ""
    for pair in bundle.pairs:
        if pins:
            config, undo = bundles.open_pair(pair, pins)
            signers |= set(config.signers)
            missing = missing or bundles.missing_signature(config, undo, pins)
            new, old = config.document, undo.document
        else:
            new, old = bundles.peek_document(bytes(pair.config)), bundles.peek_document(bytes(pair.undo))
        groups.setdefault(tuple(difference(old.config, new.config)), []).append(f"{pair.terminal_id} v{new.version}")
    lines = [f"{bundle.rollout}  {bundle.title}".rstrip()]
    for changes, tills in groups.items():
        more = f" and {len(tills) - _NAMED} more" if len(tills) > _NAMED else ""
        lines += [f"{len(tills)} tills: {', '.join(tills[:_NAMED])}{more}", *(f"  {change}" for change in changes)]
    lines.append(_signed(signers, missing, is_verified=bool(pins)))
    data = {
        "rollout": bundle.rollout,
        "tills": len(bundle.pairs),
        "signers": sorted(signers),
        "missing": missing,
        "changes": [{"tills": tills, "lines": list(changes)} for changes, tills in groups.items()],
    }
    return "\n".join(lines), data


def _signed(signers: set[str], missing: str, *, is_verified: bool) -> str:
    if not is_verified:
        return "NOT VERIFIED: name public fleet keys with --pin KID=BASE64"
    words = f"signed by {', '.join(sorted(signers))}"
    return f"{words}; NOT ENOUGH: {missing}: pos-backoffice config countersign" if missing else words


def _open(arguments: argparse.Namespace) -> fleet_keys.FleetKey:
    kid, _ = fleet_keys.public_part(arguments.key)
    return fleet_keys.open_key(
        arguments.key, fleet_keys.read_passphrase(arguments.passphrase_fd, prompt=f"passphrase of {kid}: ")
    )


def _wish(arguments: argparse.Namespace, now: datetime) -> Wish:
    if arguments.valid_days < 1 or arguments.undo_valid_days < 1:
        raise BundleError("a configuration is valid for a day at least")
    if not MIN_CONFIRM_S <= arguments.confirm_within_s <= MAX_CONFIRM_S:
        raise BundleError(f"--confirm-within-s: {MIN_CONFIRM_S} to {MAX_CONFIRM_S}")
    issued = now.astimezone(UTC).replace(microsecond=0)
    return Wish(
        rollout=arguments.rollout or f"r{issued:%Y%m%d}-{secrets.token_hex(3)}",
        title=arguments.title,
        change=_read_change(arguments.change) if arguments.change is not None else {},
        dropped=tuple(arguments.drop),
        is_whole=arguments.whole,
        issued=issued,
        not_after=issued + timedelta(days=arguments.valid_days),
        undo_not_after=issued + timedelta(days=arguments.undo_valid_days),
        min_agent=arguments.min_agent,
        confirm_within_s=arguments.confirm_within_s,
        needs_ack=arguments.needs_ack,
    )


def _read_change(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, RecursionError, tomllib.TOMLDecodeError) as error:
        raise BundleError(f"{path}: {error}") from error


def pins_of(given: list[str]) -> dict[str, PublicKey]:
    """Read ``KID=BASE64`` of public keys.

    Raises:
        BundleError: Not of that form.
    """
    pins = {}
    for each in given:
        kid, _, text = each.partition("=")
        try:
            pins[kid] = PublicKey.from_base64(text)
        except ValueError as error:
            raise BundleError(f"--pin {each}: {error}") from error
    return pins


_COMMANDS: dict[str, Callable[[argparse.Namespace], tuple[str, object]]] = {
    "fleet-key new": _new,
    "fleet-key show": _show_key,
    "config sign": _sign,
    "config countersign": _countersign,
    "config show": _show,
}
#: Actions of ``config`` that need neither configuration nor database nor network.
ACTIONS = frozenset(name.partition(" ")[2] for name in _COMMANDS if name.startswith("config "))
