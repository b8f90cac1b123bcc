"""Rows of sign-in, the menu, enquiries and overlays. Pure; joined by `table`."""

from pos_agent.workflow import actions as do
from pos_agent.workflow import guards as on
from pos_agent.workflow.rows import NO_MEANING, NOT_SHOWN, STALE, Next, Row, closes, functions, go, ignore, redraw, stay
from pos_agent.workflow.states import KEYS, RESUME_POINTS
from pos_agent.workflow.states import State as S  # noqa: N817 - a table is read by its columns
from pos_agent.workflow.states import Trigger as T  # noqa: N817
from pos_agent.workflow.table_codes import ANSWERS, code_rows, no_scan, scanning_rows

_WITHOUT_PIN = tuple(trigger for trigger in ANSWERS if trigger is not T.PIN_CHECKED)


def _safe() -> list[Row]:
    keys = [trigger for trigger in T if trigger in KEYS and trigger is not T.F4]
    return [
        *ignore(S.SAFE, keys, "no refunds in the SAFE state"),
        *ignore(S.SAFE, (T.SCAN, T.MISREAD, T.CODE, T.TIMEOUT, *ANSWERS), "no refunds in the SAFE state"),
        stay(S.SAFE, T.F4, do.toggle_locale),
        *redraw(S.SAFE),
    ]


def _no_operators() -> list[Row]:
    state = S.NO_OPERATORS
    again = [trigger for trigger in T if trigger in KEYS and trigger is not T.F4]
    return [
        *[go(state, trigger, S.LOGIN, when=on.has_operators) for trigger in (*again, T.TIMEOUT, T.UPDATE)],
        *[stay(state, trigger) for trigger in (*again, T.TIMEOUT, T.UPDATE)],
        stay(state, T.F4, do.toggle_locale),
        stay(state, T.DEVICE),
        *ignore(state, (T.SCAN, T.MISREAD, T.CODE, *ANSWERS), "nobody can sign in yet"),
    ]


def _login() -> list[Row]:
    state = S.LOGIN
    return [
        stay(state, T.DIGIT, do.type_credential, when=on.is_not_checking),
        stay(state, T.DIGIT, do.beep),
        stay(state, T.ENTER, do.check_pin, when=on.has_pin),
        stay(state, T.ENTER, do.beep, when=on.has_auth_no),
        stay(state, T.ENTER, do.take_number, when=on.has_typed),
        stay(state, T.ENTER, do.beep),
        go(state, T.PIN_CHECKED, S.RESUME, do.sign_in, when=on.is_draft_offered),
        go(state, T.PIN_CHECKED, S.MENU, do.sign_in, when=on.is_pin_right),
        stay(state, T.PIN_CHECKED, do.wrong_pin),
        stay(state, T.CLEAR, do.delete_credential, when=on.has_auth_no),
        stay(state, T.CLEAR, do.delete_character),
        *[stay(state, trigger, do.clear_field) for trigger in (T.CANCEL, T.TIMEOUT)],
        *[stay(state, trigger, do.toggle_locale) for trigger in (T.FN, T.F4)],
        stay(state, T.SCAN, do.take_badge, when=on.both(on.is_badge, on.is_not_checking)),
        stay(state, T.SCAN, do.say("scan.sign_in_first")),
        go(state, T.UPDATE, S.NO_OPERATORS, when=on.lacks_operators),
        *redraw(state),
        *ignore(state, (T.MISREAD, T.CODE), "nobody is signed in"),
        *ignore(state, (T.F1, T.F2, T.F3), "nobody is signed in"),
        *ignore(state, (T.DOT, T.NEXT), NO_MEANING),
        *ignore(state, _WITHOUT_PIN, STALE),
    ]


def _resume() -> list[Row]:
    state = S.RESUME
    points = sorted(set(RESUME_POINTS.values()) - {S.SALE}, key=lambda point: str(point.value))
    return [
        *[go(state, T.ENTER, point, do.resume, when=on.resumes_at(point)) for point in points],
        go(state, T.ENTER, S.SALE, do.resume),
        *[go(state, trigger, S.MENU, do.drop_offered) for trigger in (T.CANCEL, T.TIMEOUT)],
        *no_scan(state),
        *ignore(state, (T.CLEAR,), "ENTER resumes, CANCEL drops"),
        *ignore(state, (T.DEVICE, T.UPDATE), NOT_SHOWN),
        stay(state, T.F4, do.toggle_locale),
        *ignore(state, (T.DIGIT, T.DOT, T.NEXT, T.FN, T.F1, T.F2, T.F3), NO_MEANING),
        *ignore(state, ANSWERS, STALE),
    ]


