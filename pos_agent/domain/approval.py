"""Approval by a person who is not in the shop: what the till asks and what the back office answers (ADR 0024). Pure.

Question and answer travel as QR codes, by paper, phone and scanner: the network of the till has no part in it. A
question stands for one dialogue of one till: its nonce lives in the till's memory until the request is committed, the
dialogue is left, or the till restarts. Whatever answers another question is refused.
"""

import msgspec

from pos_agent.domain.refund import OriginalReference


class ApprovalQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """May this refund be asked for? Made when a supervisor is needed and none is there.

    Attributes:
        refund_request_id: Of the request that will be committed: one id from CONFIRM to the bank (D5).
        nonce: 16 hex digits, random, of this dialogue.
        boot_id: Of the till's start.
        sale_id: The back office's id of the sale; empty when it could not be looked up.
        reference: What the cashier scanned or typed to find the sale; never a payment code (D14).
    """

    terminal_id: str
    boot_id: str
    refund_request_id: str
    nonce: str
    amount_minor: int
    currency: str
    operator_no: str
    reason_code: str
    reference: OriginalReference
    sale_id: str = ""

    @property
    def sale(self) -> str:
        """Return by what the answer names the sale."""
        return self.sale_id or self.reference.value


class ApprovalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The back office's yes to one question.

    Attributes:
        sale: As `ApprovalQuestion.sale`.
        person_id: Who approved; the back office's own person table (I3).
    """

    terminal_id: str
    boot_id: str
    refund_request_id: str
    nonce: str
    amount_minor: int
    currency: str
    sale: str
    person_id: str


def answer_problem(question: ApprovalQuestion, answer: ApprovalAnswer, *, operator_person: str) -> str:
    """Say why an answer is not for this question; words are ``approval.<problem>``. Empty = it is.

    Args:
        question: On the screen now.
        answer: Read from a code whose signature is the back office's.
        operator_person: Who is signed in; nobody approves for themselves (I3).
    """
    if answer.terminal_id != question.terminal_id:
        return "other_till"
    if answer.boot_id != question.boot_id:
        return "other_boot"
    if (answer.nonce, answer.refund_request_id) != (question.nonce, question.refund_request_id):
        return "spent"
    if (answer.amount_minor, answer.currency, answer.sale) != (question.amount_minor, question.currency, question.sale):
        return "differs"
    if answer.person_id == operator_person:
        return "self"
    return ""
