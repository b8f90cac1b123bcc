"""Facts → the words that stand in a screen's placeholders. Pure; all words come from `pos_agent.i18n`."""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from pos_agent.domain.events import DeviceName
from pos_agent.domain.identifiers import grouped, tail
from pos_agent.domain.money import AmountError, capitals, format_amount, parse_yuan
from pos_agent.domain.policy import limits
from pos_agent.i18n import ZH, has, help_of, sentence, text
from pos_agent.workflow.model import Context, Facts, RefundEntry, Rules
from pos_agent.workflow.states import State
from pos_agent.workflow.views.layout import right

Values = dict[str, str]


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """All that a view may look at."""

    state: State
    context: Context
    facts: Facts
    rules: Rules
    labels: Mapping[str, str]
    columns: int

    @property
    def locale(self) -> str:
        """Return the language on the screen."""
        return self.context.locale

    def say(self, key: str, **parameters: str) -> str:
        """Return words in the language on the screen; key labels are always there."""
        return text(key, self.locale, **{**keys(self), **parameters})

    def money(self, amount_minor: int) -> str:
        """Return an amount with its currency sign."""
        return ("￥" if self.locale == ZH else "CNY") + format_amount(amount_minor)


def keys(scene: Scene) -> Values:
    """Return the labels of the keys under their short names."""
    names = {"ok": "ENTER", "clr": "CLEAR", "esc": "CANCEL", "fn": "FN", "nxt": "NEXT"}
    return {short: scene.labels[name] for short, name in names.items()}


def clock_text(scene: Scene) -> str:
    """Return the time of day, or the mark of a clock that is not trusted."""
    return f"{scene.facts.now:%H:%M}" if scene.facts.is_clock_trusted else scene.say("clock.untrusted")


def link_text(scene: Scene) -> str:
    """Return whether the back office can be reached."""
    if scene.facts.is_back_office_present:
        return scene.say("link.online")
    return scene.say("link.back_office_away" if scene.facts.is_broker_connected else "link.offline")


def status_values(scene: Scene) -> Values:
    """Return what stands on every screen: keys, clock, link, counts, the field."""
    context, facts = scene.context, scene.facts
    waiting = facts.outbox.queued + facts.outbox.sent
    room = scene.columns - 2
    typed = context.typed + "_"
    return {
        **keys(scene),
        "time": clock_text(scene),
        "link": link_text(scene),
        "queued": str(waiting),
        "held": str(facts.outbox.held),
        "operator": context.operator_no,
        "typed": typed,
        "typed_end": typed[-room:],
        "terminal": scene.rules.terminal_id,
        "phone": scene.rules.service_phone or "-",
        "version": scene.rules.policy.version,
        "training": scene.say("training.end" if context.is_training else "training.start"),
        "code": facts.safe_code if scene.state is State.SAFE else context.refusal,
        "length": str(context.code.length) if context.code is not None else "",
    }


def credential_values(scene: Scene) -> Values:
    """Return operator number and PIN; the PIN only as stars."""
    context = scene.context
    if context.is_checking:
        return {"no": context.auth_no, "pin": scene.say("pin.checking") if scene.state is State.LOGIN else ".."}
    if context.auth_no:
        return {"no": context.auth_no, "pin": "*" * min(len(context.pin), 6) + "_"}
    return {"no": context.typed + "_", "pin": ""}


def entry_values(scene: Scene, entry: RefundEntry | None) -> Values:
    """Return what is known about the refund under way and its sale."""
    if entry is None:
        return {}
    sale = entry.sale
    channel = sale.channel.value if sale is not None else "unknown"
    left, paid = entry.refundable_minor or 0, entry.paid_minor or 0
    gone = sale.refunded_minor + sale.reserved_minor if sale is not None else 0
    reason = scene.rules.reason(entry.reason_code)
    is_zh = scene.locale == ZH
    long_reason = "" if reason is None else reason.zh if is_zh else reason.en
    short_reason = "" if reason is None else (reason.zh_short if is_zh else reason.en_short) or long_reason
    return {
        "channel": scene.say(f"channel.{channel}"),
        "channel_long": scene.say(f"channel.long.{channel}"),
        "acquirer": sale.acquirer_name if sale is not None else "",
        **_sale_time(scene, sale.paid_at if sale is not None else None),
        "paid": scene.money(paid),
        "left": scene.money(left),
        "left_short": format_amount(left),
        "paid_right": right(scene.money(paid), 16),
        "refunded_right": right(scene.money(gone), 16),
        "left_right": right(scene.money(left), 16),
        "tail": entry.tail,
        "tail_grouped": grouped(_last_nine(entry)),
        "amount": scene.money(entry.amount_minor),
        "amount_short": format_amount(entry.amount_minor),
        "capitals": capitals(entry.amount_minor) if is_zh else "",
        "kind": scene.say(f"kind.{entry.refund_type.value}"),
        "reason": short_reason,
        "reason_long": f"{long_reason} {entry.note}" if entry.note else long_reason,
        "left_line": _left_line(scene, entry),
        "earlier": _earlier(scene, entry),
        "warning": scene.say("confirm.unverified") if entry.is_unverified else "",
        "amount_or_blank": scene.money(entry.amount_minor) if entry.amount_minor else "",
    }


