"""The signed configuration on the wire: its type, its signatures, its name."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec
import pytest

from pos_agent.domain.desired import ApplyWhen, ConfigState, HealthCheck
from pos_agent.errors import RemoteProtocolError, SignatureError, UnsupportedVersionError
from pos_agent.protocol import codec
from pos_agent.protocol.desired import (
    CONFIG_TYPE,
    ConfigAttempt,
    ConfigDesired,
    ConfigReported,
    ConfigVersion,
    etag_of,
)
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import DOWN_TYPE, UP_TYPE, endorse, seal, unseal, unseal_signed_by

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ALICE, BOB, OFFICE = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
KEYS = {"fleet-a": ALICE.public_key(), "fleet-b": BOB.public_key()}


def document(**changes: object) -> ConfigDesired:
    """Return a small document."""
    whole = ConfigDesired(
        terminal_id="t-a1",
        version=7,
        rollout="r-1",
        issued=NOW,
        not_after=NOW + timedelta(days=7),
        config={"printing": {"copies_customer": 2}},
    )
    return msgspec.structs.replace(whole, **changes)


def sealed(payload: bytes, *, key: PrivateKey = ALICE, kid: str = "fleet-a", payload_type: str = CONFIG_TYPE) -> bytes:
    """Return an envelope with one signature."""
    return seal(payload, payload_type=payload_type, kid=kid, key=key)


def test_document_is_read_as_it_was_written() -> None:
    whole = document(apply=ApplyWhen.SIGNED_OUT, health=(HealthCheck.PRINTER,), needs_ack=True, min_agent="0.2.0")
    assert codec.decode_desired(codec.encode(whole)) == whole


def test_etag_names_the_exact_bytes_whoever_signed_them() -> None:
    payload = codec.encode(document())
    assert etag_of(payload) == sha256(payload).hexdigest()
    assert etag_of(
        unseal(endorse(sealed(payload), kid="fleet-b", key=BOB), payload_type=CONFIG_TYPE, keys=KEYS)[0]
    ) == (etag_of(payload))


def test_envelope_with_two_signatures_names_both_signers() -> None:
    payload = codec.encode(document())
    one = sealed(payload)
    assert unseal_signed_by(one, payload_type=CONFIG_TYPE, keys=KEYS) == (payload, ("fleet-a",))
    two = endorse(one, kid="fleet-b", key=BOB)
    assert unseal_signed_by(two, payload_type=CONFIG_TYPE, keys=KEYS) == (payload, ("fleet-a", "fleet-b"))


def test_endorsing_again_with_the_same_key_is_still_one_signer() -> None:
    twice = endorse(sealed(b"{}"), kid="fleet-a", key=ALICE)
    assert unseal_signed_by(twice, payload_type=CONFIG_TYPE, keys=KEYS)[1] == ("fleet-a",)


def test_one_key_under_two_names_counts_once() -> None:
    keys = {"fleet-a": ALICE.public_key(), "also-a": ALICE.public_key()}
    twice = endorse(sealed(b"{}"), kid="also-a", key=ALICE)
    assert len(unseal_signed_by(twice, payload_type=CONFIG_TYPE, keys=keys)[1]) == 1


@pytest.mark.parametrize("payload_type", [DOWN_TYPE, UP_TYPE])
def test_signature_of_another_purpose_signs_no_configuration(payload_type: str) -> None:
    """D16: an office key that signs acks, and a fleet key that signed an ack, both sign no configuration."""
    payload = codec.encode(document())
    keys = {**KEYS, "office": OFFICE.public_key()}
    for kid, key in (("fleet-a", ALICE), ("office", OFFICE)):
        ack = msgspec.json.decode(sealed(payload, key=key, kid=kid, payload_type=payload_type))
        with pytest.raises(SignatureError):
            unseal_signed_by(msgspec.json.encode(ack), payload_type=CONFIG_TYPE, keys=keys)
        ack["payloadType"] = CONFIG_TYPE
        with pytest.raises(SignatureError):
            unseal_signed_by(msgspec.json.encode(ack), payload_type=CONFIG_TYPE, keys=keys)


def test_back_office_key_signs_no_configuration() -> None:
    with pytest.raises(SignatureError):
        unseal_signed_by(sealed(b"{}", key=OFFICE, kid="bo-2026a"), payload_type=CONFIG_TYPE, keys=KEYS)


def test_endorsing_what_is_no_envelope_is_a_remote_error() -> None:
    with pytest.raises(RemoteProtocolError):
        endorse(b"{", kid="fleet-b", key=BOB)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"{}", RemoteProtocolError),
        (b'{"type":"config.desired","v":9}', UnsupportedVersionError),
        (b'{"type":"ack","v":1}', UnsupportedVersionError),
        (b'{"type":"config.desired","terminal_id":"t-a1","version":"x"}', RemoteProtocolError),
        (b" " * (codec.MAX_PAYLOAD_BYTES + 1), RemoteProtocolError),
        (b'{"type":"config.desired","config":' + b"[" * 50_000, RemoteProtocolError),
    ],
)
def test_document_that_cannot_be_used_is_a_named_refusal(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        codec.decode_desired(data)


def test_report_is_read_as_it_was_written_and_leaves_out_what_is_nothing() -> None:
    report = ConfigReported(
        terminal_id="t-a1",
        book_id="b1",
        seq=4,
        running=ConfigVersion(version=6, etag="e6"),
        attempted=ConfigAttempt(version=7, etag="e7", state=ConfigState.ROLLED_BACK, reason="health", at=NOW, tries=1),
        highest_version=7,
        agent="0.1.0",
        at=NOW,
    )
    data = codec.encode(report)
    assert codec.decode_reported(data) == report
    assert b"fleet_keys" not in data
