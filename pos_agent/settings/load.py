"""Read terminal.toml (and the environment) into `pos_agent.domain.config.Config`, or say what is wrong and what to do.

Order, later wins: defaults of the schema, the file, what the fleet pushed, environment variables
``POS_AGENT__SECTION__KEY``.
"""

import difflib
import os
import re
import tomllib
from base64 import b64decode
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, get_args, get_origin
from urllib.parse import urlsplit

import msgspec

from pos_agent.domain.config import Config
from pos_agent.domain.identifiers import is_terminal_id
from pos_agent.domain.slip import DRAWER_KINDS
from pos_agent.errors import ConfigFileError, ConfigValueError

ENVIRONMENT_PREFIX = "POS_AGENT__"
#: Two that sign, and a third while one of them is replaced (ADR 0021).
MAX_FLEET_KEYS = 3
FLEET_KEY_BYTES = 32
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """Sections and keys that lie over the file.

    Attributes:
        name: Where they came from, shown as their origin, such as ``fleet version 7``.
    """

    name: str
    tree: Mapping[str, Any]


class LoadedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A valid configuration and where each value that is not a default came from.

    Attributes:
        origins: Dotted key → ``file:line`` or ``environment NAME``.
    """

    config: Config
    path: Path
    origins: dict[str, str]


def changed_keys(before: Config, after: Config) -> frozenset[str]:
    """Return the dotted keys whose values differ."""
    return frozenset(
        key
        for key, _ in schema_fields()
        if reduce(getattr, key.split("."), before) != reduce(getattr, key.split("."), after)
    )


def load_config(
    path: Path,
    environment: Mapping[str, str] | None = None,
    *,
    policy_path: Path | None = None,
    layer: Layer | None = None,
    replaced: Mapping[str, str | dict[str, str] | None] | None = None,
) -> LoadedConfig:
    """Load and validate the configuration.

    Args:
        path: The TOML file.
        environment: Where overrides come from; None = the process's.
        policy_path: The shipped config/policy.toml, under the file's ``[policy]``; None = the schema's defaults.
        layer: What the fleet pushed, over the file.
        replaced: Keys to drop (None) or to set before validation, see `pos_agent.settings.salvage`.

    Raises:
        ConfigFileError: Missing, unreadable or not TOML; names the line.
        ConfigValueError: An unknown key ("did you mean") or a bad value; names key and origin.
    """
    text, tree = _read(path)
    origins = {key: f"{path}:{line}" for key, line in _lines_of_keys(text)}
    if policy_path is not None:
        shipped_text, shipped = _read(policy_path)
        tree["policy"] = {**shipped, **tree.get("policy", {})}
        origins = {f"policy.{key}": f"{policy_path}:{line}" for key, line in _lines_of_keys(shipped_text)} | origins
    if layer is not None:
        _overlay(tree, layer, origins)
    for key, name, value in _from_environment(os.environ if environment is None else environment):
        _put(tree, key, value, name)
        origins[key] = f"environment {name}"
    for key, replacement in (replaced or {}).items():
        _replace(tree, key, replacement)
    for key, _ in _leaves(tree):
        origins.setdefault(key, str(path))
    _refuse_unknown_keys(tree, origins, path)
    try:
        config = msgspec.convert(tree, Config, strict=False)
    except msgspec.ValidationError as error:
        raise _value_error(error, origins, path) from error
    _check_meaning(config, origins)
    return LoadedConfig(config=config, path=path, origins=origins)


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigFileError(f"{path}: not TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFileError(f"{path}: cannot be read: {error}") from error


def schema_fields(struct: type[Any] = Config, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, field) of every leaf of the schema, in order."""
    for field in msgspec.structs.fields(struct):
        key = f"{prefix}{field.name}"
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from schema_fields(field.type, key + ".")
        else:
            yield key, field


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, value in sorted(environment.items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            yield name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", "."), name, value


def _overlay(tree: dict[str, Any], layer: Layer, origins: dict[str, str]) -> None:
    """Lay sections over the tree, key by key; a value that is a mapping or a list is replaced whole."""
    _, mappings = _known_keys()

    def lay(under: dict[str, Any], over: Mapping[str, Any], prefix: str) -> None:
        for name, value in over.items():
            key = f"{prefix}{name}"
            beneath = under.get(name)
            if isinstance(value, Mapping) and key not in mappings:
                under[name] = dict(beneath) if isinstance(beneath, dict) else {}
                lay(under[name], value, key + ".")
                continue
            for old in [one for one in origins if one == key or one.startswith(key + ".")]:
                del origins[old]
            under[name] = value
            origins.update(dict.fromkeys((key, *(k for k, _ in _leaves({name: value}, prefix))), layer.name))

    lay(tree, layer.tree, "")


def _put(tree: dict[str, Any], key: str, value: str, name: str) -> None:
    *sections, last = key.split(".")
    for section in sections:
        branch = tree.setdefault(section, {})
        if not isinstance(branch, dict):
            raise ConfigValueError("is not a section", key=key, origin=f"environment {name}")
        tree = branch
    tree[last] = value


def _replace(tree: dict[str, Any], key: str, value: str | dict[str, str] | None) -> None:
    """Set a dotted key, or drop it (a whole section too)."""
    *sections, last = key.split(".")
    for section in sections:
        if not isinstance(tree.get(section), dict):
            tree[section] = {}
        tree = tree[section]
    if value is None:
        tree.pop(last, None)
    else:
        tree[last] = dict(value) if isinstance(value, dict) else value


def _lines_of_keys(text: str) -> Iterator[tuple[str, int]]:
    """Yield (dotted key, line number) of plain ``key = value`` lines; good enough for messages."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*\[([\w.\-\"]+)\]", line):
            section = match.group(1).replace('"', "") + "."
        elif match := re.match(r"\s*([\w.\-\"]+)\s*=", line):
            yield section + match.group(1).replace('"', ""), number


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _known_keys() -> tuple[set[str], set[str]]:
    """Return (leaf keys, keys whose value is a free mapping)."""
    leaves, mappings = set(), set()
    for key, field in schema_fields():
        leaves.add(key)
        if get_origin(field.type) is dict or dict in get_args(field.type):
            mappings.add(key)
    return leaves, mappings


def _refuse_unknown_keys(tree: Mapping[str, Any], origins: Mapping[str, str], path: Path) -> None:
    leaves, mappings = _known_keys()
    sections = {key[:index] for key in leaves for index, character in enumerate(key) if character == "."}
    for key, value in _leaves(tree):
        if (
            key in leaves
            or (value == {} and key in sections)
            or any(key.startswith(mapping + ".") for mapping in mappings)
        ):
            continue
        near = difflib.get_close_matches(key, leaves, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "see docs/config.md for the keys"
        raise ConfigValueError("unknown key", key=key, origin=origins.get(key, str(path)), hint=hint)


def _value_error(error: msgspec.ValidationError, origins: Mapping[str, str], path: Path) -> ConfigValueError:
    match = re.search(r" - at `\$\.?(.*)`", str(error))
    key = match.group(1) if match else ""
    message = str(error).split(" - at ")[0]
    if missing := re.search(r"missing required field `(\w+)`", message):
        key = f"{key}.{missing.group(1)}".lstrip(".")
    return ConfigValueError(message, key=key, origin=origins.get(key, str(path)), hint="see docs/config.md")


def _check_meaning(config: Config, origins: Mapping[str, str]) -> None:
    """Check what types cannot say."""

    def fail(key: str, message: str, hint: str) -> None:
        raise ConfigValueError(message, key=key, origin=origins.get(key, "default"), hint=hint)

    if not is_terminal_id(config.terminal.terminal_id):
        fail("terminal.terminal_id", "is not a terminal id", "use t- and 1 to 38 of a-z, 0-9, dash")
    if config.terminal.locale not in ("zh-CN", "en"):
        fail("terminal.locale", f"{config.terminal.locale!r} is not known", "use zh-CN or en")
    _check_broker(config, fail)
    _check_scanner(config, fail)
    _check_fleet(config, fail)
    for index, pattern in enumerate(config.policy.order_patterns):
        try:
            re.compile(pattern)
        except re.error as error:
            fail("policy.order_patterns", f"entry {index}: {error}", "write a regular expression")
    _check_printing(config, fail)


def _check_printing(config: Config, fail: Any) -> None:
    if config.printing.result_slip not in ("window", "always", "ask", "never"):
        fail("printing.result_slip", "is not known", "use window, always, ask or never")
    if not DRAWER_KINDS.issuperset(config.printing.open_drawer_after):
        fail("printing.open_drawer_after", "has something else in it", f"use {', '.join(sorted(DRAWER_KINDS))}")
    if config.devices.printer.tier not in ("sent", "sent_clean", "processed", "confirmed"):
        fail("devices.printer.tier", "is not known", "use sent, sent_clean, processed or confirmed")
    if config.devices.printer.link not in ("usb", "libusb", "usblp", "serial", "tcp"):
        fail("devices.printer.link", "is not known", "use usb, libusb, usblp, serial or tcp")
    if config.devices.printer.flow not in ("none", "rtscts", "xonxoff", "dsrdtr"):
        fail("devices.printer.flow", "is not known", "use rtscts, xonxoff, dsrdtr or none")


def _check_scanner(config: Config, fail: Any) -> None:
    scanner = config.devices.scanner
    if scanner.protocol not in ("plain", "ack_nak", "ssi", "grow"):
        fail("devices.scanner.protocol", f"{scanner.protocol!r} is not known", "use plain, ack_nak, ssi or grow")
    if scanner.suffix not in ("any", "tab", "idle"):
        fail("devices.scanner.suffix", f"{scanner.suffix!r} is not known", "use any, tab or idle")


def _check_fleet(config: Config, fail: Any) -> None:
    keys = config.fleet.keys
    if len(keys) > MAX_FLEET_KEYS:
        fail("fleet.keys", f"has {len(keys)} keys", f"pin {MAX_FLEET_KEYS} at most")
    raw = set()
    for kid, text in keys.items():
        try:
            key = b64decode(text, validate=True)
        except ValueError:
            key = b""
        if len(key) != FLEET_KEY_BYTES:
            fail(f"fleet.keys.{kid}", "is no Ed25519 public key", "give the base64 of its raw 32 bytes")
        if key in raw:
            fail(f"fleet.keys.{kid}", "is pinned twice", "two names of one key are not two signatures")
        raw.add(key)


def _check_broker(config: Config, fail: Any) -> None:
    try:
        url = urlsplit(config.broker.url)
        is_port = url.port is None or url.port > 0
    except ValueError:  # half an IPv6 address, a port that is no number or beyond 65535
        url, is_port = urlsplit(""), False
    if not is_port or url.scheme not in ("mqtt", "mqtts") or not url.hostname:
        fail("broker.url", "is not a broker address", "write mqtts://host:8883")
    if url.scheme == "mqtt" and (config.terminal.production or url.hostname not in LOOPBACK_HOSTS):
        fail("broker.url", "unencrypted MQTT is for loopback on a bench only", "write mqtts:// and give ca_file")
    if url.scheme == "mqtts":
        for name in ("ca_file", "cert_file", "key_file"):
            if not getattr(config.broker, name):
                fail(f"broker.{name}", "is needed for mqtts://", "give the path of a PEM file")