def _last_nine(entry: RefundEntry) -> str:
    return entry.sale.order_no[-9:] if entry.sale is not None else entry.tail


def _left_line(scene: Scene, entry: RefundEntry) -> str:
    left = scene.money(entry.refundable_minor or 0)
    is_earlier = entry.sale is not None and entry.sale.earlier_amount_minor is not None
    return scene.say("sale.left_earlier" if is_earlier else "sale.left", left=left)


def _earlier(scene: Scene, entry: RefundEntry) -> str:
    sale = entry.sale
    if sale is None or sale.earlier_amount_minor is None:
        return ""
    state = scene.say(f"state.{sale.earlier_state.value}") if sale.earlier_state is not None else ""
    return scene.say("sale.earlier", amount=scene.money(sale.earlier_amount_minor), state=state)


def _sale_time(scene: Scene, paid_at: datetime | None) -> Values:
    if paid_at is None:
        return {"paid_at": "", "paid_at_long": "", "paid_on": "", "age": ""}
    local = paid_at.astimezone(scene.facts.now.tzinfo)
    days = (scene.facts.now.date() - local.date()).days
    age = scene.say("age.today") if days <= 0 else scene.say("age.days", days=str(days))
    return {
        "paid_at": f"{local:%m-%d %H:%M}",
        "paid_at_long": f"{local:%Y-%m-%d %H:%M}",
        "paid_on": f"{local:%Y-%m-%d}",
        "age": age if scene.facts.is_clock_trusted else "",
    }


def amount_echo(scene: Scene) -> str:
    """Return the amount as it was understood, normalised (D4); empty while it is none."""
    try:
        amount_minor = parse_yuan(scene.context.typed)
    except AmountError:
        return ""
    words = capitals(amount_minor) if scene.locale == ZH else ""
    return scene.say("echo.zh", amount=scene.money(amount_minor), capitals=words).rstrip()


def limit_values(scene: Scene) -> Values:
    """Return why a supervisor is asked, and the limit that was passed."""
    entry = scene.context.entry
    operator_limit, _ = limits(scene.rules.policy, is_unverified=entry is not None and entry.sale is None)
    why = f"why.{scene.context.refusal}"
    return {
        "why": scene.say(why if has(why) else "why.over_limit"),
        "limit": scene.money(operator_limit),
        "limit_short": format_amount(operator_limit),
    }


def refusal_text(scene: Scene) -> str:
    """Return why the sale may not be refunded."""
    key = f"refused.{scene.context.refusal}"
    return scene.say(key if has(key) else "refused.other", **scene.context.refusal_parameters)


def code_text(scene: Scene, code: str) -> str:
    """Return the sentence of an error code."""
    return sentence(code, scene.locale)


def device_text(scene: Scene, code: str) -> str:
    """Return what is wrong with a device; an unknown code still says that a person is needed."""
    key = f"device.{code}" if code else "device.ok"
    return scene.say(key if has(key) else "device.unknown")


def help_values(scene: Scene, view: str) -> Values:
    """Return the two lines of help for a view."""
    step, now, other = help_of(view, scene.locale)
    return {"step": step, "now": now, "else": other}


def is_scanner_missing(facts: Facts) -> bool:
    """Return True if a configured scanner is not there."""
    return facts.devices.get(DeviceName.SCANNER, "") not in ("", "keyboard_mode")


def request_tail(number: str) -> str:
    """Return the six digits by which people name a request."""
    return tail(number)


Rows = Callable[[Scene], list[str]]
