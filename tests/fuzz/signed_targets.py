"""What is signed for one purpose and carried by paper, file or HTTPS: approvals, configuration, outbox, enrolment."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.errors import RemoteProtocolError
from pos_agent.fleet.candidate import UnusableError, examine, open_envelope
from pos_agent.protocol import approval, enrolment, outbox_file
from pos_agent.protocol.codec import encode
from pos_agent.protocol.desired import CONFIG_TYPE, ConfigDesired, etag_of
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import seal
from pos_agent.protocol.qr_text import Purpose, seal_text
from pos_agent.settings import DataFinder, Layer, LoadedConfig, load_config
from tests.fakes.approval_samples import answer, question
from tests.fakes.samples import START, TERMINAL_ID
from tests.fuzz.source import Source, twist
from tests.fuzz.target import Target, plain
from tests.fuzz.wire_targets import NESTED, UP, documents, encoded

_KEY = PrivateKey.generate()
_KEYS = {"k1": _KEY.public_key()}
_T = TypeVar("_T", ApprovalQuestion, ApprovalAnswer)

_QUESTION = question(terminal_id=TERMINAL_ID)
_ANSWER = answer(terminal_id=TERMINAL_ID)


def _code(good: _T, purpose: Purpose, write: Callable[..., str], read: Callable[..., _T]) -> Callable[[bytes], None]:
    fields = [msgspec.to_builtins(good)[name] for name in good.__struct_fields__]

    def check(data: bytes) -> None:
        source = Source(data)
        match source.byte() % 4:
            case 0:
                text = source.rest().decode("utf-8", "replace")
            case 1:
                text = purpose.prefix + urlsafe_b64encode(source.rest()).decode()
            case 2:
                try:
                    body = msgspec.msgpack.encode(twist(fields, source))
                except OverflowError:  # MessagePack has no such number
                    return
                text = seal_text(body, purpose, kid="k1", terminal_id=TERMINAL_ID, key=_KEY)
            case _:
                text = seal_text(source.rest(), purpose, kid="k1", terminal_id=TERMINAL_ID, key=_KEY)
        try:
            found = read(text, keys=_KEYS)
        except RemoteProtocolError:
            return
        assert found.terminal_id == TERMINAL_ID
        assert read(write(found, kid="k1", key=_KEY), keys=_KEYS) == found

    return check


_DESIRED = ConfigDesired(
    terminal_id=TERMINAL_ID,
    version=3,
    rollout="r1",
    issued=START,
    not_after=START + timedelta(days=30),
    config={"policy": {"retype_from_minor": 30_000}, "printing": {"result_slip": "always"}},
)
_BASE = (encode(_DESIRED),)


_CONFIG_FILE = DataFinder().find("terminal.toml")
_RUNNING = load_config(_CONFIG_FILE, {}).config


def _with(layer: Layer | None) -> LoadedConfig:
    return load_config(_CONFIG_FILE, {}, layer=layer)


def _desired(data: bytes) -> None:
    """A document that a fleet key signed, whatever is in it: read, judged and never raised through."""
    source = Source(data)
    is_signed = source.byte() % 4 > 0
    for payload in documents(source, _BASE):
        sealed = seal(payload, payload_type=CONFIG_TYPE, kid="k1", key=_KEY) if is_signed else payload
        try:
            document, desired, signers = open_envelope(sealed, _KEYS)
        except UnusableError:
            continue
        assert document.etag == etag_of(payload)
        candidate = examine(document, desired, signers, running=_RUNNING, load_with=_with)
        assert candidate.config is None or not candidate.offer.problem


def _outbox_file(data: bytes) -> None:
    """A file that was changed anywhere is refused whole; one that was not gives back what went in."""
    source = Source(data)
    writer = outbox_file.Writer(TERMINAL_ID, kid="k1", key=_KEY)
    payloads = [encoded(source.pick(UP)) for _ in range(source.byte() % 4)]
    lines = [line for each in payloads if (line := writer.line("up/refund", each)) is not None]
    trailer = writer.trailer(at=START, unreadable=0, sources=("journal.db",))
    whole = b"".join(lines) + trailer
    match source.byte() % 4:
        case 0:
            changed = whole
        case 1:
            at = source.number(2) % len(whole)
            changed = whole[:at] + source.rest() + whole[at + source.byte() % 16 :]
        case 2:
            changed = source.rest()
        case _:
            changed = whole + NESTED + b"\n"
    found = changed.splitlines(keepends=True)
    last = found[-1] if found else b""
    try:
        outbox_file.terminal_of(last)
        outbox_file.check(found[:-1], last, keys=_KEYS)
        messages = list(outbox_file.messages(found[:-1]))
    except RemoteProtocolError:
        assert changed != whole
        return
    assert len(messages) == len(lines)


_CALLS: tuple[tuple[type[Any], msgspec.Struct], ...] = (
    (
        enrolment.EnrolCall,
        enrolment.EnrolCall(
            terminal_id=TERMINAL_ID, code="A" * 16, csr="-----BEGIN", device_key=b64encode(bytes(32)).decode()
        ),
    ),
    (enrolment.RenewCall, enrolment.RenewCall(terminal_id=TERMINAL_ID, nonce="n", csr="-----BEGIN")),
    (enrolment.Answer, enrolment.Answer(state=enrolment.State.WAITING, again_s=5)),
)


_TYPED: tuple[Callable[[str], object], ...] = (
    enrolment.parse_invitation,
    enrolment.clean_url,
    enrolment.clean_code,
    enrolment.clean_fingerprint,
)


def _enrolment(data: bytes) -> None:
    """Calls and answers that make no sense, and invitations that somebody typed."""
    source = Source(data)
    kind, good = source.pick(_CALLS)
    if source.byte() % 4 == 0:
        text = source.rest().decode("utf-8", "replace")
        for read in (
            enrolment.parse_invitation,
            enrolment.clean_url,
            enrolment.clean_code,
            enrolment.clean_fingerprint,
        ):
            try:
                read(text)
            except ValueError as error:
                assert len(text) < 40 or text not in str(error)
        return
    for payload in documents(source, (msgspec.json.encode(good),)):
        try:
            found = enrolment.decode(payload, kind)
        except RemoteProtocolError:
            continue
        assert enrolment.decode(msgspec.json.encode(found), kind) == found


_STARTS = (b"\2\1\7\3\1", b"\3\x91\x91\x91", b"\0PA1.abc", b"\1\1\2\3", b"\2\0\0")

TARGETS = (
    Target(
        name="signed-question",
        make=plain(_code(_QUESTION, approval.QUESTION, approval.write_question, approval.read_question)),
        seeds=_STARTS,
        words=(b"PQ1.", b"\x91\x91\x91\x91", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
    ),
    Target(
        name="signed-answer",
        make=plain(_code(_ANSWER, approval.ANSWER, approval.write_answer, approval.read_answer)),
        seeds=_STARTS,
        words=(b"PA1.", b"\x91\x91\x91\x91", b"\xc4\x0a"),
    ),
    Target(
        name="signed-config",
        make=plain(_desired),
        seeds=(b"\1\0\3\2\5", b"\1\0\7\7\1\2", b"\0\0\0" + _BASE[0]),
        words=(b'"config"', b'"policy"', b'"version":', b"1e400", b"\\ud800", b"null"),
        quick_examples=100,
    ),
    Target(
        name="signed-outbox",
        make=plain(_outbox_file),
        seeds=(b"\3\0\1\2\1\5\5x", b"\2\4\6\0", b"\1\1\3", b'\0\2{"payload":""}'),
        words=(b'["up/refund",', b'"sha256"', b"\n"),
        quick_examples=100,
    ),
    Target(
        name="signed-enrolment",
        make=plain(_enrolment),
        seeds=(b"\0\1\3\2", b"\1\2\2", b"\2\3\0", b"\0\0POSENROL1|https://a|" + b"0" * 64 + b"|t-a|" + b"A" * 16),
        words=(b"POSENROL1|", b'"code":', b"1e400"),
    ),
)
