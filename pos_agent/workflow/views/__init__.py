"""State, context and facts → the screen (screens.md sections 3–5). Pure.

What a screen says stands in `pos_agent.i18n`; this package chooses the view and fills in the values.
"""

from collections.abc import Callable, Mapping

from pos_agent.domain.events import DeviceName
from pos_agent.domain.refund import ReferenceKind, RefundState
from pos_agent.domain.screen import Screen, cell_width, make_screen
from pos_agent.i18n import KEY_LABELS, ZH, index
from pos_agent.i18n.screens_20x4 import SCREENS_20X4
from pos_agent.i18n.screens_40x12 import SCREENS_40X12
from pos_agent.workflow.guards import needs_retype
from pos_agent.workflow.model import Context, Facts, Input, Rules
from pos_agent.workflow.states import NO_COUNTDOWN, RESUME_POINTS, State
from pos_agent.workflow.views import lists, values
from pos_agent.workflow.views.layout import count_down, end_with, lay_out, page_of, room_for_rows
from pos_agent.workflow.views.records import money_text, record_values, state_text
from pos_agent.workflow.views.values import Scene, Values

#: Sizes that have lay-outs of their own; a larger display shows 40×12 in its corner.
WIDE, NARROW = (40, 12), (20, 4)
_LISTS: Mapping[str, values.Rows] = {
    "reason": lists.reasons,
    "other_reason": lists.other_reasons,
    "note": lists.phrases,
    "answer": lists.phrases,
    "items": lists.items,
    "queue": lists.queue,
    "policy": lists.policy,
    "service": lists.service,
}
#: Troubles of the link that do not end by themselves.
_LINK_NOTICES = frozenset({"E-STOP"})
_OF_RECORD = frozenset({State.RESULT, State.STATUS, State.LAST, State.WITHDRAW, State.ANSWER, State.ANSWER_DIGITS})
#: Line that a message replaces: the detail line; where that is a field being typed, the first line.
_MESSAGE_ON_TOP = frozenset({"login", "supervisor", "scan", "no_scanner", "find", "answer", "answer_digits", "reason"})


def render(
    state: State,
    context: Context,
    facts: Facts,
    rules: Rules,
    *,
    size: tuple[int, int],
    labels: Mapping[str, Mapping[str, str]] = KEY_LABELS,
) -> Screen:
    """Draw a screen.

    Args:
        state: Where the cashier is.
        context: What was entered.
        facts: What is true now.
        rules: What the shop configured.
        size: (columns, rows) of the display; at least 20×4.
        labels: Key labels of the shop's key map by locale.
    Returns:
        A screen of exactly `size`.
    """
    is_wide = size[0] >= WIDE[0] and size[1] >= WIDE[1]
    columns, height = WIDE if is_wide else NARROW
    own = {**KEY_LABELS[context.locale], **labels.get(context.locale, {})}
    scene = Scene(state=state, context=context, facts=facts, rules=rules, labels=own, columns=columns)
    view = view_of(scene)
    template = (SCREENS_40X12 if is_wide else SCREENS_20X4)[view][index(context.locale)]
    filled, rows = _values(scene, view), list[str]()
    mark = scene.say("training.mark") if context.is_training and not is_wide else ""
    if view in _LISTS:
        rows, filled["page"] = page_of(_LISTS[view](scene), context.page, room_for_rows(template, height))
    lines = lay_out(template, filled, rows, columns=columns, height=height, mark=mark)
    lines = [*lines, *[""] * (height - len(lines))]
    _put_message(scene, view, lines, is_wide=is_wide)
    if context.is_training:
        _put_training(scene, lines, is_wide=is_wide)
    if facts.countdown_s is not None and state not in NO_COUNTDOWN:
        mark = f"{facts.countdown_s}{'秒' if context.locale == ZH else 's'}"
        lines = count_down(lines, mark, columns=columns, row=height - 1)
    return make_screen(lines, columns=size[0], rows=size[1], view=view, is_wide=is_wide)


