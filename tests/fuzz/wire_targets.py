"""What comes from the broker and from slips: envelopes, messages both ways, the rescue text."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator

import msgspec

from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.errors import LocalProtocolError, RemoteProtocolError
from pos_agent.protocol import messages as ms
from pos_agent.protocol import rescue
from pos_agent.protocol.codec import decode_down, decode_up, encode
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import UP_TYPE, pre_authentication_encoding, seal, unseal
from pos_agent.protocol.topics import parse_terminal_topic
from tests.fakes.samples import START, TERMINAL_ID, make_request, make_update
from tests.fuzz.source import Source, twist
from tests.fuzz.target import Target, plain

_KEY = PrivateKey.generate()
_KEYS = {"d1": _KEY.public_key()}
_REQUEST = make_request(7)
_ID = _REQUEST.refund_request_id

UP: tuple[ms.UpMessage, ...] = (
    ms.RefundRequestMessage(terminal_id=TERMINAL_ID, request=_REQUEST),
    ms.SyncMessage(
        terminal_id=TERMINAL_ID,
        boot_id="b",
        conn_seq=1,
        last_seq=7,
        page=1,
        pages=1,
        at=START,
        nonce="n",
        items=(ms.SyncItem(refund_request_id=_ID, state=make_update(_ID).state),),
    ),
    ms.SaleLookUpMessage(
        terminal_id=TERMINAL_ID, lookup_id="l1", reference=_REQUEST.original_reference, operator_no="01"
    ),
    ms.RefundStatusMessage(terminal_id=TERMINAL_ID, lookup_id="l2", refund_request_id=_ID),
    ms.RefundWithdrawMessage(terminal_id=TERMINAL_ID, refund_request_id=_ID, rev=2, operator_no="01", at=START),
    ms.RefundAnswerMessage(terminal_id=TERMINAL_ID, refund_request_id=_ID, rev=2, text="7", operator_no="01", at=START),
    ms.StateAckMessage(terminal_id=TERMINAL_ID, refund_request_id=_ID, epoch=1, seq=1),
    ms.TerminalEventMessage(terminal_id=TERMINAL_ID, event_id="e1", name="printed", at=START, data={"kind": "x"}),
    ms.PresenceMessage(
        terminal_id=TERMINAL_ID, is_online=True, boot_id="b", conn_seq=1, agent_version="1", at=START, last_seq=7
    ),
)
DOWN: tuple[ms.DownMessage, ...] = (
    ms.AppAckMessage(
        terminal_id=TERMINAL_ID,
        refund_request_id=_ID,
        kind="refund.request",
        rev=1,
        status=ms.AckStatus.STORED,
        epoch=1,
        at=START,
    ),
    ms.SyncReplyMessage(
        terminal_id=TERMINAL_ID, boot_id="b", conn_seq=1, page=1, epoch=1, token="t", highest_seq=7, at=START
    ),
    ms.SyncChallengeMessage(terminal_id=TERMINAL_ID, nonce="n", challenge="c", at=START),
    ms.RefundStateMessage(terminal_id=TERMINAL_ID, update=make_update(_ID)),
    ms.SaleAnswerMessage(
        terminal_id=TERMINAL_ID, result=LookUpResult(lookup_id="l1", outcome=LookUpOutcome.NOT_FOUND), at=START
    ),
    ms.BackOfficePresenceMessage(is_online=True, instance="i", conn_seq=1, epoch=1, at=START),
)
#: More nesting than any interpreter follows; sizes stay under what the wire allows.
NESTED = b"[" * 50_000


def encoded(message: ms.UpMessage | ms.DownMessage) -> bytes:
    """Return a good message's bytes."""
    return encode(message)


def documents(source: Source, good: tuple[bytes, ...]) -> Iterator[bytes]:
    """Yield JSON made of good messages: twisted, nested, cut off, or replaced by the rest of the input."""
    document = json.loads(source.pick(good))
    match source.byte() % 8:
        case 0:
            yield source.rest()
        case 1:
            yield json.dumps({**document, "later": 0}).encode()[:-2] + NESTED
        case 2:
            text = json.dumps(document).encode()
            at = source.number(2) % len(text)
            yield text[:at] + source.rest() + text[at:]
        case _:
            yield json.dumps(twist(document, source), ensure_ascii=bool(source.byte() & 1)).encode("utf-8", "replace")


