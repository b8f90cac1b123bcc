"""What a till claims about an approval by QR code, judged again at ingest (trust.md 11, ADR 0024)."""

from typing import Final

from sqlalchemy.orm import Session

from backoffice.rules import APPROVED_BY_CODE, has_rank
from backoffice.store.approval_tables import OfflineApproval
from backoffice.store.schema import Account, Person
from pos_agent.domain.refund import RefundRequest

#: Lowest role that may approve for a till.
ROLE: Final = "approver"
#: Flags of a claim that does not hold: the request waits for another person.
UNKNOWN: Final = "approval_unknown"
DIFFERS: Final = "approval_differs"
SELF: Final = "approval_self"
ROLE_LOST: Final = "approval_role"


def claim_flag(session: Session, request: RefundRequest, *, maker_person_id: str) -> str:
    """Judge the claim of a new request.

    Returns:
        `APPROVED_BY_CODE`; or a flag that holds the request; empty if it claims nothing.
    """
    claim = request.approval
    if claim is None:
        return ""
    row = session.get(OfflineApproval, request.refund_request_id)
    if row is None:
        return UNKNOWN
    given = (row.terminal_id, row.boot_id, row.nonce, row.person_id, row.amount_minor, row.currency, row.sale)
    sale = request.sale_id or request.original_reference.value
    asked = (request.terminal_id, request.boot_id, claim.nonce, claim.person_id)
    if given != (*asked, request.amount_minor, request.currency, sale) or row.used_at is not None:
        return DIFFERS
    if row.operator_no != request.operator_no:
        return DIFFERS
    if row.person_id == maker_person_id:
        return SELF
    return APPROVED_BY_CODE if _may_still(session, row) else ROLE_LOST


def _may_still(session: Session, row: OfflineApproval) -> bool:
    person, account = session.get(Person, row.person_id), session.get(Account, row.login)
    if person is None or not person.is_active or account is None:
        return False
    return account.person_id == row.person_id and has_rank(account.role, ROLE)
