"""A request after CONFIRM → words: what happened, and whether money has moved (I9). Pure."""

from pos_agent.domain.events import PRINTING_PAUSED
from pos_agent.domain.identifiers import grouped, tail
from pos_agent.domain.money import format_amount
from pos_agent.domain.refund import FINAL_STATES, MoneyMoved, MoneyTruth, RefundState, money_truth
from pos_agent.domain.slip import PrintOutcome
from pos_agent.i18n import ZH
from pos_agent.journal.records import RefundRecord
from pos_agent.workflow.guards import WITHDRAWABLE, can_withdraw
from pos_agent.workflow.model import Facts, Input, SlipFacts
from pos_agent.workflow.states import State
from pos_agent.workflow.views.values import Scene, Values, device_text

_PROVED = frozenset({PrintOutcome.CONFIRMED, PrintOutcome.PROCESSED})
_SENT = frozenset({PrintOutcome.SENT, PrintOutcome.SENT_CLEAN})
_PAPER = {"EPTR_REC_EMPTY": "no_paper", "EPTR_COVER_OPEN": "cover_open", PRINTING_PAUSED: "print_paused"}
_WAITING = frozenset({*_PAPER.values(), "no_printer"})


def truth(record: RefundRecord, facts: Facts) -> MoneyTruth:
    """Return what may be said about money.

    While a broker is connected, an attempt may be committed at any moment: before the back office has spoken, the
    till then claims no more than that it does not know.
    """
    if record.request.is_training:
        return MoneyTruth(MoneyMoved.NO)
    return money_truth(
        update=record.update,
        was_send_attempted=record.was_send_attempted or facts.is_broker_connected,
        is_back_office_present=facts.is_back_office_present,
    )


def money_text(scene: Scene, record: RefundRecord) -> str:
    """Return the truth about money in words."""
    moved = truth(record, scene.facts).moved
    if moved is MoneyMoved.NO and (record.state in FINAL_STATES or record.request.is_training):
        return scene.say("money.no_final")
    return scene.say(f"money.{moved.value}")


def state_text(scene: Scene, record: RefundRecord) -> str:
    """Return the state in words; a withdrawal that is on its way says so."""
    if record.withdraw_requested and record.state in WITHDRAWABLE:
        return scene.say("state.withdrawing")
    if record.request.is_training and record.update is None:
        return scene.say("state.training")
    return scene.say(f"state.{record.state.value}")


def headline(scene: Scene, record: RefundRecord) -> tuple[str, str]:
    """Return what happened (the key under ``result.``, empty when the state itself says it) and its words."""
    if record.request.is_training:
        return "training", scene.say("result.training")
    trouble = _trouble(scene, record)
    if trouble:
        return trouble, scene.say(f"result.{trouble}")
    state = record.state
    if state is RefundState.REVIEWING or (record.is_stored and record.update is None):
        return "stored", scene.say("result.stored")
    if record.update is not None:
        return "", state_text(scene, record)
    if not scene.facts.is_broker_connected:
        return "offline", scene.say("result.offline")
    key = "silent" if record.was_send_attempted else "saved"
    return key, scene.say(f"result.{key}")


def _trouble(scene: Scene, record: RefundRecord) -> str:
    """Return what a person must see first; a printer that waits says only that the request is saved."""
    if record.is_held:
        return "held"
    slips = scene.facts.slips
    if slips.waiting and slips.paused_code and record.state not in FINAL_STATES:
        return _PAPER.get(slips.paused_code, "no_printer")
    return ""


def slip_values(scene: Scene, slips: SlipFacts) -> Values:
    """Return the slips in words, never more than was proved (D13)."""
    key, count = _slip_key(slips)
    short = scene.say(f"slip.short.{key}")
    if slips.waiting and slips.paused_code:
        return {"slip_short": short, "slip": scene.say("slip.paused", cause=device_text(scene, slips.paused_code))}
    return {"slip_short": short, "slip": scene.say(f"slip.{key}", count=str(count))}


def _slip_key(slips: SlipFacts) -> tuple[str, int]:
    if slips.waiting:
        return "waiting", slips.waiting
    if not slips.outcomes:
        return "none", 0
    if PrintOutcome.UNKNOWN in slips.outcomes:
        return "unknown", 0
    printed = sum(outcome in _PROVED for outcome in slips.outcomes)
    sent = sum(outcome in _SENT for outcome in slips.outcomes)
    if sent:
        return "sent", printed + sent
    return ("printed", printed) if printed else ("expired", 0)


def upload_text(scene: Scene, record: RefundRecord) -> str:
    """Return how far the request has got towards the back office."""
    if record.request.is_training:
        return scene.say("upload.training")
    if record.is_held:
        return scene.say("upload.held")
    if record.is_stored or record.update is not None:
        return scene.say("upload.stored")
    if not scene.facts.is_broker_connected:
        return scene.say("upload.offline")
    return scene.say("upload.attempted" if record.was_send_attempted else "upload.queued")