def render_stopped(locale: str, *, size: tuple[int, int], labels: Mapping[str, Mapping[str, str]]) -> Screen:
    """Draw the screen of a till whose agent has ended in order; in both languages, for nobody can switch any more."""
    is_wide = size[0] >= WIDE[0] and size[1] >= WIDE[1]
    columns, height = WIDE if is_wide else NARROW
    template = (SCREENS_40X12 if is_wide else SCREENS_20X4)["stopped"][index(locale)]
    lines = lay_out(template, {**KEY_LABELS[locale], **labels.get(locale, {})}, [], columns=columns, height=height)
    return make_screen(lines, columns=size[0], rows=size[1], view="stopped", is_wide=is_wide)


def view_of(scene: Scene) -> str:
    """Return the name of the view: the state's, except where facts choose another one."""
    state, record = scene.state, scene.facts.record
    if state is State.SCAN and values.is_scanner_missing(scene.facts):
        return "no_scanner"
    if state in (State.RESULT, State.STATUS, State.LAST):
        if record is None:
            return "status_none_training" if scene.context.is_training else "status_none"
        if record.state is RefundState.UNKNOWN and state is State.RESULT:
            return "unknown"
        return "result" if state is State.RESULT else "status"
    if state is State.CONFIRM:
        probe = Input(facts=scene.facts)
        return "confirm_retype" if needs_retype(scene.context, probe, scene.rules) else "confirm"
    return str(state.value).lower()


def _values(scene: Scene, view: str) -> Values:
    found = values.status_values(scene)
    found.update(_Blank(values.entry_values(scene, scene.context.offered or scene.context.entry)))
    if scene.state in _OF_RECORD and scene.facts.record is not None:
        found.update(record_values(scene, scene.facts.record))
    extra = _EXTRA.get(view)
    if extra is not None:
        found.update(extra(scene))
    return _Blank(found)


def _menu(scene: Scene) -> Values:
    newest = scene.facts.newest
    last = ""
    if newest is not None:
        last = scene.say(
            "menu.last",
            amount=scene.money(newest.request.amount_minor),
            state=state_text(scene, newest),
            money=money_text(scene, newest),
        )
    if scene.context.is_training:
        words = scene.say("training.numbers")
        return {"last": last, "notice": words if scene.columns < WIDE[0] else f"  {words}"}
    notice = scene.say(*_notice(scene)[:1], **_notice(scene)[1]) if _notice(scene)[0] else ""
    if scene.columns < WIDE[0]:
        return {"last": last, "notice": notice or scene.say("menu.hint")}
    return {"last": last, "notice": f"  {notice}" if notice else ""}


def _notice(scene: Scene) -> tuple[str, dict[str, str]]:
    """Return the most urgent thing that the cashier should know at MENU."""
    facts = scene.facts
    if facts.storage_code:
        return f"notice.{facts.storage_code}", {}
    if facts.keys_wanted:
        return "notice.new_keypad", {"wanted": scene.labels.get(facts.keys_wanted[0], facts.keys_wanted[0])}
    if facts.is_broker_connected and facts.link_code in _LINK_NOTICES:
        return f"notice.{facts.link_code}", {}
    if facts.notices:
        return "notice.results", {"count": str(len(facts.notices))}
    if stopped := _printer_stopped(scene):
        return stopped
    if values.is_scanner_missing(facts):
        return "notice.scanner", {}
    if "keyboard_mode" in facts.devices.values():
        return "notice.keyboard_mode", {}
    if facts.outbox.held:
        return "notice.held", {"count": str(facts.outbox.held)}
    return _upkeep(facts), {}


def _upkeep(facts: Facts) -> str:
    """Return what somebody should see to, though refunds go on."""
    if facts.certificate_code:
        return f"notice.{facts.certificate_code}"
    if facts.is_printer_swapped:
        return "notice.printer_swapped"
    if facts.is_paper_low:
        return "notice.paper_low"
    return "" if facts.is_clock_trusted else "clock.notice"


