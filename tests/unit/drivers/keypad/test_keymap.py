"""The shipped key map is the table of the key page; broken maps are refused with a reason."""

from pathlib import Path

import pytest

from drivers.keypad.keycodes import KEY_CODES
from drivers.keypad.keymap import Keymap, load_keymap
from pos_agent.domain.events import Key
from pos_agent.errors import ConfigFileError, ConfigValueError

SHIPPED = Path(__file__).parents[4] / "config" / "keymaps" / "usb-numpad.toml"


@pytest.fixture
def keymap() -> Keymap:
    return load_keymap(SHIPPED)


@pytest.mark.parametrize(
    ("key", "codes"),
    [
        (Key.KEY_7, {"KEY_KP7", "KEY_7"}),
        (Key.DOT, {"KEY_KPDOT", "KEY_DOT", "KEY_KPCOMMA"}),
        (Key.ENTER, {"KEY_KPENTER", "KEY_ENTER"}),
        (Key.CLEAR, {"KEY_KPMINUS", "KEY_BACKSPACE"}),
        (Key.CANCEL, {"KEY_KPSLASH", "KEY_ESC"}),
        (Key.FN, {"KEY_KPASTERISK", "KEY_TAB"}),
        (Key.NEXT, {"KEY_KPPLUS", "KEY_DOWN", "KEY_PAGEDOWN"}),
        (Key.F1, {"KEY_F1"}),
    ],
)
def test_shipped_keymap_maps_the_documented_keys(keymap: Keymap, key: Key, codes: set[str]) -> None:
    mapped = {code for code, logical in keymap.keys_by_code().items() if logical is key}

    assert mapped == {KEY_CODES[code] for code in codes}


def test_shipped_keymap_has_every_logical_key_and_label(keymap: Keymap) -> None:
    assert set(keymap.keys) == {*Key, "00"}
    assert keymap.labels("zh-CN")["ENTER"] == "确认"
    assert keymap.labels("en")["ENTER"] == "OK"
    assert all(spec.zh and spec.en and spec.zh_means and spec.en_means for spec in keymap.keys.values())


def test_shipped_keymap_never_maps_numlock(keymap: Keymap) -> None:
    assert KEY_CODES.get("KEY_NUMLOCK", 69) not in keymap.keys_by_code()


# Source of the numbers: linux/input-event-codes.h
@pytest.mark.parametrize(
    ("name", "code"),
    [("KEY_1", 2), ("KEY_9", 10), ("KEY_F1", 59), ("KEY_F10", 68), ("KEY_KPENTER", 96), ("KEY_PAGEDOWN", 109)],
)
def test_key_codes_are_the_kernels(name: str, code: int) -> None:
    assert KEY_CODES[name] == code


def _broken(tmp_path: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"KEY_KPENTER"', '"KEY_KPENTR"', "did you mean KEY_KPENTER?"),
        ('"KEY_KPSLASH"', '"KEY_KPENTER"', "used by ENTER already"),
        ('"KEY_KPSLASH"', '"KEY_NUMLOCK"', "unknown key name KEY_NUMLOCK"),
        ("[keys.CANCEL]", "[keys.CANCLE]", "no such logical key"),
        ('evdev = ["KEY_KPSLASH", "KEY_ESC"]', "evdev = []", "no key for CANCEL"),
        ('sends = ["0", "0"]', 'sends = ["0", "x"]', "sends an unknown key"),
        ('colour = "red"', 'color = "red"', "color"),
    ],
)
def test_load_keymap_broken_is_refused_with_reason(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigValueError, match=said.replace("?", r"\?")):
        load_keymap(_broken(tmp_path, old, new))


def test_load_keymap_missing_or_not_toml_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match=r"nowhere\.toml"):
        load_keymap(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigFileError, match=r"broken\.toml"):
        load_keymap(_broken(tmp_path, "[keys.0]", "[keys.0"))
