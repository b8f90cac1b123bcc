"""What people did to tills, sign-ins and rollouts: the office's own hash chain (I6, ADR 0029).

What happens to a request or a coupon stands in the chain of that request or coupon. Here stands what belongs to none,
in the same table, under the id `audit.OFFICE`: so anchors, copies and ``audit verify`` take it as any other chain.
"""

import getpass
import os
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice import audit
from backoffice.clock import Now
from backoffice.store.rows import locked_or_new
from backoffice.store.schema import AuditLine, Meta


class Deed(StrEnum):
    """What was done."""

    PUSHED = "pushed"
    RELEASED = "released"
    PAUSED = "paused"
    RESUMED = "resumed"
    UNDONE = "undone"
    INVITED = "invited"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    RENEWAL_ACCEPTED = "renewal_accepted"
    RENEWAL_REFUSED = "renewal_refused"
    REVOKED = "revoked"
    LET_IN = "let_in"
    SHUT_OUT = "shut_out"
    SIGN_IN_ADDED = "sign_in_added"
    PASSWORD_SET = "password_set"  # noqa: S105 - says that there is another one
    ROLE_SET = "role_set"
    OPERATOR_MOVED = "operator_moved"
    TILL_ADDED = "till_added"
    KEY_GIVEN = "key_given"
    SET_UP = "set_up"
    APPROVED_BY_CODE = "code_approved"


def at_command_line() -> str:
    """Return who works at the command line: the account of the operating system is all that is known of them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # no name for the number, as in many containers
        return f"cli:{os.getuid()}"


def note(session: Session, deed: Deed, *, by: str, detail: str, now: Now) -> None:
    """Write a deed, in the transaction that does it and as its last statement: all deeds wait for one row.

    Args:
        session: Writing.
        deed: What was done.
        by: Who; empty = whoever is at the command line.
        detail: To what, English, short; no secrets.
        now: Clock.
    """
    end = locked_or_new(session, Meta(key=audit.OFFICE_END, value=""))
    line = audit.append(
        session, audit.OFFICE, actor=(by or at_command_line())[:80], before="", after=deed.value, detail=detail, now=now
    )
    end.value = str(line.number)
    session.flush()


def newest(session: Session, *, limit: int) -> list[AuditLine]:
    """Return the newest lines, the last deed first."""
    statement = select(AuditLine).where(AuditLine.refund_request_id == audit.OFFICE)
    return list(session.scalars(statement.order_by(AuditLine.number.desc()).limit(limit)))
