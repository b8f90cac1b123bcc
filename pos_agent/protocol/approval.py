"""Question and answer of an approval by QR code as text (ADR 0024). Pure.

``PQ1.`` the question, signed by the terminal's device key; ``PA1.`` the answer, signed by the back-office key. Each has
a payload type of its own, so no other signature of either key can stand for it (D16). The body is ``msgpack`` of the
fields in the order of `_QUESTION` or `_ANSWER`.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.codes import APPROVAL_PREFIX
from pos_agent.errors import LocalProtocolError, RemoteProtocolError, SignatureError
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.limits import refuse_unusable
from pos_agent.protocol.qr_text import MAX_CHARS, Purpose, open_text, seal_text, verify

QUESTION: Final = Purpose("PQ1.", "application/vnd.pos.approval-question+msgpack;v=1", "an approval question")
ANSWER: Final = Purpose(APPROVAL_PREFIX, "application/vnd.pos.approval-answer+msgpack;v=1", "an approval answer")
_QUESTION: Final = (
    "terminal_id",
    "boot_id",
    "refund_request_id",
    "nonce",
    "amount_minor",
    "currency",
    "operator_no",
    "reason_code",
    "reference",
    "sale_id",
)
_ANSWER: Final = (
    "terminal_id",
    "boot_id",
    "refund_request_id",
    "nonce",
    "amount_minor",
    "currency",
    "sale",
    "person_id",
)
_T = TypeVar("_T", ApprovalQuestion, ApprovalAnswer)


def write_question(question: ApprovalQuestion, *, kid: str, key: PrivateKey) -> str:
    """Return the text of a question.

    Raises:
        LocalProtocolError: It does not fit a code: a number of the sale beyond every real one.
    """
    return _write(question, _QUESTION, QUESTION, kid=kid, key=key)


def terminal_of(text: str) -> str:
    """Return whose question it claims to be.

    Raises:
        RemoteProtocolError: Not a question.
    """
    return open_text(text, QUESTION).terminal_id


def read_question(text: str, *, keys: Mapping[str, PublicKey]) -> ApprovalQuestion:
    """Verify a question with the device keys of the terminal that `terminal_of` names.

    Raises:
        RemoteProtocolError: Not a question, or a field of it is unusable.
        SignatureError: No signature of one of the keys, or asked in another terminal's name.
    """
    return _read(text, ApprovalQuestion, _QUESTION, QUESTION, keys)


def write_answer(answer: ApprovalAnswer, *, kid: str, key: PrivateKey) -> str:
    """Return the text of an answer; raises as `write_question`."""
    return _write(answer, _ANSWER, ANSWER, kid=kid, key=key)


def read_answer(text: str, *, keys: Mapping[str, PublicKey]) -> ApprovalAnswer:
    """Verify an answer with the pinned keys of the back office; raises as `read_question`."""
    return _read(text, ApprovalAnswer, _ANSWER, ANSWER, keys)


def _write(value: _T, fields: tuple[str, ...], purpose: Purpose, *, kid: str, key: PrivateKey) -> str:
    found: dict[str, Any] = msgspec.to_builtins(value)
    body = msgspec.msgpack.encode([found[name] for name in fields])
    text = seal_text(body, purpose, kid=kid, terminal_id=value.terminal_id, key=key)
    if len(text) > MAX_CHARS:
        raise LocalProtocolError(f"{purpose.name} of {len(text)} characters, limit {MAX_CHARS}")
    return text


def _read(text: str, kind: type[_T], fields: tuple[str, ...], purpose: Purpose, keys: Mapping[str, PublicKey]) -> _T:
    sealed = open_text(text, purpose)
    body = verify(sealed, purpose, keys=keys)
    try:
        values = msgspec.msgpack.decode(body, type=list[Any])
        value = msgspec.convert(dict(zip(fields, values, strict=False)), kind)
    except (msgspec.DecodeError, UnicodeError, ValueError, OverflowError, RecursionError) as error:
        raise RemoteProtocolError(f"{purpose.name}, but unusable: {error}") from error
    refuse_unusable(value)
    if value.terminal_id != sealed.terminal_id:
        raise SignatureError(f"{purpose.name} of {value.terminal_id} in the name of {sealed.terminal_id}")
    return value