def detail_text(scene: Scene, record: RefundRecord, head: str, short_slip: str) -> str:
    """Return the one line of detail that matters most."""
    key = f"detail.{head}"
    if head in _WAITING or head in ("offline", "silent", "held", "training"):
        return scene.say(key)
    said = _update_detail(scene, record)
    number = tail(record.request.refund_request_id)
    return said or scene.say("detail.request", tail=number, slip=short_slip)


def _update_detail(scene: Scene, record: RefundRecord) -> str:
    update = record.update
    if update is None:
        return ""
    if update.hold is not None:
        return scene.say(f"hold.{update.hold.value}")
    if update.question and record.state is RefundState.NEED_INFO:
        return scene.say("detail.question", question=update.question)
    if update.arrival and record.state is RefundState.SUCCEEDED:
        return scene.say("detail.arrival", arrival=update.arrival)
    if update.reason and record.state in (RefundState.REJECTED, RefundState.FAILED, RefundState.ABNORMAL):
        key = "detail.rejected" if record.state is RefundState.REJECTED else "detail.failed"
        return scene.say(key, reason=update.reason)
    return ""


def customer_key(record: RefundRecord, slips: SlipFacts) -> str:
    """Return the key of what the customer should be told; a slip is handed over only if one can have come out."""
    keys = {
        RefundState.SUCCEEDED: "done",
        RefundState.REJECTED: "rejected",
        RefundState.FAILED: "manual",
        RefundState.ABNORMAL: "manual",
        RefundState.UNKNOWN: "unknown",
        RefundState.EXECUTING: "wait",
    }
    if record.request.is_training:
        return "customer.say.training"
    can_hand_over = slips.outcomes and not slips.waiting
    return "customer." + keys.get(record.state, "give_slip" if can_hand_over else "wait")


def record_values(scene: Scene, record: RefundRecord) -> Values:
    """Return everything that RESULT, STATUS and LAST show."""
    head_key, head = headline(scene, record)
    slip = slip_values(scene, scene.facts.slips)
    detail = detail_text(scene, record, head_key, slip["slip_short"])
    as_of = truth(record, scene.facts).as_of
    zone = scene.facts.now.tzinfo
    created = record.request.created_at.astimezone(zone)
    is_result = scene.state is State.RESULT
    number = record.request.refund_request_id
    shown_detail = detail if is_result else _update_detail(scene, record)
    return {
        "head": head,
        "amount": scene.money(record.request.amount_minor),
        "amount_short": format_amount(record.request.amount_minor),
        "money": money_text(scene, record),
        "as_of": scene.say("money.as_of", time=f"{as_of.astimezone(zone):%H:%M}") if as_of is not None else "",
        "state": state_text(scene, record),
        "detail": shown_detail or scene.say("detail.tail", tail=tail(number), slip=slip["slip_short"]),
        "detail_line": "  " + _update_detail(scene, record) if record.update is not None else "",
        "detail_more": "",
        "request_tail": tail(number),
        "request_grouped": grouped(number),
        "tail": record.request.reference_tail,
        "reason": _reason(scene, record),
        "slip": slip["slip"],
        "upload": upload_text(scene, record),
        "customer": scene.say(customer_key(record, scene.facts.slips)),
        "when": scene.say("status.when" if scene.state is State.LAST else "status.at", time=f"{created:%H:%M}"),
        "when_short": f"{created:%H:%M}",
        "when_long": f"{created:%m-%d %H:%M}",
        "actions": _actions(scene, record),
        "question": (record.update.question or "") if record.update is not None else "",
    }


def _reason(scene: Scene, record: RefundRecord) -> str:
    reason = scene.rules.reason(record.request.reason_code)
    if reason is None:
        return record.request.reason_code
    return reason.zh if scene.locale == ZH else reason.en


def _actions(scene: Scene, record: RefundRecord) -> str:
    names = [*(_own_actions(scene, record)), "action.copy"]
    closing = [] if "action.answer" in names else ["action.close"]
    if scene.columns < 40:
        return "  ".join(scene.say(name) for name in [*names, "action.next"][:3])
    return "  ".join(scene.say(name) for name in [*names, "action.older", *closing])


def _own_actions(scene: Scene, record: RefundRecord) -> list[str]:
    """Return what this request allows beyond a copy."""
    names = []
    if record.state is RefundState.NEED_INFO and scene.context.stack == ():
        names.append("action.answer")
    if can_withdraw(scene.context, Input(facts=scene.facts), scene.rules):
        names.append("action.withdraw")
    return names