def _messages(
    good: tuple[bytes, ...], decode: Callable[[bytes], ms.UpMessage | ms.DownMessage]
) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        for payload in documents(Source(data), good):
            try:
                message = decode(payload)
            except RemoteProtocolError:
                continue
            try:
                again = encode(message)
            except LocalProtocolError:
                continue  # within the limit as it came, but not as we write it
            assert decode(again) == message

    return check


def _envelope(data: bytes) -> None:
    """Open what is no envelope, is one of another's, or was changed on the way."""
    source = Source(data)
    good = seal(source.take(source.byte()), payload_type=UP_TYPE, kid="d1", key=_KEY)
    match source.byte() % 4:
        case 0:
            sealed = source.rest()
        case 1:
            at = source.number(2) % len(good)
            sealed = good[:at] + source.rest() + good[at + source.byte() % 16 :]
        case 2:
            sealed = good[:-1] + b',"later":' + NESTED
        case _:
            sealed = json.dumps(twist(json.loads(good), source)).encode()
    try:
        payload, kid = unseal(sealed, payload_type=UP_TYPE, keys=_KEYS)
    except RemoteProtocolError:
        return
    assert kid == "d1"
    assert b64encode(payload) in sealed.replace(rb"\/", b"/") or b"\\u" in sealed


def _rescue(data: bytes) -> None:
    """Read what is no rescue text, and what its own till signed wrongly."""
    source = Source(data)
    match source.byte() % 4:
        case 0:
            text = source.rest().decode("utf-8", "replace")
        case 1:
            text = rescue.PREFIX + urlsafe_b64encode(source.rest()).decode()
        case 2:
            try:
                text = _signed_text(msgspec.msgpack.encode(twist(_BODY, source)))
            except OverflowError:  # MessagePack has no such number
                return
        case _:
            text = _signed_text(source.rest())
    try:
        terminal_id = rescue.terminal_of(text)
        message = rescue.read(text, keys=_KEYS)
    except RemoteProtocolError:
        return
    assert message.terminal_id == terminal_id
    # A text that its till would not have written may not come back; one that it would must be the same request.
    again = rescue.write(message, kid="d1", key=_KEY)
    assert again is None or rescue.read(again, keys=_KEYS) == message


def _signed_text(body: bytes) -> str:
    signature = _KEY.sign(pre_authentication_encoding(rescue.TYPE, body))
    sealed = msgspec.msgpack.encode(["d1", TERMINAL_ID, body, signature])
    return rescue.PREFIX + urlsafe_b64encode(sealed).decode()


def _body() -> list[object]:
    message = UP[0]
    assert isinstance(message, ms.RefundRequestMessage)
    found: list[object] = msgspec.msgpack.decode(rescue._pack(message))
    return found


_BODY = _body()


def _topic(data: bytes) -> None:
    parse_terminal_topic(data.decode("utf-8", "replace"))


_UP_GOOD = tuple(map(encoded, UP))
_DOWN_GOOD = tuple(map(encoded, DOWN))
_CHOICES = (*(bytes((index, 3, 2, 5, index, 3, index)) for index in range(9)), b"\0\1", b"\0\0" + NESTED[:500])
_WORDS = (
    b'"type":"refund.request"',
    b'"v":2',
    b"1e400",
    b"\\ud800",
    b"null",
    b'{"',
    b"[[[[[[[[",
    b"PR1.",
    UP_TYPE.encode(),
)

TARGETS = (
    Target(
        name="wire-up",
        make=plain(_messages(_UP_GOOD, decode_up)),
        seeds=(*_CHOICES, b"\0\0" + _UP_GOOD[0]),
        words=_WORDS,
    ),
    Target(
        name="wire-down",
        make=plain(_messages(_DOWN_GOOD, decode_down)),
        seeds=(*_CHOICES, b"\0\0" + _DOWN_GOOD[0]),
        words=_WORDS,
    ),
    Target(
        name="wire-envelope",
        make=plain(_envelope),
        seeds=(b"\3abc\3\2\1\3", b"\0\1\5\5", b"\0\2", b"\0\0" + _UP_GOOD[0]),
        words=_WORDS,
    ),
    Target(
        name="wire-rescue",
        make=plain(_rescue),
        seeds=(b"\2\1\7\3\1", b"\3" + msgspec.msgpack.encode(_BODY), b"\3" + b"\x91" * 40_000, b"\0PR1.abc"),
        words=(b"\x91\x91\x91\x91", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", b"\xc4\x0a"),
        max_bytes=50_000,
    ),
    Target(
        name="wire-topic",
        make=plain(_topic),
        seeds=(b"pos/v1/t/t-test-1/up/refund",),
        max_bytes=256,
        quick_examples=200,
    ),
)
