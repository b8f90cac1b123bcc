"""Building the printer from the config: everything wrong is said at start."""

import subprocess
import sys
from pathlib import Path

import pytest

from drivers.escpos.build import build
from drivers.links.usb_backend import VARIABLE
from pos_agent.domain.config import PrinterConfig
from pos_agent.errors import ConfigError, ConfigFileError

FOLDER = Path(__file__).parents[4] / "config" / "devices"
USB = "04b8:0e28"


def make(config: PrinterConfig, path: Path, *, allow_backend_override: bool = True) -> str:
    return build(
        config, sink=lambda _: None, profile_path=path, allow_backend_override=allow_backend_override
    ).profile_id


def test_build_shipped_profile_takes_the_tills_text_mode() -> None:
    config = PrinterConfig(usb=USB, text_mode="codepage")
    assert make(config, FOLDER / "generic-80mm.toml") == "generic-80mm/codepage/576"


def test_build_profile_missing_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="nothing"):
        make(PrinterConfig(usb=USB), tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    "config",
    [
        PrinterConfig(usb="printer"),
        PrinterConfig(usb=USB, text_mode="utf8"),
    ],
)
def test_build_with_a_wrong_value_is_a_config_error(config: PrinterConfig) -> None:
    with pytest.raises(ConfigError):
        make(config, FOLDER / "generic-80mm.toml")


def test_build_drawn_profile_needs_no_font_and_no_library() -> None:
    assert make(PrinterConfig(usb=USB), FOLDER / "raster-80mm.toml") == "raster-80mm/raster/576"


def test_build_with_a_simulated_backend_in_production_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "a:b")
    with pytest.raises(ConfigError, match="production"):
        make(PrinterConfig(usb=USB), FOLDER / "generic-80mm.toml", allow_backend_override=False)


def test_daemon_never_imports_python_escpos() -> None:
    """20 MB and 300 ms that an idle till does not pay (ADR 0027); commissioning alone imports it, lazily."""
    script = (
        "import sys; import pos_agent.app.compose, drivers.escpos.build, drivers.escpos.printer;"
        "assert not {'escpos', 'PIL', 'yaml', 'drivers.escpos.python_escpos'} & sys.modules.keys();"
        "import pos_agent.app.commission_printer; assert 'escpos' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[4])
