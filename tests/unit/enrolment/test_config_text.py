"""terminal.toml is changed key by key; what people wrote stays."""

import tomllib
from pathlib import Path

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pos_agent.enrolment.config_text import put, replace_section
from pos_agent.enrolment.place import config_text
from pos_agent.enrolment.steps import Places
from pos_agent.protocol.enrolment import EnrolmentDocument

DOCUMENT = EnrolmentDocument(
    terminal_id="t-shop-01",
    merchant_id="M1",
    merchant_name='晨光 "便利店"',
    store_name="1号店",
    device_key_id="dev-1",
    certificate="PEM",
    broker_url="mqtts://broker.example:8883",
    broker_ca="PEM",
    back_office_keys={"bo-2026a": "AAAA", "bo.b": "BBBB"},
    office_url="https://office.example",
    office_ca="PEM",
    lookup_key="a2V5",
)
OLD = """\
# ours
[terminal]
terminal_id = "t-old"   # replaced
locale = "en"

[devices.scanner]
path = "/dev/ttyACM0"   # stays

[trust]
device_key_file = "old"
[trust.back_office_keys]
# kid = key
"gone" = "CCCC"

[policy]
window_days = 30
"""


def test_config_of_a_till_that_had_one_keeps_devices_policy_and_comments() -> None:
    text = config_text(OLD, DOCUMENT, Places(Path("/data")))
    config = tomllib.loads(text)
    assert text.startswith("# ours\n")
    assert 'path = "/dev/ttyACM0"   # stays' in text
    assert "# kid = key" in text
    assert config["terminal"]["terminal_id"] == "t-shop-01"
    assert config["terminal"]["locale"] == "en"
    assert config["terminal"]["merchant_name"] == '晨光 "便利店"'
    assert config["trust"]["back_office_keys"] == {"bo-2026a": "AAAA", "bo.b": "BBBB"}
    assert config["trust"]["device_key_file"] == "/data/pki/device.pem"
    assert config["policy"] == {"window_days": 30}
    assert "production" not in config["terminal"]


def test_config_of_a_new_till_is_for_production() -> None:
    config = tomllib.loads(config_text("", DOCUMENT, Places(Path("/data"))))
    assert config["terminal"]["production"] is True
    assert config["terminal"]["data_dir"] == "/data"
    assert config["broker"] == {
        "url": "mqtts://broker.example:8883",
        "ca_file": "/data/pki/ca.pem",
        "cert_file": "/data/pki/terminal.pem",
        "key_file": "/data/pki/terminal.key",
    }
    assert config["renewal"] == {"url": "https://office.example", "ca_file": "/data/pki/office-ca.pem"}


def test_fleet_keys_are_pinned_once_and_never_replaced_by_the_back_office() -> None:
    places = Places(Path("/data"))
    first = msgspec.structs.replace(DOCUMENT, fleet_keys={"f1": "DDDD", "f2": "EEEE"})
    text = config_text("", first, places)
    assert tomllib.loads(text)["fleet"]["keys"] == {"f1": "DDDD", "f2": "EEEE"}
    assert tomllib.loads(text)["terminal"]["production"] is True
    again = config_text(text, msgspec.structs.replace(DOCUMENT, fleet_keys={"evil": "FFFF"}), places)
    assert tomllib.loads(again)["fleet"]["keys"] == {"f1": "DDDD", "f2": "EEEE"}


def test_config_that_is_placed_twice_does_not_change_again() -> None:
    places = Places(Path("/data"))
    once = config_text(OLD, DOCUMENT, places)
    assert config_text(once, DOCUMENT, places) == once


@settings(max_examples=50)
@given(st.text(max_size=30), st.text(st.characters(codec="ascii", exclude_characters="\n\r"), min_size=1, max_size=20))
@example(value="\x85", key="0")  # ends a line for Python, not for TOML
def test_any_value_and_key_is_read_back_as_it_was(value: str, key: str) -> None:
    text = replace_section(put("", "a", {"b": value}), "c", {key: value})
    assert tomllib.loads(text) == {"a": {"b": value}, "c": {key: value}}
