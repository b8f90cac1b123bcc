"""Entry → the request that is committed (D5). Pure: id, time and boot id are passed in."""

from datetime import datetime

import msgspec

from pos_agent.domain.config import TerminalConfig
from pos_agent.domain.refund import Channel, RefundRequest, RemoteApproval
from pos_agent.workflow.model import RefundEntry


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who made the request, when, where; who approved it from elsewhere."""

    refund_request_id: str
    operator_no: str
    created_at: datetime
    is_clock_trusted: bool
    boot_id: str
    approval: RemoteApproval | None = None


def assemble(entry: RefundEntry, origin: Origin, terminal: TerminalConfig, policy_version: str) -> RefundRequest:
    """Return the request; `seq` and `audit_head` are assigned by the journal's transaction."""
    sale = entry.sale
    return RefundRequest(
        refund_request_id=origin.refund_request_id,
        terminal_id=terminal.terminal_id,
        merchant_id=terminal.merchant_id,
        operator_no=origin.operator_no,
        created_at=origin.created_at,
        is_clock_trusted=origin.is_clock_trusted,
        boot_id=origin.boot_id,
        entry=entry.entry,
        original_reference=entry.reference,
        reference_tail=entry.tail,
        channel=sale.channel if sale is not None else Channel.UNKNOWN,
        refund_type=entry.refund_type,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        reason_code=entry.reason_code,
        policy_version=policy_version,
        seq=0,
        sale_id=sale.sale_id if sale is not None else None,
        acquirer_id=sale.acquirer_id if sale is not None else None,
        paid_minor=entry.paid_minor,
        supervisor_no=entry.supervisor_no,
        note=entry.note,
        flags=entry.flags,
        is_training=sale is not None and sale.is_training,
        approval=origin.approval,
    )
