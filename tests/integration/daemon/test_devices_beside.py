"""The device tools beside the real daemon, and the real daemon with a camera."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hil.simulators.camera import Look, SimCamera
from tests.bench.till import BenchTill

pytestmark = pytest.mark.slow
#: A WeChat payment code (payments.md 3): 18 digits that begin with 10 to 15.
PAY_CODE = "134567890123456789"


@pytest.mark.usefixtures("operator")
def test_devices_beside_the_daemon_say_that_it_holds_them_and_that_they_are_online(till: BenchTill) -> None:
    till.start()
    result = till.run_tool("devices", "--json")
    report = json.loads(result.stdout)
    scanner = next(one for one in report["configured"] if one["role"] == "scanner")

    assert report["daemon_pid"] == till.pid
    assert (scanner["is_there"], scanner["is_online"]) == (True, True)
    assert till.pid in [holder["pid"] for holder in scanner["holders"]]


@pytest.mark.usefixtures("operator")
def test_commissioning_refuses_the_port_of_the_running_daemon_and_sends_nothing(till: BenchTill) -> None:
    till.start()
    port = str((till.folder / "scanner").resolve())
    for name in (port, str(till.folder / "scanner")):
        result = till.run_tool("devices", "commission", "scanner", "--port", name, "--baud", "9600")
        assert result.returncode == 1
        assert f"(pid {till.pid})" in result.stderr
        assert result.stdout == ""
    os.set_blocking(till.scanner, False)
    with pytest.raises(BlockingIOError):
        os.read(till.scanner, 1)
    assert till.status().devices[0].is_online


@pytest.mark.usefixtures("operator")
def test_payment_code_shown_to_the_camera_is_refused_on_the_screen_and_kept_nowhere(till: BenchTill) -> None:
    """D14, I7, with the whole daemon: the scan reaches the menu, and no file holds it."""
    with TemporaryDirectory(prefix="pac", dir="/tmp") as folder:
        camera = SimCamera(Path(folder) / "camera")
        camera.plug()
        till.edit(f'path = "{till.folder}/scanner"', f'driver = "camera"\npath = "{camera.path}"')
        till.start()
        till.sign_in()
        camera.show("code128", PAY_CODE.encode(), Look(module_dots=2))
        shown = till.see("付款码")
        counters = next(one.counters for one in till.status().devices if one.name == "scanner")

    assert counters["GoodScanCount"] == 1
    assert PAY_CODE not in shown
    till.stop()
    kept = [path for path in till.folder.rglob("*") if path.is_file() and PAY_CODE.encode() in path.read_bytes()]
    assert kept == []
