"""Rows from the sale to the result. Pure; joined by `table`."""

from pos_agent.workflow import actions as do
from pos_agent.workflow import guards as on
from pos_agent.workflow.rows import FINISH_FIRST, NO_MEANING, STALE, Next, Row, functions, go, ignore, redraw, stay
from pos_agent.workflow.states import State as S  # noqa: N817 - a table is read by its columns
from pos_agent.workflow.states import Trigger as T  # noqa: N817
from pos_agent.workflow.table_codes import ANSWERS, no_scan, scanning_rows


def _step(state: S) -> list[Row]:
    """Return what all steps of an entry have in common."""
    return [
        go(state, T.CANCEL, S.ABANDON, do.push(state)),
        go(state, T.TIMEOUT, S.MENU, do.abandon),
        *no_scan(state),
        *redraw(state),
        *functions(state),
        *ignore(state, ANSWERS, STALE),
    ]


def _sale() -> list[Row]:
    state = S.SALE
    return [
        go(state, T.ENTER, S.REASON, do.take_all),
        go(state, T.DIGIT, S.AMOUNT, when=on.key_is("2")),
        stay(state, T.DIGIT, do.say("sale.no_coupon"), when=on.key_is("3")),
        stay(state, T.DIGIT, do.beep),
        go(state, T.NEXT, S.ITEMS, when=on.has_items),
        stay(state, T.NEXT, do.beep),
        go(state, T.CLEAR, S.SCAN, do.abandon),
        *_step(state),
        *ignore(state, (T.DOT,), NO_MEANING),
    ]


def _items() -> list[Row]:
    state = S.ITEMS
    return [
        stay(state, T.NEXT, do.next_page),
        *[go(state, trigger, S.SALE, do.clear_field) for trigger in (T.CLEAR, T.ENTER)],
        *_step(state),
        *ignore(state, (T.DIGIT, T.DOT), NO_MEANING),
    ]


def _paid() -> list[Row]:
    state = S.PAID
    return [
        stay(state, T.DIGIT, do.type_paid),
        stay(state, T.DOT, do.type_paid),
        go(state, T.ENTER, S.AMOUNT, do.take_paid, when=on.is_paid_valid),
        stay(state, T.ENTER, do.say("policy.bad_amount")),
        stay(state, T.CLEAR, do.delete_character, when=on.has_typed),
        go(state, T.CLEAR, S.NO_LOOKUP),
        *_step(state),
        *ignore(state, (T.NEXT,), NO_MEANING),
    ]


def _amount() -> list[Row]:
    state = S.AMOUNT
    return [
        stay(state, T.DIGIT, do.type_amount),
        stay(state, T.DOT, do.type_amount),
        go(state, T.ENTER, S.REASON, do.take_amount, when=on.is_amount_valid),
        stay(state, T.ENTER, do.refuse_amount),
        stay(state, T.CLEAR, do.delete_character, when=on.has_typed),
        go(state, T.CLEAR, S.PAID, when=on.is_unverified),
        go(state, T.CLEAR, S.SALE),
        *_step(state),
        *ignore(state, (T.NEXT,), NO_MEANING),
    ]


def _choices(state: S) -> list[Row]:
    return [
        stay(state, T.DIGIT, do.refuse_partial_only, when=on.is_reason_partial_only),
        go(state, T.DIGIT, S.NOTE, do.take_reason, when=on.is_reason_with_phrase),
        go(state, T.DIGIT, S.CONFIRM, do.take_reason, when=on.is_reason_plain),
    ]


def _reason() -> list[Row]:
    state = S.REASON
    return [
        *_choices(state),
        go(state, T.DIGIT, S.OTHER_REASON, do.clear_field, when=on.key_is("0")),
        stay(state, T.DIGIT, do.beep),
        stay(state, T.NEXT, do.next_page),
        go(state, T.CLEAR, S.AMOUNT, do.clear_field, when=on.was_amount_typed),
        go(state, T.CLEAR, S.SALE, do.clear_field),
        *_step(state),
        *ignore(state, (T.ENTER, T.DOT), NO_MEANING),
    ]


