"""What the fleet pushed lies over the file, key by key, and says where each value came from."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from pos_agent.errors import ConfigValueError
from pos_agent.settings import Layer, LoadedConfig, changed_keys, load_config

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "terminal.toml"
KEYS = [b64encode(bytes([number]) * 32).decode() for number in range(4)]


def loaded_with(tree: dict[str, Any], environment: dict[str, str] | None = None) -> LoadedConfig:
    return load_config(SHIPPED, environment or {}, layer=Layer(name="fleet version 7", tree=tree))


def test_key_of_the_layer_replaces_the_files_and_its_neighbours_stay() -> None:
    loaded = loaded_with({"terminal": {"store_name": "二店"}, "printing": {"copies_customer": 2}})
    assert loaded.config.terminal.store_name == "二店"
    assert loaded.config.terminal.merchant_id == "898310000000001"
    assert loaded.config.printing.copies_customer == 2
    assert loaded.origins["printing.copies_customer"] == "fleet version 7"
    assert loaded.origins["terminal.merchant_id"].startswith(f"{SHIPPED}:")


def test_mapping_of_the_layer_is_whole_so_that_a_key_can_be_withdrawn() -> None:
    loaded = loaded_with({"trust": {"back_office_keys": {"bo-2027": KEYS[1]}}})
    assert loaded.config.trust.back_office_keys == {"bo-2027": KEYS[1]}
    assert "trust.back_office_keys.bo-2026a" not in loaded.origins
    assert loaded.origins["trust.back_office_keys.bo-2027"] == "fleet version 7"


def test_environment_lies_over_the_layer() -> None:
    loaded = loaded_with({"terminal": {"locale": "en"}}, {"POS_AGENT__TERMINAL__LOCALE": "zh-CN"})
    assert loaded.config.terminal.locale == "zh-CN"


@pytest.mark.parametrize(
    ("tree", "key"),
    [
        ({"printing": {"copies": 2}}, "printing.copies"),
        ({"printing": {"copies_customer": "many"}}, "printing.copies_customer"),
        ({"terminal": {"locale": "klingon"}}, "terminal.locale"),
        ({"devices": {"printer": {"tier": "never"}}}, "devices.printer.tier"),
    ],
)
def test_bad_key_of_the_layer_names_key_and_layer(tree: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigValueError) as caught:
        loaded_with(tree)
    assert (caught.value.key, caught.value.origin) == (key, "fleet version 7")


@pytest.mark.parametrize("tree", [{"printing": 5}, {"printing": None}, {"terminal": []}, {"": {"": {}}}, {"x": {}}])
def test_layer_of_any_shape_is_a_refusal(tree: dict[str, Any]) -> None:
    with pytest.raises(ConfigValueError):
        loaded_with(tree)


def test_changed_keys_are_those_whose_value_differs() -> None:
    before = load_config(SHIPPED, {}).config
    same = loaded_with({"terminal": {"locale": "zh-CN"}}).config
    other = loaded_with({"terminal": {"locale": "en"}, "devices": {"scanner": {"camera": {"fps": 5.0}}}}).config
    assert changed_keys(before, same) == frozenset()
    assert changed_keys(before, other) == {"terminal.locale", "devices.scanner.camera.fps"}


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"a": "AAAA"}, "no Ed25519 public key"),
        ({"a": "!"}, "no Ed25519 public key"),
        ({"a": KEYS[0], "b": KEYS[0]}, "pinned twice"),
        ({"a": KEYS[0], "b": KEYS[1], "c": KEYS[2], "d": KEYS[3]}, "has 4 keys"),
    ],
)
def test_fleet_keys_are_at_most_three_different_public_keys(keys: dict[str, str], word: str) -> None:
    with pytest.raises(ConfigValueError, match=word):
        loaded_with({"fleet": {"keys": keys}})
    assert loaded_with({"fleet": {"keys": {"a": KEYS[0], "b": KEYS[1]}}}).config.fleet.keys["b"] == KEYS[1]
