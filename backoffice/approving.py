"""Approving what a till asks by QR code, and counting that approval when the request comes (ADR 0024).

The person sees the sale's sums as they are now; at ingest the approval counts as the first of those the request needs
only if the sums are still the same (D9). Otherwise the request waits for a reviewer as any other.
"""

from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy.orm import Session

from backoffice import approvals, deeds
from backoffice.deeds import Deed
from backoffice.ingest.context import Context
from backoffice.ingest.facts import sale_facts
from backoffice.ledger import Sums, find_sale, lock_sale, sums
from backoffice.refunds import is_restoring, lock_refund, touch
from backoffice.review import Actor, Command, DecisionError, Shown, StaleError, decide, shown_now
from backoffice.rules import APPROVED_BY_CODE, has_rank, levels_needed, refuse_amount, refuse_sale
from backoffice.signing import load_signer
from backoffice.states import State
from backoffice.store.approval_tables import OfflineApproval
from backoffice.store.rows import locked_or_new
from backoffice.store.schema import Account, Operator, Person, Refund, Sale, Terminal
from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.identifiers import is_refund_request_id
from pos_agent.domain.money import MAX_AMOUNT_MINOR
from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.i18n.backoffice import text
from pos_agent.protocol import approval as codes
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.messages import RefundRequestMessage