def _other_reason() -> list[Row]:
    state = S.OTHER_REASON
    return [
        stay(state, T.DIGIT, do.refuse_partial_only, when=on.both(on.has_typed, on.is_reason_partial_only)),
        go(state, T.DIGIT, S.NOTE, do.take_reason, when=on.both(on.has_typed, on.is_reason_with_phrase)),
        go(state, T.DIGIT, S.CONFIRM, do.take_reason, when=on.both(on.has_typed, on.is_reason_plain)),
        stay(state, T.DIGIT, do.refuse_reason_code, when=on.has_typed),
        stay(state, T.DIGIT, do.type_number),
        stay(state, T.NEXT, do.next_page),
        stay(state, T.CLEAR, do.delete_character, when=on.has_typed),
        go(state, T.CLEAR, S.REASON, do.clear_field),
        *_step(state),
        *ignore(state, (T.ENTER, T.DOT), NO_MEANING),
    ]


def _note() -> list[Row]:
    state = S.NOTE
    return [
        go(state, T.DIGIT, S.CONFIRM, do.take_phrase, when=on.is_phrase),
        stay(state, T.DIGIT, do.say("reason.phrase_missing")),
        stay(state, T.ENTER, do.say("reason.phrase_missing")),
        stay(state, T.NEXT, do.next_page),
        go(state, T.CLEAR, S.REASON, do.clear_field),
        *_step(state),
        *ignore(state, (T.DOT,), NO_MEANING),
    ]


def _confirm() -> list[Row]:
    state = S.CONFIRM
    return [
        stay(state, T.ENTER, do.say("confirm.retype"), when=on.is_retype_missing),
        stay(state, T.ENTER, do.refuse_confirm, when=on.is_denied),
        go(state, T.ENTER, S.SUPERVISOR, do.ask_supervisor, when=on.needs_supervisor),
        go(state, T.ENTER, S.SAVING, do.commit),
        stay(state, T.DIGIT, do.type_paid, when=on.needs_retype),
        stay(state, T.DIGIT, do.beep),
        stay(state, T.DOT, do.type_paid, when=on.needs_retype),
        stay(state, T.DOT, do.beep),
        stay(state, T.CLEAR, do.delete_character, when=on.has_typed),
        go(state, T.CLEAR, S.REASON, do.clear_field),
        *_step(state),
        *ignore(state, (T.NEXT,), NO_MEANING),
    ]


def _supervisor() -> list[Row]:
    state = S.SUPERVISOR
    waiting = [trigger for trigger in ANSWERS if trigger is not T.PIN_CHECKED]
    return [
        stay(state, T.DIGIT, do.type_credential, when=on.is_not_checking),
        stay(state, T.DIGIT, do.beep),
        stay(state, T.ENTER, do.check_pin, when=on.has_pin),
        stay(state, T.ENTER, do.beep, when=on.has_auth_no),
        stay(state, T.ENTER, do.say("policy.self_approval"), when=on.is_self_typed),
        stay(state, T.ENTER, do.take_number, when=on.has_typed),
        stay(state, T.ENTER, do.beep),
        go(state, T.PIN_CHECKED, S.SAVING, do.commit, when=on.is_supervisor_right),
        stay(state, T.PIN_CHECKED, do.refuse_supervisor),
        stay(state, T.CLEAR, do.delete_credential, when=on.has_auth_no),
        stay(state, T.CLEAR, do.delete_character, when=on.has_typed),
        go(state, T.CLEAR, S.CONFIRM, do.clear_field),
        go(state, T.CANCEL, S.ABANDON, do.in_order(do.clear_field, do.push(state))),
        go(state, T.TIMEOUT, S.MENU, do.in_order(do.clear_field, do.abandon)),
        stay(state, T.NEXT, do.say("approval.training"), when=on.is_training),
        go(state, T.NEXT, S.APPROVAL, do.ask_approval),
        *_answers(state, "scan.finish_first"),
        *redraw(state),
        stay(state, T.F4, do.toggle_locale),
        *ignore(state, (T.FN, T.F1, T.F2, T.F3), "a PIN is being typed"),
        *ignore(state, (T.DOT,), NO_MEANING),
        *ignore(state, waiting, STALE),
    ]