def _menu() -> list[Row]:
    state = S.MENU
    return [
        *scanning_rows(state),
        stay(state, T.DIGIT, do.say_storage, when=on.both(on.lacks_storage, on.key_is("1"))),
        go(state, T.DIGIT, S.SCAN, do.forget, when=on.key_is("1")),
        go(state, T.DIGIT, S.STATUS, do.open_notice, when=on.both(on.key_is("2"), on.has_notice)),
        go(state, T.DIGIT, S.FIND, do.clear_field, when=on.key_is("2")),
        stay(state, T.DIGIT, do.copy_newest, when=on.key_is("3")),
        go(state, T.DIGIT, S.QUEUE, do.in_order(do.push(state), do.load_queue), when=on.key_is("4")),
        stay(state, T.DIGIT, do.beep),
        go(state, T.TIMEOUT, S.LOGIN, do.sign_out),
        *redraw(state),
        *functions(state),
        *ignore(state, (T.CANCEL, T.CLEAR), "nothing is under way"),
        *ignore(state, (T.ENTER, T.DOT, T.NEXT), NO_MEANING),
        *ignore(state, (*ANSWERS, T.CODE), STALE),
    ]


def _find() -> list[Row]:
    state = S.FIND
    return [
        stay(state, T.DIGIT, do.type_number),
        go(state, T.ENTER, S.STATUS, do.find_tail, when=on.has_tail),
        stay(state, T.ENTER, do.say("find.six_digits"), when=on.has_typed),
        go(state, T.ENTER, S.STATUS, do.open_newest),
        *[row for row in code_rows(state, T.SCAN) if row.next is S.STATUS],
        stay(state, T.SCAN, do.say("find.own_slip_only")),
        stay(state, T.CLEAR, do.delete_character, when=on.has_typed),
        *[go(state, trigger, S.MENU, do.clear_field) for trigger in (T.CLEAR, T.CANCEL, T.TIMEOUT)],
        *redraw(state),
        *functions(state),
        *ignore(state, (T.DOT, T.NEXT), NO_MEANING),
        *ignore(state, (*ANSWERS, T.CODE, T.MISREAD), STALE),
    ]


def _status() -> list[Row]:
    state = S.STATUS
    return [
        go(state, T.ENTER, S.ANSWER, do.clear_field, when=on.is_question_open),
        *[go(state, trigger, S.MENU, do.forget) for trigger in (T.ENTER, T.CANCEL, T.CLEAR, T.TIMEOUT)],
        go(state, T.DIGIT, S.WITHDRAW, do.push(state), when=on.both(on.key_is("1"), on.can_withdraw)),
        stay(state, T.DIGIT, do.copy_shown, when=on.key_is("3")),
        stay(state, T.DIGIT, do.beep),
        stay(state, T.F3, do.copy_shown),
        stay(state, T.F4, do.toggle_locale),
        stay(state, T.NEXT, do.open_older),
        *no_scan(state),
        *redraw(state),
        *ignore(state, (T.FN, T.F1, T.F2), "close the enquiry first"),
        *ignore(state, (T.DOT,), NO_MEANING),
        *ignore(state, ANSWERS, STALE),
    ]


def _withdraw() -> list[Row]:
    state = S.WITHDRAW
    return [
        go(state, T.ENTER, Next.BACK, do.in_order(do.withdraw, do.pop), when=on.has_record),
        *closes(state, T.ENTER, T.CLEAR, T.CANCEL, T.TIMEOUT),
        *no_scan(state),
        *redraw(state),
        stay(state, T.F4, do.toggle_locale),
        *ignore(state, (T.DIGIT, T.DOT, T.NEXT, T.FN, T.F1, T.F2, T.F3), NO_MEANING),
        *ignore(state, ANSWERS, STALE),
    ]


def _answer() -> list[Row]:
    state = S.ANSWER
    return [
        go(state, T.DIGIT, S.STATUS, do.answer_phrase, when=on.is_phrase),
        go(state, T.DIGIT, S.ANSWER_DIGITS, do.clear_field, when=on.key_is("0")),
        stay(state, T.DIGIT, do.beep),
        stay(state, T.NEXT, do.next_page),
        *[go(state, trigger, S.STATUS, do.clear_field) for trigger in (T.CLEAR, T.CANCEL)],
        go(state, T.TIMEOUT, S.MENU, do.forget),
        *no_scan(state),
        *redraw(state),
        stay(state, T.F4, do.toggle_locale),
        *ignore(state, (T.ENTER, T.DOT, T.FN, T.F1, T.F2, T.F3), NO_MEANING),
        *ignore(state, ANSWERS, STALE),
    ]


