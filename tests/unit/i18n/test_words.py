"""Both languages have the same words, and everything with a code has a sentence."""

import ast
import importlib
import pkgutil
from pathlib import Path
from string import Formatter

import pytest

import drivers
import pos_agent
from pos_agent.domain.events import DeviceName
from pos_agent.domain.refund import Channel, Hold, MoneyMoved, RefundState, RefundType
from pos_agent.domain.screen import cell_width
from pos_agent.errors import PosAgentError
from pos_agent.i18n import EN, KEY_LABELS, LOCALES, ZH, has, help_of, sentence, text
from pos_agent.i18n.help import HELP
from pos_agent.i18n.screens_20x4 import SCREENS_20X4
from pos_agent.i18n.screens_40x12 import SCREENS_40X12
from pos_agent.i18n.words import WORDS
from pos_agent.workflow.states import State

_WORKFLOW = Path(__file__).parents[3] / "pos_agent" / "workflow"
#: Modules that run when they are loaded, or that are pytest's own.
_PROGRAMS = ("__main__", ".contract", ".build")
#: Values that only one language needs.
_ONE_SIDED = {
    "capitals",
    "amount_short",
    "left_short",
    "limit_short",
    "amount",
    "left",
    "limit",
    "why",
    "typed_end",
    "acquirer",
}


def fields(words: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(words) if name}


@pytest.fixture(scope="module", autouse=True)
def _whole_tree() -> None:
    """Load every module: an error class counts whether or not another test has imported it."""
    for package in (pos_agent, drivers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(_PROGRAMS):
                importlib.import_module(module.name)


def all_errors(root: type[PosAgentError] = PosAgentError) -> set[type[PosAgentError]]:
    return {root}.union(*(all_errors(child) for child in root.__subclasses__()))


def test_words_both_languages_are_there_and_take_the_same_values() -> None:
    for key, (zh, en) in WORDS.items():
        assert zh.strip() or key.startswith("customer"), key
        assert en.strip(), key
        assert fields(zh) - {"capitals"} == fields(en) - {"capitals"}, key


@pytest.mark.parametrize("screens", [SCREENS_20X4, SCREENS_40X12], ids=["20x4", "40x12"])
def test_screens_both_languages_take_the_same_values(screens: dict[str, tuple[str, str]]) -> None:
    for view, (zh, en) in screens.items():
        assert fields(zh) - _ONE_SIDED == fields(en) - _ONE_SIDED, view


def test_screens_both_sizes_have_the_same_views() -> None:
    assert set(SCREENS_20X4) == set(SCREENS_40X12)


def test_screens_every_state_has_a_view() -> None:
    by_facts = {"result", "status", "last"}
    assert {str(state.value).lower() for state in State} - set(SCREENS_20X4) <= by_facts
    assert {"unknown", "status_none", "no_scanner", "confirm_retype"} <= set(SCREENS_20X4)


def test_screens_lines_are_as_many_as_the_display_has() -> None:
    for view, pair in SCREENS_20X4.items():
        assert all(words.count("\n") <= 3 for words in pair), view
    for view, pair in SCREENS_40X12.items():
        assert all(words.count("\n") <= 11 for words in pair), view


def test_sentence_every_error_code_of_the_error_tree_has_one() -> None:
    codes = {error.code for error in all_errors() if error.code.startswith("E-")}
    assert {"E-NET", "E-DISK", "E-JOURNAL", "E-CONFIG", "E-PRINT", "E-PROTO", "E-FAULT"} <= codes
    for code in [*codes, "E-CLOCK", "E-CERT", "E-CRASH", "E-DEV1", "E-DEV2", "E-DEV3", "E-DEV4"]:
        assert has(code), code
        assert all(cell_width(sentence(code, locale)) <= 20 for locale in LOCALES), code


def test_sentence_every_device_code_has_one() -> None:
    codes = {error.code for error in all_errors() if error.code.startswith(("E_", "EPTR_"))}
    for code in [*codes, "EPTR_REC_NEAR_END", "EPTR_CUTTER", "keyboard_mode"]:
        assert has(f"device.{code}"), code
    assert all(has(f"device.{name.value}") for name in DeviceName)


def test_words_every_state_hold_channel_and_truth_has_its_own() -> None:
    keys = [f"state.{state.value}" for state in RefundState]
    keys += [f"hold.{hold.value}" for hold in Hold]
    keys += [f"channel.{channel.value}" for channel in Channel]
    keys += [f"channel.long.{channel.value}" for channel in Channel]
    keys += [f"money.{moved.value}" for moved in MoneyMoved]
    keys += [f"kind.{kind.value}" for kind in RefundType]
    assert [key for key in keys if not has(key)] == []


def test_words_answers_of_the_acquirer_that_are_not_certain_forbid_a_second_refund() -> None:
    for code in ("68", "91", "92", "96", "98"):
        assert text(f"response.{code}", ZH) == "结果待确认,勿重退"
    assert all(cell_width(words[0]) <= 32 for key, words in WORDS.items() if key.startswith("response."))


def test_words_nothing_before_the_ack_is_called_sent() -> None:
    saved = [key for key in WORDS if key.startswith("result.") and key != "result.stored"]
    assert len(saved) >= 6
    for key in saved:
        assert "已提交" not in WORDS[key][0]
        assert not WORDS[key][1].startswith("SENT")


def test_words_keys_used_by_the_workflow_exist() -> None:
    used = set()
    for path in _WORKFLOW.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                first = node.args[0] if node.args else None
                if name == "say" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    used.add(first.value)
    assert len(used) > 40
    assert {key for key in used if not has(key)} == set()


def test_words_standing_alone_on_a_narrow_line_fit() -> None:
    prefixes = ("result.", "detail.", "notice.", "policy.", "refused.", "pin.", "scan.", "find.", "reason.", "hold.")
    values = dict.fromkeys(("tail", "count", "left", "days", "limit", "minutes"), "365")
    for key, pair in WORDS.items():
        if not key.startswith(prefixes) or key in ("policy.default", "reason.other_long") or "{slip}" in pair[0]:
            continue
        for words in pair:
            if fields(words) <= set(values):
                assert cell_width(words.format(**values)) <= 20, key


def test_text_missing_value_is_shown_by_its_name_and_does_not_raise() -> None:
    assert text("pin.wrong", EN) == "Wrong PIN, <left> left"


def test_help_every_screen_with_help_has_two_lines_that_fit() -> None:
    for view in HELP:
        for locale in LOCALES:
            _, now, other = help_of(view, locale)
            assert 0 < cell_width(now) <= 20, (view, locale)
            assert 0 < cell_width(other) <= 20, (view, locale)
    assert help_of("no such view", ZH) == help_of("menu", ZH)


def test_key_labels_both_languages_name_the_same_keys() -> None:
    assert set(KEY_LABELS[ZH]) == set(KEY_LABELS[EN])
