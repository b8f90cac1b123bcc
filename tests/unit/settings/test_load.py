"""Configuration: valid, explained, refused with a way out."""

import sys
from pathlib import Path

import pytest

from pos_agent.errors import ConfigFileError, ConfigValueError
from pos_agent.settings import DataFinder, explain, load_config

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "terminal.toml"


@pytest.fixture
def shipped_text() -> str:
    return SHIPPED.read_text(encoding="utf-8")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "terminal.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_config_is_valid() -> None:
    loaded = load_config(SHIPPED, {})
    assert loaded.config.terminal.terminal_id == "t-example-01"
    assert loaded.config.policy.operator_limit_minor == 20_000


def test_unknown_key_is_refused_with_did_you_mean(tmp_path: Path, shipped_text: str) -> None:
    path = write(tmp_path, shipped_text.replace("service_phone", "service_fone"))
    with pytest.raises(ConfigValueError) as caught:
        load_config(path, {})
    assert "did you mean terminal.service_phone?" in str(caught.value)
    assert caught.value.key == "terminal.service_fone"
    assert caught.value.origin.startswith(f"{path}:")


def test_wrong_type_names_key_and_line(tmp_path: Path, shipped_text: str) -> None:
    path = write(tmp_path, shipped_text.replace("operator_limit_minor = 20000 ", 'operator_limit_minor = "lots" '))
    with pytest.raises(ConfigValueError) as caught:
        load_config(path, {})
    assert caught.value.key == "policy.operator_limit_minor"
    line = int(caught.value.origin.rsplit(":", 1)[1])
    assert "lots" in path.read_text(encoding="utf-8").splitlines()[line - 1]


def test_missing_key_is_named(tmp_path: Path, shipped_text: str) -> None:
    path = write(tmp_path, shipped_text.replace('merchant_id = "898310000000001"', ""))
    with pytest.raises(ConfigValueError, match=r"terminal\.merchant_id"):
        load_config(path, {})


@pytest.mark.parametrize("text", ["[terminal", "a = ", "\x00", "a = " + "[" * 5000])
def test_broken_toml_is_a_file_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigFileError):
        load_config(write(tmp_path, text), {})


def test_missing_file_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="cannot be read"):
        load_config(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("mqtts://broker.example:8883", "mqtt://broker.example:1883", "broker.url"),
        ("mqtts://broker.example:8883", "http://broker.example", "broker.url"),
        ('t-example-01"       #', 'Till 1" #', "terminal.terminal_id"),
        ('locale = "zh-CN"', 'locale = "de"', "terminal.locale"),
        (r"'^8\d{16}$'", "'('", "policy.order_patterns"),
        ('ca_file = "/etc/pos-agent/pki/ca.pem"', 'ca_file = ""', "broker.ca_file"),
        ("[devices.scanner]", '[devices.scanner]\nprotocol = "sii"', "devices.scanner.protocol"),
        ("[devices.scanner]", '[devices.scanner]\nsuffix = "cr"', "devices.scanner.suffix"),
    ],
)
def test_value_without_meaning_is_refused(tmp_path: Path, shipped_text: str, old: str, new: str, key: str) -> None:
    assert old in shipped_text
    with pytest.raises(ConfigValueError) as caught:
        load_config(write(tmp_path, shipped_text.replace(old, new)), {})
    assert caught.value.key == key
    assert caught.value.hint


def test_environment_wins_and_is_named_as_origin() -> None:
    loaded = load_config(SHIPPED, {"POS_AGENT__TERMINAL__LOCALE": "en", "POS_AGENT__DEVICES__SCANNER__BAUD": "115200"})
    assert loaded.config.terminal.locale == "en"
    assert loaded.config.devices.scanner.baud == 115_200
    shown = {value.key: value for value in explain(loaded)}
    assert shown["terminal.locale"].origin == "environment POS_AGENT__TERMINAL__LOCALE"
    assert shown["devices.scanner.suffix"].origin == "default"
    assert shown["terminal.merchant_id"].origin.startswith(f"{SHIPPED}:")


def test_shipped_policy_stands_under_the_file(tmp_path: Path, shipped_text: str) -> None:
    policy = SHIPPED.with_name("policy.toml")
    loaded = load_config(
        write(tmp_path, shipped_text.replace("operator_limit_minor = 20000", "operator_limit_minor = 7")),
        {},
        policy_path=policy,
    )
    assert loaded.config.policy.operator_limit_minor == 7
    assert loaded.config.policy.text_zh
    assert loaded.origins["policy.text_zh"].startswith(str(policy))


def test_data_finder_of_an_editable_clone_takes_the_clone_before_the_copy_below_the_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel's shared data are copied once, when the clone is installed; config/ is edited after that."""
    stale = tmp_path / "share" / "pos-agent" / "config"
    stale.mkdir(parents=True)
    (stale / "policy.toml").write_text("of last week")
    (stale / "only-here.toml").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.delenv("POS_AGENT_DATA_DIR", raising=False)
    assert DataFinder().find("policy.toml") == SHIPPED.parent / "policy.toml"
    assert DataFinder().find("only-here.toml") == stale / "only-here.toml"


def test_data_finder_of_an_installed_package_takes_what_lies_below_its_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "share" / "pos-agent" / "config"
    package = tmp_path / "lib" / "python3" / "site-packages" / "pos_agent" / "settings"
    foreign = package.parents[1] / "config"
    for folder in (shared, foreign):
        folder.mkdir(parents=True)
        (folder / "policy.toml").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr("pos_agent.settings.data.__file__", str(package / "data.py"))
    monkeypatch.delenv("POS_AGENT_DATA_DIR", raising=False)
    assert DataFinder().find("policy.toml") == shared / "policy.toml"


def test_data_finder_without_file_names_the_folders(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match=str(tmp_path)):
        DataFinder(tmp_path).find("keymaps/none.toml")