def _answer_digits() -> list[Row]:
    state = S.ANSWER_DIGITS
    return [
        stay(state, T.DIGIT, do.type_number),
        stay(state, T.ENTER, do.refuse_pay_code, when=do.is_typed_pay_code),
        go(state, T.ENTER, S.STATUS, do.answer_digits, when=on.has_typed),
        stay(state, T.ENTER, do.beep),
        stay(state, T.CLEAR, do.delete_character, when=on.has_typed),
        *[go(state, trigger, S.ANSWER, do.clear_field) for trigger in (T.CLEAR, T.CANCEL)],
        go(state, T.TIMEOUT, S.MENU, do.forget),
        *no_scan(state),
        *redraw(state),
        stay(state, T.F4, do.toggle_locale),
        *ignore(state, (T.DOT, T.NEXT, T.FN, T.F1, T.F2, T.F3), NO_MEANING),
        *ignore(state, ANSWERS, STALE),
    ]


def _overlay(state: S, *own: Row, digits: str = NO_MEANING, following: str = NO_MEANING) -> list[Row]:
    """Return the rows of a screen over another one; `own` come first."""
    taken = {row.trigger for row in own if row.guard is None}
    return [
        *own,
        *closes(state, *[t for t in (T.CLEAR, T.CANCEL, T.FN, T.ENTER, T.TIMEOUT) if t not in taken]),
        *no_scan(state),
        *redraw(state),
        *([] if T.F4 in taken else [stay(state, T.F4, do.toggle_locale)]),
        *([] if T.DIGIT in taken else [stay(state, T.DIGIT, do.beep)]),
        *([] if T.NEXT in taken else ignore(state, (T.NEXT,), following)),
        *ignore(state, (T.DOT, T.F1, T.F2, T.F3), NO_MEANING),
        *ignore(state, ANSWERS, STALE),
    ]


def _function() -> list[Row]:
    state = S.FUNCTION
    return _overlay(
        state,
        go(state, T.DIGIT, S.HELP, when=on.key_is("1")),
        go(state, T.DIGIT, S.LAST, do.open_newest, when=on.key_is("2")),
        go(state, T.DIGIT, Next.BACK, do.in_order(do.copy_newest, do.pop), when=on.key_is("3")),
        go(state, T.DIGIT, Next.BACK, do.in_order(do.toggle_locale, do.pop), when=on.key_is("4")),
        go(state, T.DIGIT, S.QUEUE, do.load_queue, when=on.key_is("5")),
        go(state, T.DIGIT, S.POLICY, when=on.key_is("6")),
        go(state, T.DIGIT, S.LOGIN, do.sign_out, when=on.key_is("7")),
        stay(state, T.DIGIT, do.say("training.not_now"), when=on.both(on.key_is("8"), on.is_training)),
        go(state, T.DIGIT, S.SHIFT, when=on.key_is("8")),
        go(state, T.DIGIT, S.SERVICE, when=on.key_is("9")),
        go(
            state,
            T.DIGIT,
            Next.BACK,
            do.in_order(do.toggle_training, do.pop),
            when=on.both(on.key_is("0"), on.is_over_menu),
        ),
        stay(state, T.DIGIT, do.say("training.from_menu"), when=on.key_is("0")),
    )


def _last() -> list[Row]:
    state = S.LAST
    return _overlay(
        state,
        go(state, T.DIGIT, S.WITHDRAW, do.push(state), when=on.both(on.key_is("1"), on.can_withdraw)),
        stay(state, T.DIGIT, do.copy_shown, when=on.key_is("3")),
        stay(state, T.NEXT, do.open_older),
    )


def rows() -> list[Row]:
    """Return all rows of sign-in, the menu, enquiries and overlays."""
    return [
        *_safe(),
        *_no_operators(),
        *_login(),
        *_resume(),
        *_menu(),
        *_find(),
        *_status(),
        *_withdraw(),
        *_answer(),
        *_answer_digits(),
        *_function(),
        *_last(),
        *_overlay(S.HELP),
        *_overlay(S.QUEUE, stay(S.QUEUE, T.NEXT, do.next_page)),
        *_overlay(
            S.POLICY,
            stay(S.POLICY, T.DIGIT, do.print_policy, when=on.key_is("3")),
            stay(S.POLICY, T.NEXT, do.next_page),
        ),
        *_overlay(
            S.SERVICE,
            stay(S.SERVICE, T.DIGIT, do.save_incident, when=on.key_is("1")),
            stay(S.SERVICE, T.DIGIT, do.toggle_printing, when=on.key_is("2")),
            stay(S.SERVICE, T.DIGIT, do.accept_printer, when=on.both(on.key_is("3"), on.is_printer_swapped)),
            stay(S.SERVICE, T.NEXT, do.next_page),
        ),
        *_overlay(S.SHIFT, go(S.SHIFT, T.ENTER, Next.BACK, do.in_order(do.close_shift, do.pop))),
    ]
