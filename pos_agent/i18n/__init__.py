"""Every word a person reads, zh-CN and en, as data by key. Pure; the back office has its own in `backoffice`."""

from collections.abc import Mapping
from typing import Final

from pos_agent.i18n.help import HELP
from pos_agent.i18n.words import WORDS

ZH, EN = "zh-CN", "en"
LOCALES: Final = (ZH, EN)
#: Labels of keys where the shop's key map gives none (screens.md section 1).
KEY_LABELS: Final[Mapping[str, Mapping[str, str]]] = {
    ZH: {"ENTER": "确认", "CLEAR": "清除", "CANCEL": "取消", "FN": "功能", "NEXT": "下页", "DOT": "."},
    EN: {"ENTER": "OK", "CLEAR": "CLR", "CANCEL": "ESC", "FN": "FN", "NEXT": "NXT", "DOT": "."},
}


def index(locale: str) -> int:
    """Return the place of a locale in the pairs of the tables; unknown ones read Chinese."""
    return 1 if locale == EN else 0


def text(key: str, locale: str, **parameters: str) -> str:
    """Return the words of `key`, filled in.

    A parameter that is missing stays visible as its name: a sentence is better than a crash on the cashier's screen.
    """
    return WORDS[key][index(locale)].format_map(_Visible(parameters))


def has(key: str) -> bool:
    """Return True if there are words for `key`."""
    return key in WORDS


def sentence(code: str, locale: str) -> str:
    """Return the sentence of an error code; of an unknown one the general sentence."""
    return text(code if has(code) else "E-FAULT", locale)


def help_of(view: str, locale: str) -> tuple[str, str, str]:
    """Return (step, what now, what else) of a view."""
    step, now, other = HELP.get(view, HELP["menu"])
    place = index(locale)
    return step[place], now[place], other[place]


class _Visible(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"
