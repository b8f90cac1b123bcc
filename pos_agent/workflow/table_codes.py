"""Rows from the scan to the sale. Pure; joined by `table`."""

from typing import Final

from pos_agent.domain.codes import CodeKind
from pos_agent.workflow import actions as do
from pos_agent.workflow import guards as on
from pos_agent.workflow.rows import FINISH_FIRST, NO_MEANING, STALE, Row, functions, go, ignore, redraw, stay
from pos_agent.workflow.states import State as S  # noqa: N817 - a table is read by its columns
from pos_agent.workflow.states import Trigger as T  # noqa: N817

#: States in which a scan starts a refund (or opens STATUS): nothing is under way there.
SCANNING: Final = (S.MENU, S.SCAN, S.PAY_CODE, S.COLLECT_CODE, S.BAD_CODE, S.GOODS, S.NOT_FOUND, S.REFUSED, S.RESULT)
ANSWERS: Final = (T.LOOKUP_DONE, T.LOOKUP_SLOW, T.PIN_CHECKED, T.COMMITTED, T.COMMIT_FAILED)


def code_rows(state: S, trigger: T) -> list[Row]:
    """Return what each kind of code does."""
    kinds = CodeKind
    return [
        go(state, trigger, S.STATUS, do.open_scanned, when=on.code_is(kinds.OWN_SLIP)),
        stay(state, trigger, do.say_storage, when=on.both(on.lacks_storage, on.is_sale_code)),
        go(state, trigger, S.LOOKUP, do.look_up, when=on.is_sale_code),
        stay(state, trigger, do.say("approval.nothing"), when=on.code_is(kinds.APPROVAL)),
        go(state, trigger, S.PAY_CODE, do.note_code, when=on.code_is(kinds.PAY_CODE)),
        go(state, trigger, S.COLLECT_CODE, do.note_code, when=on.code_is(kinds.COLLECT_CODE)),
        go(state, trigger, S.AMBIGUOUS, do.ask_ambiguous, when=on.code_is(kinds.AMBIGUOUS)),
        go(state, trigger, S.GOODS, do.note_code, when=on.code_is(kinds.GOODS)),
        go(state, trigger, S.BAD_CODE, do.note_code, when=on.code_is(kinds.BAD_CHECK_DIGIT)),
        go(state, trigger, S.NOT_FOUND, do.note_code, when=on.code_is(kinds.UNRECOGNISED)),
    ]


def scanning_rows(state: S) -> list[Row]:
    """Return the rows of a state that takes scans."""
    return [*code_rows(state, T.SCAN), go(state, T.MISREAD, S.BAD_CODE, do.misread)]


def no_scan(state: S) -> list[Row]:
    """Return the rows of a state that takes no scan: dropped with a beep and a sentence, never buffered."""
    return [stay(state, T.SCAN, do.say("scan.finish_first")), *ignore(state, (T.MISREAD, T.CODE), FINISH_FIRST)]


def _scan() -> list[Row]:
    return [
        *scanning_rows(S.SCAN),
        *code_rows(S.SCAN, T.CODE),
        stay(S.SCAN, T.DIGIT, do.type_number),
        stay(S.SCAN, T.ENTER, do.classify_typed, when=on.has_typed),
        stay(S.SCAN, T.ENTER, do.say("scan.nothing_typed")),
        stay(S.SCAN, T.CLEAR, do.delete_character, when=on.has_typed),
        go(S.SCAN, T.CLEAR, S.MENU, do.forget),
        go(S.SCAN, T.CANCEL, S.ABANDON, do.push(S.SCAN), when=on.has_typed),
        go(S.SCAN, T.CANCEL, S.MENU, do.forget),
        go(S.SCAN, T.TIMEOUT, S.MENU, do.forget),
        *redraw(S.SCAN),
        *functions(S.SCAN),
        *ignore(S.SCAN, (T.DOT, T.NEXT), NO_MEANING),
        *ignore(S.SCAN, ANSWERS, STALE),
    ]