def _printer_stopped(scene: Scene) -> tuple[str, dict[str, str]] | None:
    """Return why nothing is printed, None = it is."""
    if scene.facts.is_printing_paused:
        return "notice.printing_paused", {}
    code = scene.facts.devices.get(DeviceName.PRINTER, "")
    return ("notice.printer", {"cause": values.device_text(scene, code)}) if code else None


def _lookup(scene: Scene) -> Values:
    seconds = scene.facts.lookup_s
    done = min(10, 1 + seconds)
    return {"bar": f"[{'#' * done}{' ' * (10 - done)}]", "seconds": str(seconds)}


def _no_lookup(scene: Scene) -> Values:
    entry = scene.context.entry
    can_note = entry is not None and entry.reference.kind is not ReferenceKind.ORDER_NO_HASH
    return {
        "choices": scene.say("no_lookup.both" if can_note else "no_lookup.retry"),
        "second": scene.say("no_lookup.second") if can_note else "",
        "sentence": values.code_text(scene, scene.facts.link_code) if scene.facts.link_code else "",
    }


def _approval(scene: Scene) -> Values:
    cause = scene.facts.devices.get(DeviceName.PRINTER, "")
    if not cause:
        return {"slip": scene.say("approval.printing") if scene.columns < WIDE[0] else ""}
    return {"slip": scene.say("approval.no_slip", cause=values.device_text(scene, cause))}


def _resume(scene: Scene) -> Values:
    point = RESUME_POINTS.get(scene.context.offered_state, State.SALE)
    found = {"step": scene.say(f"step.{point.value.lower()}")}
    entry = scene.context.offered
    if entry is not None and not entry.amount_minor and entry.refundable_minor is not None:
        found["amount"] = scene.money(entry.refundable_minor)
        found["amount_short"] = found["amount"].removeprefix("CNY").removeprefix("￥")
    return found


def _help(scene: Scene) -> Values:
    below = scene.context.stack[-1] if scene.context.stack else State.MENU
    return values.help_values(scene, below.value.lower())


_EXTRA: Mapping[str, Callable[[Scene], Values]] = {
    "safe": lambda scene: {"sentence": values.code_text(scene, scene.facts.safe_code)},
    "login": values.credential_values,
    "supervisor": lambda scene: {**values.credential_values(scene), **values.limit_values(scene)},
    "approval": _approval,
    "menu": _menu,
    "lookup": _lookup,
    "no_lookup": _no_lookup,
    "refused": lambda scene: {"sentence": values.refusal_text(scene)},
    "not_saved": lambda scene: {"sentence": values.code_text(scene, scene.context.refusal)},
    "amount": lambda scene: {"echo": values.amount_echo(scene)},
    "paid": lambda scene: {"echo": values.amount_echo(scene)},
    "resume": _resume,
    "help": _help,
}


def _put_message(scene: Scene, view: str, lines: list[str], *, is_wide: bool) -> None:
    """Show what is wrong with the last input in place of a line that matters less."""
    context = scene.context
    if not context.message:
        return
    words = scene.say(context.message, **context.message_parameters)
    if is_wide:
        lines[9 if view not in _LISTS else 0] = f"  {words}" if view not in _LISTS else words
        return
    lines[0 if view in _MESSAGE_ON_TOP or view in _LISTS else 2] = words


def _put_training(scene: Scene, lines: list[str], *, is_wide: bool) -> None:
    """Mark the screen: in the rule under the first line, or at the end of the first line of a small display."""
    if is_wide:
        words = scene.say("training.mark.long")
        left = (scene.columns - cell_width(words)) // 2
        lines[1] = "=" * left + words + "=" * (scene.columns - left - cell_width(words))
    else:
        lines[0] = end_with(lines[0], scene.say("training.mark"), scene.columns)


class _Blank(dict[str, str]):
    """Values; a placeholder that has none stays blank: a screen is never refused."""

    def __missing__(self, key: str) -> str:
        return ""


def width_of(screen: Screen) -> int:
    """Return the widest line, for tests."""
    return max(cell_width(line) for line in screen.lines)
