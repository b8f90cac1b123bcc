"""Key maps: which key of which keypad means what, and what is printed on it (config/keymaps/*.toml)."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import msgspec

from drivers.keypad.keycodes import KEY_CODES, KEY_NUMLOCK
from pos_agent.domain.events import Key
from pos_agent.errors import ConfigFileError, ConfigValueError

#: Keys without which the refund menu cannot be worked (12-key pads lack some and are refused).
REQUIRED_KEYS = frozenset(key for key in Key if key not in {Key.F1, Key.F2, Key.F3, Key.F4})


class KeySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key: its labels, the codes that mean it, and a line about it for people.

    Attributes:
        zh, en: What is printed on the key; shown on hint lines.
        evdev: Kernel key names.
        matrix: The ASCII character that a serial matrix pad sends for it.
        sends: For a key without a code of its own (00): the keys that it arrives as.
    """

    zh: str
    en: str
    colour: str = ""
    evdev: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    bench: str = ""
    matrix: str = ""
    zh_means: str = ""
    en_means: str = ""


class Keymap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole key map; `load_keymap` makes valid ones."""

    name: str
    keys: dict[str, KeySpec]
    zh_title: str = ""
    en_title: str = ""

    def labels(self, locale: str) -> dict[str, str]:
        """Return what is printed on each key, by logical key name, for ``zh-CN`` or ``en``."""
        is_zh = locale.startswith("zh")
        return {name: spec.zh if is_zh else spec.en for name, spec in self.keys.items()}

    def keys_by_code(self) -> Mapping[int, Key]:
        """Return the logical key for each kernel key code."""
        return {KEY_CODES[code]: Key(name) for name, spec in self.keys.items() for code in spec.evdev}

    def keys_by_character(self) -> Mapping[int, Key]:
        """Return the logical key for each character of a serial matrix pad.

        Raises:
            ConfigValueError: A key of the refund menu has none: this map is for other keypads.
        """
        named = {name: spec.matrix for name, spec in self.keys.items() if spec.matrix}
        missing = sorted(REQUIRED_KEYS - named.keys())
        if missing:
            problem = f"no character for {', '.join(missing)}"
            raise ConfigValueError(
                problem, key="keys.….matrix", origin=self.name, hint="choose a key map with `matrix`"
            )
        return {ord(character): Key(name) for name, character in named.items()}


def load_keymap(path: Path) -> Keymap:
    """Read and check a key map.

    Raises:
        ConfigFileError: Missing or not TOML.
        ConfigValueError: A key or code name is unknown, used twice, or a required key is missing.
    """
    try:
        keymap = msgspec.toml.decode(path.read_bytes(), type=Keymap)
    except OSError as error:
        raise ConfigFileError(f"{path}: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise ConfigValueError(str(error), key="keymap", origin=str(path)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigFileError(f"{path}: {error}") from error
    _check(keymap, origin=str(path))
    return keymap


def _check(keymap: Keymap, *, origin: str) -> None:
    owner_of: dict[str, str] = {}
    _check_matrix(keymap, origin=origin)
    for name, spec in keymap.keys.items():
        _check_name(name, spec, origin=origin)
        for code in spec.evdev:
            key = f"keys.{name}.evdev"
            if code not in KEY_CODES or KEY_CODES[code] == KEY_NUMLOCK:
                raise ConfigValueError(f"unknown key name {code}", key=key, origin=origin, hint=_did_you_mean(code))
            if code in owner_of:
                raise ConfigValueError(f"{code} is used by {owner_of[code]} already", key=key, origin=origin)
            owner_of[code] = name
    missing = sorted(key for key in REQUIRED_KEYS if not keymap.keys.get(key, KeySpec("", "")).evdev)
    if missing:
        raise ConfigValueError(f"no key for {', '.join(missing)}", key="keys", origin=origin)


def _check_matrix(keymap: Keymap, *, origin: str) -> None:
    owner_of: dict[str, str] = {}
    for name, spec in keymap.keys.items():
        if not spec.matrix:
            continue
        key = f"keys.{name}.matrix"
        if len(spec.matrix) != 1 or not "!" <= spec.matrix <= "~":
            raise ConfigValueError("must be one printable ASCII character", key=key, origin=origin)
        if spec.matrix in owner_of:
            raise ConfigValueError(f"{spec.matrix} is used by {owner_of[spec.matrix]} already", key=key, origin=origin)
        owner_of[spec.matrix] = name


def _check_name(name: str, spec: KeySpec, *, origin: str) -> None:
    known = set(Key)
    if name not in known and not spec.sends:
        raise ConfigValueError("no such logical key", key=f"keys.{name}", origin=origin)
    if not set(spec.sends) <= known:
        raise ConfigValueError("sends an unknown key", key=f"keys.{name}.sends", origin=origin)
    if name not in known and spec.evdev:
        raise ConfigValueError("a key that sends others has no code", key=f"keys.{name}.evdev", origin=origin)


def _did_you_mean(code: str) -> str:
    close = get_close_matches(code, KEY_CODES, n=1)
    return f"did you mean {close[0]}?" if close else ""
