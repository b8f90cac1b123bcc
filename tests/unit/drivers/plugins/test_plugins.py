"""Installed drivers: the template as a real distribution in a folder of its own, and packages that are broken."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.registry import build_devices
from pos_agent.domain.config import DevicesConfig, DisplayConfig, KeypadConfig, PrinterConfig, ScannerConfig
from pos_agent.domain.events import Event, ScanRead
from pos_agent.errors import ConfigValueError
from tests.contract.rigs import Pty
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[4]
TEMPLATE = ROOT / "docs" / "driver-template"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages; what a test imported from it is forgotten."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


def install(site: Path, project: str, entry: str, source: str = "") -> None:
    """Do what an installer does: the module, and a dist-info with its entry points."""
    info = site / f"{project.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pos_agent.drivers]\n{entry}\n")
    if source:
        (site / f"{entry.split('=')[1].split(':', maxsplit=1)[0].strip()}.py").write_text(source)


def build(config: DevicesConfig) -> object:
    events: list[Event] = []
    return build_devices(config, sink=events.append, find_data=lambda name: ROOT / "config" / name)


async def test_template_installed_as_a_distribution_reads_a_scan(site: Path, tmp_path: Path) -> None:
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    ((name, target),) = project["entry-points"]["pos_agent.drivers"].items()
    shutil.copytree(TEMPLATE / "src", site, dirs_exist_ok=True)
    install(site, project["name"], f"{name} = {target}")
    pty, events = Pty(tmp_path / "scanner"), list[Event]()
    config = ScannerConfig(driver=name, path=str(pty.path), options={"baud": "19200"})

    devices = build_devices(
        DevicesConfig(scanner=config), sink=events.append, find_data=lambda file: ROOT / "config" / file
    )

    assert devices.scanner is not None
    pty.plug()
    await devices.scanner.open()
    os.write(pty.master, b"<6901234567892>")
    await until(lambda: events)
    await devices.scanner.close()
    pty.unplug()
    assert isinstance(events[0], ScanRead)
    assert events[0].scan_data_label == "6901234567892"


def test_template_refuses_a_wrong_option_by_its_key(site: Path) -> None:
    shutil.copytree(TEMPLATE / "src", site, dirs_exist_ok=True)
    install(site, "pos-agent-bracket", "bracket = pos_agent_bracket:build")
    with pytest.raises(ConfigValueError, match=r"devices\.scanner\.options\.baud"):
        build(DevicesConfig(scanner=ScannerConfig(driver="bracket", path="/dev/x", options={"baud": "fast"})))


@pytest.mark.slow
@pytest.mark.slow
def test_template_passes_the_contract_suite_in_its_own_tests() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=TEMPLATE, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "9 passed" in result.stdout


def test_installed_driver_that_is_not_named_is_not_imported(site: Path) -> None:
    install(site, "acme", "acme = acme_driver:build", "raise SystemExit('imported')")
    build(DevicesConfig(scanner=ScannerConfig(path="/dev/x")))
    assert "acme_driver" not in sys.modules


@pytest.mark.parametrize(
    ("config", "key", "words"),
    [
        (DevicesConfig(scanner=ScannerConfig(driver="acne")), "devices.scanner.driver", "one of serial, camera"),
        (DevicesConfig(printer=PrinterConfig(driver="acne")), "devices.printer.driver", "one of escpos"),
        (DevicesConfig(keypad=KeypadConfig(driver="acne")), "devices.keypad.driver", "one of evdev, matrix"),
        (
            DevicesConfig(operator_display=DisplayConfig(driver="acne")),
            "devices.operator_display.driver",
            "framebuffer",
        ),
    ],
)
def test_unknown_driver_is_refused_with_the_known_and_the_installed_ones(
    site: Path, config: DevicesConfig, key: str, words: str
) -> None:
    install(site, "acme", "acme = acme_driver:build")
    with pytest.raises(ConfigValueError) as caught:
        build(config)
    assert caught.value.key == key
    assert words in str(caught.value)
    assert "installed drivers: acme" in str(caught.value)


def test_driver_of_two_packages_is_refused_with_both(site: Path) -> None:
    install(site, "acme", "acme = acme_driver:build", "")
    install(site, "other", "acme = other_driver:build", "")
    with pytest.raises(ConfigValueError, match=r"acme 1\.0, other 1\.0"):
        build(DevicesConfig(scanner=ScannerConfig(driver="acme")))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_library", "no_such_library"),
        ("nothing = 1", "has no attribute 'build'|AttributeError"),
        ("def build(request): raise RuntimeError('no licence')", "no licence"),
        ("def build(request): return object()", "is no scanner: it lacks name, counters, open, close, wait_lost"),
    ],
)
def test_broken_driver_is_refused_with_its_package_and_why(site: Path, source: str, words: str) -> None:
    install(site, "acme", "acme = acme_driver:build", source)
    with pytest.raises(ConfigValueError, match=words) as caught:
        build(DevicesConfig(scanner=ScannerConfig(driver="acme")))
    assert "acme 1.0" in str(caught.value)


def test_driver_of_another_role_is_refused(site: Path) -> None:
    source = (
        "class D:\n    name = 'printer'\n    counters = {}\n"
        "    open = close = wait_lost = None\ndef build(request): return D()\n"
    )
    install(site, "acme", "acme = acme_driver:build", source)
    with pytest.raises(ConfigValueError, match="calls itself 'printer'"):
        build(DevicesConfig(scanner=ScannerConfig(driver="acme")))
