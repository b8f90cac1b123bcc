import ssl
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.mqtt import _tls
from pos_agent.mqtt.validity import validity
from tests.fixtures_broker import Pki

DAY_S = 86_400


def test_validity_of_a_certificate_is_read_to_the_second(tmp_path: Path) -> None:
    cert_file, _ = Pki(tmp_path).issue(
        "t-1", from_days=-2, to_days=9000
    )  # behind 2049: GeneralizedTime follows UTCTime
    not_before, not_after = validity(cert_file.read_text())
    assert abs(not_before - (time.time() - 2 * DAY_S)) < 60
    assert abs(not_after - (time.time() + 9000 * DAY_S)) < 60


def test_own_certificate_code_tells_clock_from_certificate(tmp_path: Path) -> None:
    cert_file, _ = Pki(tmp_path).issue("t-1", from_days=-2, to_days=2)
    now = time.time()
    codes = [_tls.own_certificate_code(str(cert_file), now + days * DAY_S) for days in (-3, 0, 3)]
    assert codes == ["E-CLOCK", "", "E-CERT"]
    assert _tls.own_certificate_code(str(tmp_path / "none.pem"), now) == "E-CERT"


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_validity_of_garbage_raises_value_or_index_error(body: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        validity(ssl.DER_cert_to_PEM_cert(b"\x30\x10" + body[:16]))


def test_classify_names_what_to_look_at() -> None:
    early = ssl.SSLCertVerificationError()
    early.verify_code = 9
    late = ssl.SSLCertVerificationError()
    late.verify_code = 10
    assert [_tls.classify(e) for e in (early, late, ssl.SSLError(), ConnectionRefusedError(), TimeoutError())] == [
        "E-CLOCK",
        "E-CERT",
        "E-CERT",
        "E-NET",
        "E-NET",
    ]
