"""A broken configuration still gives a screen."""

from pathlib import Path

import pytest

from pos_agent.errors import ConfigFileError
from pos_agent.settings import salvage_config

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "terminal.toml"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "terminal.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("service_phone", "service_fone"),
        ("operator_limit_minor = 20000", 'operator_limit_minor = "lots"'),
        ('merchant_id = "898310000000001"', ""),
        ('url = "mqtts://broker.example:8883"', 'url = "http://x"'),
        ('url = "mqtts://broker.example:8883"', 'url = "mqtts://[::1:8883"'),
        ('url = "mqtts://broker.example:8883"', 'url = "mqtts://broker.example:88830"'),
        ("[trust]", "[turst]"),
        ('locale = "zh-CN"', "locale = 3"),
        (r"'^8\d{16}$'", "'('"),
    ],
)
def test_salvage_drops_the_bad_key_and_keeps_the_display(tmp_path: Path, old: str, new: str) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    config = salvage_config(write(tmp_path, text.replace(old, new)))
    assert config.devices.operator_display.path == "/dev/fb0"
    assert config.devices.keypad.path.endswith("event-kbd")


@pytest.mark.parametrize("text", ["[[[", "a = " + "[" * 5000, "\x00"])
def test_d18_salvage_of_no_toml_shows_it_on_the_panel_if_there_is_one(tmp_path: Path, text: str) -> None:
    panel = tmp_path / "fb0"
    path = write(tmp_path, text)
    config = salvage_config(path, panel=panel)
    assert config.terminal.terminal_id == "t-safe"
    display = config.devices.operator_display
    assert (display.driver, display.path) == ("ansi", "/dev/tty1")
    panel.touch()
    display = salvage_config(path, panel=panel).devices.operator_display
    assert (display.driver, display.path, display.console) == ("framebuffer", str(panel), "/dev/tty1")


@pytest.mark.parametrize("line", ["driver = 7", 'drivr = "framebuffer"', 'driver = "none"'])
def test_d18_salvage_without_a_display_left_takes_the_panel(tmp_path: Path, line: str) -> None:
    panel = tmp_path / "fb0"
    panel.touch()
    text = SHIPPED.read_text(encoding="utf-8").replace('merchant_id = "898310000000001"', "")
    head, mark, rest = text.partition("[devices.operator_display]\n")
    assert mark
    old, _, rest = rest.partition("\n")
    assert old.startswith("driver")
    config = salvage_config(write(tmp_path, f"{head}{mark}{line}\n{rest}"), panel=panel)
    assert config.devices.operator_display.path == str(panel)


def test_salvage_without_file_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError):
        salvage_config(tmp_path / "none.toml")
