"""The lists of the menu: reasons, phrases, items, waiting requests, policy, service. Pure."""

from pos_agent.domain.identifiers import tail
from pos_agent.domain.reasons import Reason
from pos_agent.domain.screen import cell_width, pad
from pos_agent.i18n import ZH
from pos_agent.journal.records import MoneyRow
from pos_agent.workflow.views.layout import in_columns, right, wrap
from pos_agent.workflow.views.values import Scene, device_text, link_text

_NARROW = 20


def _name(scene: Scene, reason: Reason) -> str:
    is_zh = scene.locale == ZH
    long = reason.zh if is_zh else reason.en
    if scene.columns > _NARROW:
        return long
    return (reason.zh_short if is_zh else reason.en_short) or long


def _entry(scene: Scene, number: str, words: str) -> str:
    return f"{number}{words}" if scene.columns <= _NARROW else f"{number} {words}"


def reasons(scene: Scene) -> list[str]:
    """Return the reasons of the first page, two in a line, and 0 for the others."""
    first = sorted((reason for reason in scene.rules.reasons if reason.key), key=lambda reason: reason.key)
    items = [_entry(scene, reason.key, _name(scene, reason)) for reason in first]
    if scene.columns <= _NARROW:
        return in_columns([*items, _entry(scene, "0", scene.say("reason.other"))], scene.columns)
    return _indented([*in_columns(items, scene.columns - 2), _entry(scene, "0", scene.say("reason.other_long"))])


def other_reasons(scene: Scene) -> list[str]:
    """Return the reasons that are reached by two digits."""
    items = [_entry(scene, reason.code[1:], _name(scene, reason)) for reason in scene.rules.reasons if not reason.key]
    if scene.columns <= _NARROW:
        return in_columns(items, scene.columns)
    return _indented(in_columns(items, scene.columns - 2))


def phrases(scene: Scene) -> list[str]:
    """Return the numbered phrases."""
    lines = [
        _entry(scene, phrase.number, phrase.zh if scene.locale == ZH else phrase.en) for phrase in scene.rules.phrases
    ]
    return lines if scene.columns <= _NARROW else _indented(lines)


def items(scene: Scene) -> list[str]:
    """Return the goods of the sale: name, quantity, sum."""
    entry = scene.context.entry
    if entry is None or entry.sale is None:
        return []
    rows = []
    for line in entry.sale.lines:
        end = f" x{line.quantity} {scene.money(line.paid_minor)}"
        room = scene.columns - cell_width(end)
        rows.append(pad(line.name, room) + end if room > 2 else right(end.strip(), scene.columns))
    return rows


def queue(scene: Scene) -> list[str]:
    """Return the requests that the back office has not acknowledged."""
    rows = [_queue_row(scene, row) for row in scene.facts.queue]
    return rows or [scene.say("list.empty")]


def _queue_row(scene: Scene, row: MoneyRow) -> str:
    values = {
        "tail": tail(row.refund_request_id),
        "amount": scene.money(row.amount_minor),
        "status": scene.say(f"queue.{row.status.value}"),
    }
    words = scene.say("queue.row", **values)
    return words if cell_width(words) <= scene.columns else scene.say("queue.row.short", **values)


def policy(scene: Scene) -> list[str]:
    """Return the refund policy, wrapped."""
    policy = scene.rules.policy
    words = policy.text_zh if scene.locale == ZH else policy.text_en
    return wrap(words or scene.say("policy.default"), scene.columns)


def service(scene: Scene) -> list[str]:
    """Return what a technician asks for first on the telephone."""
    facts = scene.facts
    outbox = facts.outbox
    rows = [
        scene.say("service.incident"),
        scene.say("service.resume" if facts.is_printing_paused else "service.pause"),
        *([scene.say("service.accept_printer")] if facts.is_printer_swapped else []),
        scene.say("service.terminal", terminal=scene.rules.terminal_id),
        scene.say("service.version", version=scene.rules.version),
        scene.say("service.link", link=link_text(scene), code=facts.link_code),
        scene.say("service.queue", queued=str(outbox.queued), sent=str(outbox.sent), held=str(outbox.held)),
    ]
    for device, code in sorted(facts.devices.items()):
        name = scene.say(f"device.{device.value}")
        rows.append(scene.say("service.device", device=name, cause=device_text(scene, code)))
    return [line for row in rows for line in wrap(row, scene.columns)]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
