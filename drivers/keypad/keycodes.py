"""Key codes of the kernel, by name. Source: linux/input-event-codes.h; the keys a keymap may name."""

from collections.abc import Mapping

KEY_NUMLOCK = 69
KEY_KP0 = 82
KEY_ENTER = 28
KEY_KPENTER = 96

KEY_CODES: Mapping[str, int] = {
    "KEY_ESC": 1,
    **{f"KEY_{digit}": 1 + digit for digit in range(1, 10)},
    "KEY_0": 11,
    "KEY_MINUS": 12,
    "KEY_EQUAL": 13,
    "KEY_BACKSPACE": 14,
    "KEY_TAB": 15,
    "KEY_ENTER": KEY_ENTER,
    "KEY_DOT": 52,
    "KEY_SLASH": 53,
    "KEY_KPASTERISK": 55,
    "KEY_SPACE": 57,
    **{f"KEY_F{number}": 58 + number for number in range(1, 11)},
    "KEY_KP7": 71,
    "KEY_KP8": 72,
    "KEY_KP9": 73,
    "KEY_KPMINUS": 74,
    "KEY_KP4": 75,
    "KEY_KP5": 76,
    "KEY_KP6": 77,
    "KEY_KPPLUS": 78,
    "KEY_KP1": 79,
    "KEY_KP2": 80,
    "KEY_KP3": 81,
    "KEY_KP0": KEY_KP0,
    "KEY_KPDOT": 83,
    "KEY_F11": 87,
    "KEY_F12": 88,
    "KEY_KPENTER": KEY_KPENTER,
    "KEY_KPSLASH": 98,
    "KEY_HOME": 102,
    "KEY_UP": 103,
    "KEY_PAGEUP": 104,
    "KEY_LEFT": 105,
    "KEY_RIGHT": 106,
    "KEY_END": 107,
    "KEY_DOWN": 108,
    "KEY_PAGEDOWN": 109,
    "KEY_INSERT": 110,
    "KEY_DELETE": 111,
    "KEY_KPEQUAL": 117,
    "KEY_KPCOMMA": 121,
    "KEY_MENU": 139,
    "KEY_CANCEL": 223,
}
