import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.errors import LocalProtocolError, RemoteProtocolError, UnsupportedVersionError
from pos_agent.protocol import codec
from pos_agent.protocol.messages import AckStatus, AppAckMessage, RefundRequestMessage, TerminalEventMessage
from pos_agent.protocol.topics import Leaf, parse_terminal_topic, terminal_topic
from tests.fakes.samples import START, TERMINAL_ID, make_request

ACK = AppAckMessage(
    terminal_id=TERMINAL_ID,
    refund_request_id="98",
    kind="refund.request",
    rev=1,
    status=AckStatus.STORED,
    epoch=1,
    at=START,
)
# The wire contract: changing these bytes breaks terminals in the field.
GOLDEN_ACK = (
    b'{"type":"ack","terminal_id":"t-test-1","refund_request_id":"98","kind":"refund.request","rev":1,'
    b'"status":"stored","epoch":1,"at":"2026-11-20T10:00:00Z"}'
)


def test_ack_bytes_are_the_contract() -> None:
    assert codec.encode(ACK) == GOLDEN_ACK
    assert codec.decode_down(GOLDEN_ACK) == ACK


def test_request_survives_the_wire() -> None:
    message = RefundRequestMessage(terminal_id=TERMINAL_ID, request=make_request(7))
    assert codec.decode_up(codec.encode(message)) == message


def test_unknown_fields_are_ignored() -> None:
    data = GOLDEN_ACK[:-1] + b',"later":{"a":[1]}}'
    assert codec.decode_down(data) == ACK


@pytest.mark.parametrize("data", [b'{"type":"coffee"}', GOLDEN_ACK[:-1] + b',"v":2}', b'{"type":"refund.request"}'])
def test_unknown_type_version_or_direction_is_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedVersionError):
        codec.decode_down(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"type":"ack"}',
        b'{"type":7}',
        GOLDEN_ACK.replace(b'"rev":1', b'"rev":"1"'),
        GOLDEN_ACK.replace(b"stored", b"perhaps"),
        b" " * (codec.MAX_PAYLOAD_BYTES + 1),
    ],
)
def test_malformed_is_told_from_unsupported(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decode_down(data)
    assert caught.value.status == "malformed"


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_any_bytes_are_a_message_or_a_remote_error(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        codec.decode_up(data)


def test_too_large_is_our_own_error() -> None:
    message = TerminalEventMessage(
        terminal_id=TERMINAL_ID, event_id="e", name="n", at=START, data={"x": "y" * codec.MAX_PAYLOAD_BYTES}
    )
    with pytest.raises(LocalProtocolError):
        codec.encode(message)


def test_topic_round_trip_and_foreign_topics() -> None:
    assert terminal_topic("t-1", Leaf.UP_REFUND) == "pos/v1/t/t-1/up/refund"
    assert parse_terminal_topic("pos/v1/t/t-1/up/refund") == ("t-1", "up/refund")
    for topic in ("pos/v1/backend/state", "pos/v2/t/t-1/up/refund", "", "pos/v1/t/t-1", "other/v1/t/t-1/up/refund"):
        assert parse_terminal_topic(topic) is None


def test_messages_are_immutable() -> None:
    with pytest.raises(AttributeError):
        ACK.rev = 2  # type: ignore[misc]
    assert msgspec.structs.replace(ACK, rev=2).rev == 2


NESTED = b"[" * 50_000


@pytest.mark.parametrize(
    "data",
    [
        GOLDEN_ACK[:-1] + b',"later":' + NESTED,
        GOLDEN_ACK.replace(b'"98"', b'"\xff"'),  # a field that the head skips
        GOLDEN_ACK.replace(b'"rev":1', b'"rev":9007199254740992'),
        GOLDEN_ACK.replace(b'"epoch":1', b'"epoch":-100000000000000000000'),
        GOLDEN_ACK.replace(b'"98"', b'"9\\u00008"'),
        GOLDEN_ACK.replace(b"2026-11-20T10:00:00Z", b"0001-01-01T00:00:00+14:00"),
        GOLDEN_ACK.replace(b"2026-11-20T10:00:00Z", b"2026-11-20T10:00:00"),
    ],
    ids=["nested", "no UTF-8", "number", "negative number", "NUL", "year 1", "no zone"],
)
def test_message_that_no_database_could_keep_is_refused_as_malformed(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decode_down(data)
    assert caught.value.status == "malformed"


@pytest.mark.parametrize("data", [{"k": "a\0"}, {"\0": "a"}])
def test_message_with_nul_inside_a_mapping_is_refused(data: dict[str, str]) -> None:
    event = TerminalEventMessage(terminal_id=TERMINAL_ID, event_id="e", name="n", at=START, data=data)
    with pytest.raises(RemoteProtocolError, match="data: NUL"):
        codec.decode_up(codec.encode(event))


def test_request_with_a_number_too_large_deep_inside_is_refused() -> None:
    message = RefundRequestMessage(terminal_id=TERMINAL_ID, request=make_request(7))
    data = codec.encode(message).replace(b'"seq":0', b'"seq":9007199254740992')
    with pytest.raises(RemoteProtocolError, match="seq: number"):
        codec.decode_up(data)
