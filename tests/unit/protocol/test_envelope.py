import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.envelope import (
    DOWN_TYPE,
    MAX_ENVELOPE_BYTES,
    UP_TYPE,
    pre_authentication_encoding,
    seal,
    unseal,
)

# RFC 8032 section 7.1, test 1: the secret key; its public key is d75a98…511a.
KEY = PrivateKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
KEYS = {"k": KEY.public_key()}
OTHER = PrivateKey(bytes(32))


def test_pre_authentication_encoding_is_dsse_example() -> None:
    # Source: DSSE, protocol.md, "Test Vectors": PAE("http://example.com/HelloWorld", "hello world").
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_public_key_is_read_from_base64() -> None:
    assert PublicKey.from_base64("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=") == KEY.public_key()
    for text in ("", "11qYAYKx", "!"):
        with pytest.raises(ValueError, match=r".+"):
            PublicKey.from_base64(text)


@given(st.binary(max_size=300))
@settings(max_examples=50)
def test_seal_then_unseal_returns_the_bytes(payload: bytes) -> None:
    data = seal(payload, payload_type=UP_TYPE, kid="k", key=KEY)
    assert unseal(data, payload_type=UP_TYPE, keys=KEYS) == (payload, "k")


@given(st.data())
@settings(max_examples=100)
def test_changed_envelope_is_never_believed(data: st.DataObject) -> None:
    sealed = bytearray(seal(b'{"amount_minor":100}', payload_type=UP_TYPE, kid="k", key=KEY))
    at = data.draw(st.integers(0, len(sealed) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != sealed[at]))
    sealed[at] = byte
    try:
        payload, _ = unseal(bytes(sealed), payload_type=UP_TYPE, keys=KEYS)
    except RemoteProtocolError:
        return
    assert payload == b'{"amount_minor":100}'


@given(st.binary(max_size=400))
@settings(max_examples=100)
def test_garbage_is_a_remote_error(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        unseal(data, payload_type=UP_TYPE, keys=KEYS)


def test_other_type_key_or_kid_is_a_signature_error() -> None:
    good = seal(b"x", payload_type=UP_TYPE, kid="k", key=KEY)
    for data in (
        seal(b"x", payload_type=DOWN_TYPE, kid="k", key=KEY),
        seal(b"x", payload_type=UP_TYPE, kid="k", key=OTHER),
        seal(b"x", payload_type=UP_TYPE, kid="other", key=KEY),
        good.replace(UP_TYPE.encode(), DOWN_TYPE.encode()),
    ):
        with pytest.raises(SignatureError):
            unseal(data, payload_type=UP_TYPE, keys=KEYS)


def test_second_signature_by_a_pinned_key_is_enough() -> None:
    one = msgspec.json.decode(seal(b"x", payload_type=UP_TYPE, kid="old", key=OTHER))
    two = msgspec.json.decode(seal(b"x", payload_type=UP_TYPE, kid="k", key=KEY))
    one["signatures"] += two["signatures"]
    assert unseal(msgspec.json.encode(one), payload_type=UP_TYPE, keys=KEYS) == (b"x", "k")


def test_oversize_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(RemoteProtocolError, match="limit"):
        unseal(b" " * (MAX_ENVELOPE_BYTES + 1), payload_type=UP_TYPE, keys=KEYS)


def test_unseal_of_endless_nesting_is_refused() -> None:
    good = seal(b"{}", payload_type=UP_TYPE, kid="k", key=KEY)
    with pytest.raises(RemoteProtocolError):
        unseal(good[:-1] + b',"later":' + b"[" * 50_000, payload_type=UP_TYPE, keys=KEYS)