#: Longest texts of a question that the columns hold.
_LENGTHS: Final = {"boot_id": 64, "nonce": 64, "currency": 3, "sale": 128, "operator_no": 16, "reason_code": 16}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A till's question, with what the person who answers must know.

    Attributes:
        maker: Name of the operator's person; empty if nobody registered the number.
        shown: Sums of the sale now, as the answer must name them.
        refusal: Code of the hard rule against it, empty if there is none; words are ``error.<refusal>``.
        given_by: Who has said yes already.
        levels: How many persons must approve in all.
    """

    question: ApprovalQuestion
    terminal_id: str
    maker: str
    sale: Sale | None
    sums: Sums
    shown: Shown
    refusal: str
    given_by: str
    levels: int


def look(session: Session, context: Context, actor: Actor, code: str) -> Asked:
    """Read a question for the page.

    Raises:
        DecisionError: Not a question of a till here, or this person may not answer it.
    """
    terminal, question = _open(session, code)
    _require_may(session, actor, terminal, question)
    operator = session.get(Operator, (terminal.merchant_id, question.operator_no))
    person = session.get(Person, operator.person_id) if operator else None
    given = session.get(OfflineApproval, question.refund_request_id)
    giver = session.get(Person, given.person_id) if given else None
    sale = _sale(session, terminal, question)
    totals = _sums(session, sale, question.refund_request_id)
    return Asked(
        question=question,
        terminal_id=terminal.terminal_id,
        maker=person.name if person else "",
        sale=sale,
        sums=totals,
        shown=_shown(totals),
        refusal=_refusal(session, context, sale, question),
        given_by=giver.name if giver else "",
        levels=len(levels_needed(question.amount_minor, context.config.review)),
    )


def approve(session: Session, context: Context, actor: Actor, code: str, shown: Shown) -> str:
    """Say yes; returns the text of the answer's QR code. Saying it again returns the same answer.

    Raises:
        StaleError: The sale's sums are not as shown: nothing was changed.
        DecisionError: Not allowed for this person, or by a hard rule; or somebody else has answered.
    """
    terminal, question = _open(session, code)
    _require_may(session, actor, terminal, question)
    row = session.get(OfflineApproval, question.refund_request_id)
    if row is None:
        row = _record(session, context, actor, terminal, question, shown)
    if row.person_id != actor.person_id or row.nonce != question.nonce:
        raise DecisionError("approval_taken", 409)
    signing = context.config.signing
    return load_signer(Path(signing.key_file), signing.kid).approval_code(_answer(row))


def _open(session: Session, code: str) -> tuple[Terminal, ApprovalQuestion]:
    try:
        terminal = session.get(Terminal, codes.terminal_of(code))
        if terminal is None:
            raise DecisionError("approval_unknown_terminal", 422)
        keys = {kid: PublicKey.from_base64(key) for kid, key in terminal.device_keys.items()}
        question = codes.read_question(code, keys=keys)
    except SignatureError as error:
        raise DecisionError("approval_forged", 422, str(error)) from error
    except RemoteProtocolError as error:
        raise DecisionError("approval_not_ours", 422, str(error)) from error
    if not _is_usable(question):
        raise DecisionError("approval_not_ours", 422, "a value that no request can have")
    if terminal.is_denied or terminal.is_suspect:
        raise DecisionError("approval_denied_terminal", 409)
    return terminal, question


def _is_usable(question: ApprovalQuestion) -> bool:
    """Return whether a request with these values could be stored: a signature does not say that its till works."""
    is_request = is_refund_request_id(question.refund_request_id) and 0 < question.amount_minor <= MAX_AMOUNT_MINOR
    return is_request and all(len(getattr(question, name)) <= length for name, length in _LENGTHS.items())


def _require_may(session: Session, actor: Actor, terminal: Terminal, question: ApprovalQuestion) -> None:
    if is_restoring(session):
        raise DecisionError("restoring")
    if not has_rank(actor.role, approvals.ROLE):
        raise DecisionError("role", 403)
    operator = session.get(Operator, (terminal.merchant_id, question.operator_no))
    if operator is not None and operator.person_id == actor.person_id:
        raise DecisionError("self_approval", 403)
    if session.get(Refund, question.refund_request_id) is not None:
        raise DecisionError("approval_spent", 409)


def _record(
    session: Session, context: Context, actor: Actor, terminal: Terminal, question: ApprovalQuestion, shown: Shown
) -> OfflineApproval:
    sale = _sale(session, terminal, question)
    if sale is not None:
        sale = lock_sale(session, sale.sale_id)
    now = _shown(_sums(session, sale, question.refund_request_id))
    if shown != now:
        raise StaleError(str(shown), str(now))
    refusal = _refusal(session, context, sale, question)
    if refusal:
        raise DecisionError(refusal)
    row = OfflineApproval(
        refund_request_id=question.refund_request_id,
        terminal_id=terminal.terminal_id,
        boot_id=question.boot_id,
        nonce=question.nonce,
        amount_minor=question.amount_minor,
        currency=question.currency,
        sale=question.sale,
        operator_no=question.operator_no,
        person_id=actor.person_id,
        login=actor.login,
        sums=msgspec.to_builtins(shown),
        at=context.now(),
    )
    given = locked_or_new(session, row)
    if given is not row:  # somebody said yes at the same time
        return given
    detail = f"request {row.refund_request_id} of {row.terminal_id}, {row.amount_minor} {row.currency}"
    deeds.note(session, Deed.APPROVED_BY_CODE, by=actor.name, detail=detail, now=context.now)
    return row


def _answer(row: OfflineApproval) -> ApprovalAnswer:
    names = ("terminal_id", "boot_id", "refund_request_id", "nonce", "amount_minor", "currency", "sale", "person_id")
    return ApprovalAnswer(**{name: getattr(row, name) for name in names})


def _sale(session: Session, terminal: Terminal, question: ApprovalQuestion) -> Sale | None:
    sale = session.get(Sale, question.sale_id) if question.sale_id else None
    if sale is not None and sale.merchant_id == terminal.merchant_id:
        return sale
    return find_sale(session, terminal.merchant_id, question.reference.kind, question.reference.value)


def _sums(session: Session, sale: Sale | None, request_id: str) -> Sums:
    return sums(session, sale, without=request_id) if sale is not None else Sums(0, 0, 0, 0)


def _shown(totals: Sums) -> Shown:
    return Shown(0, totals.paid_minor, totals.refunded_minor, totals.reserved_minor)


def _refusal(session: Session, context: Context, sale: Sale | None, question: ApprovalQuestion) -> str:
    """Return the hard rule against the refund; none without a sale: the request will wait to be verified."""
    if sale is None:
        return ""
    if sale.is_frozen:
        return "frozen"
    facts = sale_facts(session, sale, without=question.refund_request_id)
    refusal = refuse_sale(facts, context.profile(sale.acquirer_id), context.now()) or refuse_amount(
        facts, question.amount_minor, question.currency
    )
    return refusal.code if refusal else ""


def count(session: Session, context: Context, message: RefundRequestMessage) -> None:
    """Spend the approval that a new request names; count it as a decision if it is what its giver saw (D9, I3).

    Called in the transaction that stored the request, after its claim was found good (`approvals.claim_flag`).
    """
    request = message.request
    row = session.get(OfflineApproval, request.refund_request_id)
    refund = lock_refund(session, request.refund_request_id)
    if row is None or refund is None or APPROVED_BY_CODE not in refund.flags:
        return
    row.used_at = context.now()
    problem = _count(session, context, row, refund)
    if problem:
        detail = f"approval by code of {row.person_id} does not count: {problem}"
        touch(session, refund, actor=f"person:{row.person_id}", before=refund.state, detail=detail, now=context.now)


def _count(session: Session, context: Context, row: OfflineApproval, refund: Refund) -> str:
    if State(refund.state) is not State.REVIEWING:
        return f"state={refund.state}"
    sale = session.get(Sale, refund.sale_id) if refund.sale_id else None
    now = _shown(_sums(session, sale, refund.refund_request_id))
    if msgspec.convert(row.sums, Shown) != now:
        return f"seen={row.sums} now={now}"
    account = session.get(Account, row.login)
    assert account is not None, "its claim was found good"
    actor = Actor(row.person_id, row.login, account.role)
    reason = text("approve.by_code", context.locale)
    command = Command(kind="approve", shown=shown_now(session, refund), reason=reason)
    try:
        decide(session, context, actor, refund.refund_request_id, command)
    except DecisionError as error:
        return error.code
    return ""