def _problem(state: S, *choices: Row) -> list[Row]:
    """Return the rows of a screen that says what was wrong with a code."""
    return [
        *scanning_rows(state),
        *choices,
        stay(state, T.DIGIT, do.beep),
        *[go(state, trigger, S.MENU, do.forget) for trigger in (T.CANCEL, T.TIMEOUT)],
        go(state, T.CLEAR, S.SCAN, do.forget),
        go(state, T.ENTER, S.SCAN, do.forget),
        *redraw(state),
        *functions(state),
        *ignore(state, (T.DOT, T.NEXT), NO_MEANING),
        *ignore(state, (*ANSWERS, T.CODE), STALE),
    ]


def _type_number(state: S, *keys: str) -> list[Row]:
    return [go(state, T.DIGIT, S.SCAN, do.forget, when=on.key_is(key)) for key in keys]


def _ambiguous() -> list[Row]:
    state = S.AMBIGUOUS
    return [
        go(state, T.DIGIT, S.LOOKUP, do.look_up_hash, when=on.key_is("1")),
        go(state, T.DIGIT, S.SCAN, do.forget, when=on.key_is("2")),
        stay(state, T.DIGIT, do.beep),
        go(state, T.CLEAR, S.SCAN, do.forget),
        *[go(state, trigger, S.MENU, do.forget) for trigger in (T.CANCEL, T.TIMEOUT)],
        *no_scan(state),
        *redraw(state),
        *functions(state),
        *ignore(state, (T.ENTER, T.DOT, T.NEXT), NO_MEANING),
        *ignore(state, ANSWERS, STALE),
    ]


def _lookup() -> list[Row]:
    state, stop = S.LOOKUP, do.abandon
    return [
        go(state, T.LOOKUP_DONE, S.SALE, do.take_sale, when=on.is_refundable),
        go(state, T.LOOKUP_DONE, S.REFUSED, do.take_refusal, when=on.is_refused),
        go(state, T.LOOKUP_DONE, S.NOT_FOUND, do.beep, when=on.is_not_found),
        go(state, T.LOOKUP_DONE, S.NO_LOOKUP, do.beep),
        stay(state, T.LOOKUP_SLOW, do.show_look_up),
        go(state, T.TIMEOUT, S.NO_LOOKUP, do.beep),
        go(state, T.CANCEL, S.SCAN, stop),
        go(state, T.CLEAR, S.SCAN, stop),
        *no_scan(state),
        *ignore(state, (T.DEVICE, T.UPDATE), "the screen shows the look-up alone"),
        *ignore(state, (T.DIGIT, T.DOT, T.ENTER, T.NEXT, T.FN, T.F1, T.F2, T.F3, T.F4), "the answer is on its way"),
        *ignore(state, (T.PIN_CHECKED, T.COMMITTED, T.COMMIT_FAILED), STALE),
    ]


def _no_lookup() -> list[Row]:
    state = S.NO_LOOKUP
    return [
        go(state, T.DIGIT, S.LOOKUP, do.look_up_again, when=on.key_is("1")),
        go(state, T.DIGIT, S.PAID, do.start_unverified, when=on.may_note_down),
        stay(state, T.DIGIT, do.beep),
        go(state, T.CLEAR, S.SCAN, do.forget),
        go(state, T.CANCEL, S.ABANDON, do.push(state)),
        go(state, T.TIMEOUT, S.MENU, do.abandon),
        *no_scan(state),
        *redraw(state),
        *functions(state),
        *ignore(state, (T.ENTER, T.DOT, T.NEXT), NO_MEANING),
        *ignore(state, ANSWERS, STALE),
    ]


def rows() -> list[Row]:
    """Return all rows from the scan to the sale."""
    return [
        *_scan(),
        *_problem(S.PAY_CODE),
        *_problem(S.COLLECT_CODE),
        *_problem(S.BAD_CODE, *_type_number(S.BAD_CODE, "1", "2")),
        *_problem(S.GOODS, *_type_number(S.GOODS, "1", "2")),
        *_problem(S.NOT_FOUND, *_type_number(S.NOT_FOUND, "1", "2")),
        *_problem(S.REFUSED, *_type_number(S.REFUSED, "1")),
        *_ambiguous(),
        *_lookup(),
        *_no_lookup(),
    ]
