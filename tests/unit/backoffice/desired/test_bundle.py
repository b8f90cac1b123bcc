"""What fleet people sign: a configuration and its undo, shown first, believed by nobody on the way."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.desired import bundle as bundles
from backoffice.desired.bundle import Bundle, BundleError, PlannedTill
from backoffice.desired.difference import difference
from backoffice.desired.fleet_keys import FleetKey
from pos_agent.errors import SignatureError
from pos_agent.protocol.desired import CONFIG_TYPE, ConfigDesired
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import DOWN_TYPE, endorse, seal
from tests.fakes.fleet import HARMLESS, LIMITS, Fleet, tampered

TILL = "t-shop-01"


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def _only(bundle: Bundle, fleet: Fleet) -> tuple[bundles.Opened, bundles.Opened]:
    (pair,) = bundle.pairs
    return bundles.open_pair(pair, fleet.pins)


def _missing(bundle: Bundle, fleet: Fleet) -> str:
    return bundles.missing_signature(*_only(bundle, fleet), fleet.pins)


def test_bundle_has_version_n_and_its_undo_n_plus_1_signed_together(fleet: Fleet) -> None:
    config, undo = _only(fleet.sign(fleet.plan((TILL, 7))), fleet)
    assert (config.document.version, undo.document.version) == (7, 8)
    assert (config.document.config, undo.document.config) == (HARMLESS, {})
    assert config.signers == undo.signers == ("fleet-a",)
    assert undo.document.not_after > config.document.not_after


def test_change_is_laid_over_what_the_till_runs_and_the_undo_brings_that_back(fleet: Fleet) -> None:
    before = fleet.sign(fleet.plan((TILL, 1)), fleet.wish(change={"printing": {"copies_merchant": 2}}))
    plan = msgspec.structs.replace(
        fleet.plan(), tills=(PlannedTill(terminal_id=TILL, version=3, base=before.pairs[0].config),)
    )
    config, undo = _only(fleet.sign(plan), fleet)
    assert config.document.config == {"printing": {"copies_merchant": 2, "result_slip": "always"}}
    assert undo.document.config == {"printing": {"copies_merchant": 2}}
    config, _ = _only(fleet.sign(plan, fleet.wish(is_whole=True)), fleet)
    assert config.document.config == HARMLESS
    config, _ = _only(fleet.sign(plan, fleet.wish(change={}, dropped=("printing.copies_merchant",))), fleet)
    assert config.document.config == {}


def test_back_office_cannot_make_the_undo_by_lying_about_what_a_till_runs(fleet: Fleet) -> None:
    """The plan is the back office's; whatever it claims to run must carry a fleet key's own signature."""
    document = ConfigDesired(
        terminal_id=TILL, version=1, rollout="r", issued=bundles_now(), not_after=bundles_now(), config=LIMITS
    )
    online = PrivateKey.generate()
    forged = seal(msgspec.json.encode(document), payload_type=CONFIG_TYPE, kid="fleet-a", key=online)
    plan = msgspec.structs.replace(
        fleet.plan(), tills=(PlannedTill(terminal_id=TILL, version=2, base=msgspec.Raw(forged)),)
    )
    with pytest.raises(SignatureError):
        fleet.sign(plan)


def bundles_now() -> Any:
    return Fleet().plan().made_at


def test_base_of_another_till_is_refused(fleet: Fleet) -> None:
    before = fleet.sign(fleet.plan(("t-other", 1)))
    plan = msgspec.structs.replace(
        fleet.plan(), tills=(PlannedTill(terminal_id=TILL, version=2, base=before.pairs[0].config),)
    )
    with pytest.raises(BundleError, match="t-other"):
        fleet.sign(plan)


def test_limits_need_a_second_person_and_harmless_keys_do_not(fleet: Fleet) -> None:
    plan = fleet.plan((TILL, 1))
    assert not _missing(fleet.sign(plan), fleet)
    once = fleet.sign(plan, fleet.wish(change=LIMITS))
    assert _missing(once, fleet)
    twice = fleet.countersign(once)
    config, undo = _only(twice, fleet)
    assert set(config.signers) == set(undo.signers) == {"fleet-a", "fleet-b"}
    assert not _missing(twice, fleet)


def test_undo_of_a_limit_counts_as_a_change_of_it(fleet: Fleet) -> None:
    before = fleet.sign(fleet.plan((TILL, 1)), fleet.wish(change=LIMITS))
    plan = msgspec.structs.replace(
        fleet.plan(), tills=(PlannedTill(terminal_id=TILL, version=3, base=before.pairs[0].config),)
    )
    gone = fleet.sign(plan, fleet.wish(change={}, dropped=("policy.operator_limit_minor",)))
    assert _missing(gone, fleet)


def test_same_key_never_signs_twice_also_under_another_name(fleet: Fleet) -> None:
    once = fleet.sign(fleet.plan((TILL, 1)), fleet.wish(change=LIMITS))
    with pytest.raises(BundleError, match="signed already"):
        bundles.countersign(once, fleet.first, fleet.pins)
    with pytest.raises(BundleError, match="signed already"):
        bundles.countersign(once, FleetKey("fleet-c", fleet.first.private), fleet.pins)


def test_countersigner_signs_nothing_that_no_pinned_key_signed_first(fleet: Fleet) -> None:
    once = fleet.sign(fleet.plan((TILL, 1)), key=FleetKey("fleet-x", PrivateKey.generate()))
    with pytest.raises(SignatureError):
        fleet.countersign(once)


def test_online_key_of_the_back_office_is_refused_as_signer_and_as_second_signer(fleet: Fleet) -> None:
    """trust.md 14: what must sign at run time is online; it signs no configuration, whatever it calls itself."""
    online = PrivateKey.generate()
    payload = msgspec.json.encode(
        ConfigDesired(
            terminal_id=TILL, version=1, rollout="r", issued=bundles_now(), not_after=bundles_now(), config={}
        )
    )
    for kid in ("backoffice", "fleet-a"):
        for payload_type in (CONFIG_TYPE, DOWN_TYPE):
            sealed = seal(payload, payload_type=payload_type, kid=kid, key=online)
            with pytest.raises(SignatureError):
                bundles.open_document(sealed, fleet.pins, terminal_id=TILL)
    once = fleet.sign(fleet.plan((TILL, 1)), fleet.wish(change=LIMITS)).pairs[0]
    helped = msgspec.structs.replace(
        once,
        config=msgspec.Raw(endorse(bytes(once.config), kid="backoffice", key=online)),
        undo=msgspec.Raw(endorse(bytes(once.undo), kid="backoffice", key=online)),
    )
    assert bundles.missing_signature(*bundles.open_pair(helped, fleet.pins), fleet.pins)


def test_pair_with_a_changed_byte_another_undo_or_halves_signed_apart_is_none(fleet: Fleet) -> None:
    one, other = (fleet.sign(fleet.plan((TILL, number))).pairs[0] for number in (1, 4))
    with pytest.raises(BundleError, match="another number"):
        bundles.open_pair(msgspec.structs.replace(one, undo=other.undo), fleet.pins)
    twice = fleet.countersign(fleet.sign(fleet.plan((TILL, 1)))).pairs[0]
    with pytest.raises(BundleError, match="different keys"):
        bundles.open_pair(msgspec.structs.replace(one, undo=twice.undo), fleet.pins)
    with pytest.raises(SignatureError):
        bundles.open_pair(
            msgspec.structs.replace(one, config=tampered(one.config, b'"payload":"ey', b'"payload":"fy')), fleet.pins
        )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"policy": {"operator_limit": 1}}, "operator_limit"),
        ({"policy": {"window_days": "long"}}, "window_days"),
        ({"terminal": {"terminal_id": "t-other"}}, "belongs to the machine"),
        ({"trust": {"device_key_file": "x"}}, "belongs to the machine"),
    ],
)
def test_configuration_that_every_till_would_refuse_is_not_signed(
    fleet: Fleet, change: dict[str, Any], why: str
) -> None:
    with pytest.raises(BundleError, match=why):
        fleet.sign(fleet.plan((TILL, 1)), fleet.wish(change=change))


def test_new_fleet_keys_need_two_of_the_new_ones_for_the_undo(fleet: Fleet) -> None:
    """The till verifies the undo with the keys that the configuration pins: two of them must have signed."""
    third = FleetKey("fleet-c", PrivateKey.generate())
    pins = {**fleet.pins, third.kid: third.public_key}
    keys = {key.kid: key.public_key.base64 for key in (fleet.second, third)}
    once = fleet.sign(fleet.plan((TILL, 1)), fleet.wish(change={"fleet": {"keys": keys}}))
    twice = fleet.countersign(once)
    opened = bundles.open_pair(twice.pairs[0], pins)
    assert "two of the new keys" in bundles.missing_signature(*opened, pins)
    thrice = bundles.countersign(twice, third, pins)
    config, undo = bundles.open_pair(thrice.pairs[0], pins)
    assert bundles.missing_signature(config, undo, pins) == ""
    assert set(undo.signers) == {"fleet-a", "fleet-b", "fleet-c"}


def test_mapping_is_replaced_whole_as_tills_do() -> None:
    old = {"fleet": {"keys": {"a": "1", "b": "2"}}, "printing": {"copies_customer": 2}}
    new = bundles.merged(old, {"fleet": {"keys": {"b": "2", "c": "3"}}, "printing": {"copies_merchant": 2}})
    assert new == {
        "fleet": {"keys": {"b": "2", "c": "3"}},
        "printing": {"copies_customer": 2, "copies_merchant": 2},
    }
    assert bundles.without(new, ["fleet.keys", "printing.copies_customer"]) == {"printing": {"copies_merchant": 2}}


def test_configuration_that_changes_nothing_is_not_signed(fleet: Fleet) -> None:
    with pytest.raises(BundleError, match="nothing would change"):
        fleet.sign(fleet.plan((TILL, 1)), fleet.wish(change={}))


def test_key_that_is_not_there_cannot_be_dropped(fleet: Fleet) -> None:
    with pytest.raises(BundleError, match=r"printing\.copies"):
        fleet.sign(fleet.plan((TILL, 1)), fleet.wish(dropped=("printing.copies",)))


def test_difference_names_each_key_and_shows_no_secret() -> None:
    old = {"printing": {"result_slip": "window", "copies_merchant": 2}, "policy": {"window_days": 30}}
    new = {
        "printing": {"result_slip": "always"},
        "people": {"pin_hash": "abc", "list": [{"pin": "123456", "no": "01"}]},
    }
    lines = difference(old, new)
    assert lines == [
        '+ people.list = [{"pin":"(not shown)","no":"01"}]',
        "+ people.pin_hash = (not shown)",
        "- policy.window_days = 30",
        "- printing.copies_merchant = 2",
        '~ printing.result_slip: "window" -> "always"',
    ]


_TREES = st.dictionaries(
    st.sampled_from("abc"),
    st.one_of(st.integers(0, 3), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3))),
    max_size=3,
)


@settings(max_examples=60)
@given(_TREES, _TREES)
def test_difference_is_empty_exactly_where_no_key_changes(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert (difference(old, new) == []) == (bundles.changed_keys(old, new) == set())
    assert difference(old, old) == []
    laid = bundles.merged(old, new)
    assert bundles.merged(laid, new) == laid
