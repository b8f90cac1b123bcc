import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.protocol.ed25519 import PrivateKey, PublicKey, WrongSignatureError

# RFC 8032 section 7.1: (secret key, public key, message, signature) of tests 1, 2 and 3.
VECTORS = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
)


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_signing_gives_the_vectors_of_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    key = PrivateKey(bytes.fromhex(secret))
    assert key.public_key().raw.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    key.public_key().verify(bytes.fromhex(signature), bytes.fromhex(message))


@given(seed=st.binary(min_size=32, max_size=32), data=st.binary(max_size=200))
@settings(max_examples=50)
def test_signatures_and_pem_agree_with_openssl(seed: bytes, data: bytes) -> None:
    ours, theirs = PrivateKey(seed), Ed25519PrivateKey.from_private_bytes(seed)
    assert ours.sign(data) == theirs.sign(data)
    Ed25519PublicKey.from_public_bytes(ours.public_key().raw).verify(ours.sign(data), data)
    assert ours.to_pem() == theirs.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert PrivateKey.from_pem(ours.to_pem()) == ours
    loaded = load_pem_private_key(ours.to_pem(), password=None)
    assert isinstance(loaded, Ed25519PrivateKey)


def test_pem_of_the_openssl_command_is_read(tmp_path: Path) -> None:
    made = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True).stdout
    assert PrivateKey.from_pem(made).to_pem().strip() == made.strip()


@given(data=st.binary(max_size=100), place=st.integers(min_value=0, max_value=63), bit=st.integers(0, 7))
@settings(max_examples=50)
def test_signature_with_any_bit_changed_is_refused(data: bytes, place: int, bit: int) -> None:
    key = PrivateKey(bytes(32))
    signature = bytearray(key.sign(data))
    signature[place] ^= 1 << bit
    with pytest.raises(WrongSignatureError):
        key.public_key().verify(bytes(signature), data)


def test_signature_of_another_length_is_refused() -> None:
    key = PrivateKey(bytes(32))
    for signature in (b"", key.sign(b"x")[:-1], key.sign(b"x") + b"x"):
        with pytest.raises(WrongSignatureError):
            key.public_key().verify(signature, b"x")


def test_public_keys_of_small_order_verify_nothing() -> None:
    # The neutral element: with it, a signature of zeros would fit every message (RFC 8032 section 5.1.7, small order).
    for raw in (b"\x01" + bytes(31), bytes(32)):
        with pytest.raises(WrongSignatureError):
            PublicKey(raw).verify(raw + bytes(32), b"pay")


def test_other_files_are_refused_without_their_content() -> None:
    theirs = Ed25519PrivateKey.generate()
    locked = theirs.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    pem = PrivateKey(bytes(range(32))).to_pem()
    for data in (b"", b"\xff\xfe", locked, pem.replace(b"MC4", b"MC5"), pem[:40], pem.replace(b"AQAw", b"AQ!w")):
        with pytest.raises(ValueError, match=r".+") as refused:
            PrivateKey.from_pem(data)
        assert "AAEC" not in str(refused.value)


def test_wrong_lengths_are_no_keys() -> None:
    for length in (0, 31, 33):
        with pytest.raises(ValueError, match="32 bytes"):
            PrivateKey(bytes(length))
        with pytest.raises(ValueError, match="32 bytes"):
            PublicKey(bytes(length))


def test_repr_of_a_private_key_does_not_show_it() -> None:
    assert "01020304" not in repr(PrivateKey(b"\x01\x02\x03\x04" * 8)).replace("\\x", "")