def _answers(state: S, otherwise: str) -> list[Row]:
    """Return what a scan does where an approval is awaited: the one answer counts, any other code is dropped."""
    return [
        go(state, T.SCAN, S.SAVING, do.commit, when=on.is_approved),
        stay(state, T.SCAN, do.refuse_answer, when=on.is_answer),
        stay(state, T.SCAN, do.say(otherwise)),
        *ignore(state, (T.MISREAD, T.CODE), FINISH_FIRST),
    ]


def _approval() -> list[Row]:
    state = S.APPROVAL
    return [
        stay(state, T.ENTER, do.print_question),
        *[go(state, trigger, S.SUPERVISOR) for trigger in (T.NEXT, T.CLEAR)],
        go(state, T.CANCEL, S.ABANDON, do.push(state)),
        go(state, T.TIMEOUT, S.MENU, do.abandon),
        *_answers(state, "approval.no_answer"),
        stay(state, T.DIGIT, do.beep),
        *redraw(state),
        *functions(state),
        *ignore(state, (T.DOT,), NO_MEANING),
        *ignore(state, ANSWERS, STALE),
    ]


def _saving() -> list[Row]:
    state, busy = S.SAVING, "nothing is accepted until the journal has answered"
    keys = (T.DIGIT, T.DOT, T.ENTER, T.CLEAR, T.CANCEL, T.FN, T.NEXT, T.F1, T.F2, T.F3, T.F4)
    return [
        go(state, T.COMMITTED, S.RESULT, do.show_result),
        go(state, T.COMMIT_FAILED, S.NOT_SAVED, do.show_failure),
        *ignore(state, keys, busy),
        *ignore(state, (T.SCAN, T.MISREAD, T.CODE), busy),
        *ignore(state, (T.TIMEOUT,), "the journal answers in its own time; nobody else knows the truth"),
        *ignore(state, (T.DEVICE, T.UPDATE), "shown on RESULT"),
        *ignore(state, (T.LOOKUP_DONE, T.LOOKUP_SLOW, T.PIN_CHECKED), STALE),
    ]


def _not_saved() -> list[Row]:
    state = S.NOT_SAVED
    return [
        go(state, T.ENTER, S.CONFIRM),
        go(state, T.CLEAR, S.CONFIRM),
        stay(state, T.DIGIT, do.beep),
        *_step(state),
        *ignore(state, (T.DOT, T.NEXT), NO_MEANING),
    ]


def _result() -> list[Row]:
    state = S.RESULT
    return [
        *scanning_rows(state),
        *[go(state, trigger, S.MENU, do.forget) for trigger in (T.ENTER, T.CANCEL, T.TIMEOUT)],
        stay(state, T.DIGIT, do.copy_shown, when=on.key_is("3")),
        stay(state, T.DIGIT, do.beep),
        stay(state, T.F3, do.copy_shown),
        stay(state, T.F4, do.toggle_locale),
        *redraw(state),
        *ignore(state, (T.CLEAR,), "there is no step back from a saved request: withdraw it from MENU 2"),
        *ignore(state, (T.FN, T.F1, T.F2), "the function menu belongs to the time before SAVING"),
        *ignore(state, (T.DOT, T.NEXT), NO_MEANING),
        *ignore(state, (*ANSWERS, T.CODE), STALE),
    ]


def _abandon() -> list[Row]:
    state = S.ABANDON
    return [
        *[go(state, trigger, S.MENU, do.abandon) for trigger in (T.ENTER, T.TIMEOUT)],
        go(state, T.CLEAR, Next.BACK, do.pop),
        *no_scan(state),
        *ignore(state, (T.CANCEL,), "asked once already: ENTER drops, CLEAR goes on"),
        *ignore(state, (T.DEVICE, T.UPDATE), "nothing of it is on the screen"),
        stay(state, T.F4, do.toggle_locale),
        *ignore(state, (T.DIGIT, T.DOT, T.NEXT, T.FN, T.F1, T.F2, T.F3), NO_MEANING),
        *ignore(state, ANSWERS, STALE),
    ]


def rows() -> list[Row]:
    """Return all rows from the sale to the result."""
    return [
        *_sale(),
        *_items(),
        *_paid(),
        *_amount(),
        *_reason(),
        *_other_reason(),
        *_note(),
        *_confirm(),
        *_supervisor(),
        *_approval(),
        *_saving(),
        *_not_saved(),
        *_result(),
        *_abandon(),
    ]
