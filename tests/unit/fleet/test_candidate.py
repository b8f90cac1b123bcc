"""Bytes of any kind are a refusal by name, never an exception that nobody foresaw."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.domain.desired import Reason
from pos_agent.fleet.candidate import UnusableError, examine, open_envelope
from pos_agent.protocol.desired import CONFIG_TYPE
from pos_agent.protocol.envelope import seal
from tests.unit.fleet.scene import ALICE, KEYS, FakeTill, desired, signed

_NAMES = st.sampled_from(
    ("terminal", "broker", "devices", "printer", "path", "url", "locale", "keys", "fleet", "trust")
) | st.text(max_size=5)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_signed_bytes_of_any_kind_are_refused_by_name(payload: bytes) -> None:
    envelope = seal(payload, payload_type=CONFIG_TYPE, kid="fleet-a", key=ALICE)
    with pytest.raises(UnusableError) as caught:
        open_envelope(envelope, KEYS)
    assert caught.value.reason in (Reason.MALFORMED, Reason.SCHEMA)
    assert caught.value.document is not None
    assert caught.value.document.version == 0


@given(st.dictionaries(_NAMES, _JSON, max_size=3))
@settings(max_examples=60)
def test_signed_configuration_of_any_shape_is_a_candidate_or_a_problem(config: dict[str, Any]) -> None:
    try:
        document, wanted, signers = open_envelope(signed(desired(5, config)), KEYS)
    except UnusableError as error:
        assert error.reason is Reason.MALFORMED
        return
    till = FakeTill()
    running = till.load_with(None).config
    candidate = examine(document, wanted, signers, running=running, load_with=till.load_with)
    is_usable = not (candidate.offer.problem or candidate.offer.local_key)
    assert is_usable is (candidate.config is not None)
    if candidate.config is not None:
        assert (candidate.config == running) is (not candidate.changed)
        assert msgspec.json.encode(candidate.config)
