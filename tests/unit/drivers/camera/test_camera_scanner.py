"""The camera driver with its real process: what it reads, and that no crash, hang or hunger of it reaches the till."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from drivers.camera.camera_scanner import CameraScanner, settings_of
from drivers.camera.worker_port import WorkerPort
from drivers.links.opener import Opener
from hil.simulators.camera import Look, SimCamera, draw
from pos_agent.domain.codes import ClassifyContext, CodeKind, classify
from pos_agent.domain.config import CameraConfig, ScannerConfig
from pos_agent.domain.events import Event, ScanRead
from pos_agent.errors import ConfigValueError, DeviceError, FailureError, NoHardwareError, OfflineError
from tests.fakes.waiting import until

PAY_CODE = "134567890123456789"


class Bench:
    def __init__(self, folder: Path) -> None:
        self.sim = SimCamera(folder / "camera")
        self.sim.plug()
        self.events: list[Event] = []
        camera = CameraConfig(fps=30)
        self.config = ScannerConfig(driver="camera", path=str(self.sim.path), reread_window_ms=300, camera=camera)
        self.port = WorkerPort(settings_of(self.config))
        self.scanner = self.make(self.port)

    def make(self, port: WorkerPort) -> CameraScanner:
        return CameraScanner(self.config, sink=self.events.append, opener=Opener(), port=port)

    @property
    def labels(self) -> list[str]:
        return [event.scan_data_label for event in self.events if isinstance(event, ScanRead)]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.scanner.close()


async def test_camera_reads_qr_and_bars_however_they_are_held(bench: Bench) -> None:
    await bench.scanner.open()
    shown = [
        ("qr", "退款 4200002089", Look(angle_deg=30)),
        ("code128", "9812345678901234567890", Look(module_dots=2, angle_deg=180)),
        ("ean13", "6901234567892", Look(contrast=0.4)),
    ]
    for count, (symbology, text, look) in enumerate(shown, 1):
        bench.sim.show(symbology, text.encode(), look)
        await until(lambda count=count: len(bench.labels) == count)  # type: ignore[misc]
    assert bench.labels == [text for _, text, _ in shown]
    assert bench.scanner.counters["GoodScanCount"] == 3
    assert {event.scan_data_type[:2] for event in bench.events if isinstance(event, ScanRead)} == {"]Q", "]C", "]E"}


async def test_camera_of_two_codes_takes_the_one_in_the_middle(bench: Bench) -> None:
    await bench.scanner.open()
    picture = draw("qr", b"middle", Look(module_dots=3))
    aside = draw("qr", b"aside", Look(module_dots=3)).crop((250, 170, 390, 310))
    picture.paste(aside, (0, 0))
    bench.sim.show_picture(picture)
    await until(lambda: bench.labels)
    assert bench.labels == ["middle"]


async def test_camera_damaged_frame_is_skipped(bench: Bench) -> None:
    await bench.scanner.open()
    bench.sim.show_garbage()
    bench.sim.show("qr", b"after garbage")
    await until(lambda: bench.labels == ["after garbage"])


async def test_camera_what_was_there_before_opening_is_stale(bench: Bench) -> None:
    bench.sim.show("qr", b"stale")
    await bench.scanner.open()
    bench.sim.show("qr", b"fresh")
    await until(lambda: bench.labels)
    assert bench.labels == ["fresh"]


async def test_camera_crash_of_the_decoder_is_a_named_fault_and_it_starts_again(bench: Bench) -> None:
    await bench.scanner.open()
    os.kill(bench.port.pid, signal.SIGSEGV)
    error = await bench.scanner.wait_lost()
    assert isinstance(error, FailureError)
    assert "SIGSEGV" in str(error)
    await bench.scanner.close()

    await bench.scanner.open()
    bench.sim.show("qr", b"again")
    await until(lambda: bench.labels == ["again"])
    assert bench.scanner.counters["DecoderCrashCount"] == 1


async def test_camera_that_crashes_again_rests_longer_and_longer(bench: Bench) -> None:
    for _ in range(2):
        await bench.scanner.open()
        os.kill(bench.port.pid, signal.SIGABRT)
        assert isinstance(await bench.scanner.wait_lost(), FailureError)
        await bench.scanner.close()
    with pytest.raises(FailureError, match="crashed 2 times; rests"):
        await bench.scanner.open()
    assert bench.port.crash()


async def test_camera_unplugged_is_offline_and_absent_until_it_is_back(bench: Bench) -> None:
    await bench.scanner.open()
    bench.sim.unplug()
    assert isinstance(await bench.scanner.wait_lost(), OfflineError)
    await bench.scanner.close()
    with pytest.raises(NoHardwareError):
        await bench.scanner.open()
    assert bench.scanner.counters["DecoderCrashCount"] == 0


async def test_camera_closed_leaves_no_process(bench: Bench) -> None:
    await bench.scanner.open()
    pid = bench.port.pid
    await bench.scanner.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_camera_process_ends_when_the_daemon_is_gone(bench: Bench) -> None:
    """SIGKILL of the daemon closes its end of the socket; nothing else tells the process."""
    fd = bench.port.acquire()
    os.close(fd)
    await bench.port.wait_ended()
    await until(lambda: not Path(f"/proc/{bench.port.pid}/cmdline").read_bytes(), timeout_s=20)  # a zombie has none
    assert bench.port.crash() == ""
    bench.port.release(-1)


_BAD_WORKER = """
import sys, socket, time, msgspec
from drivers.camera import wire, worker
class Bad:
    name = "bad"
    def decode(self, frame):
        {what}
    def close(self): pass
settings = msgspec.json.decode(sys.argv[1], type=wire.Settings)
worker.confine(settings.memory_bytes)
worker.serve(settings, socket.socket(fileno=0), open_source=worker._open_source, open_decoder=lambda _: Bad())
"""


def bad_command(what: str) -> "type[list[str]] | object":
    def command(settings: str) -> Sequence[str]:
        return (sys.executable, "-c", _BAD_WORKER.format(what=what), settings)

    return command


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("time.sleep(60)", "took longer than"),
        ("exec('while True: pass')", "took longer than"),
        ("bytearray(1 << 30)", "more memory"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    ],
)
async def test_camera_decoder_that_hangs_spins_eats_memory_or_crashes_is_ended(
    bench: Bench, what: str, words: str
) -> None:
    deadline_ms = 300 if words == "took longer than" else 10_000  # a busy machine gives a gigabyte slowly
    camera = msgspec.structs.replace(bench.config.camera, deadline_ms=deadline_ms)
    bench.config = msgspec.structs.replace(bench.config, camera=camera)
    port = WorkerPort(settings_of(bench.config), command=bad_command(what))  # type: ignore[arg-type]
    scanner = bench.make(port)
    await scanner.open()
    bench.sim.show("qr", b"poison")
    async with asyncio.timeout(20):
        error = await scanner.wait_lost()
    await scanner.close()
    assert isinstance(error, FailureError)
    assert words in str(error)
    assert scanner.counters["DecoderCrashCount"] == 1


async def test_camera_without_a_decoder_says_what_to_install(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = _BAD_WORKER.replace("lambda _: Bad()", "lambda _: make(_)").replace(
        "class Bad",
        "from drivers.camera.decoders import NoDecoderError\ndef make(_): raise NoDecoderError('x')\nclass Bad",
    )
    port = WorkerPort(
        settings_of(bench.config),
        command=lambda settings: (sys.executable, "-c", missing.format(what="pass"), settings),
    )
    scanner = bench.make(port)
    with pytest.raises(DeviceError, match=r"install pos-agent\[camera\]"):
        await scanner.open()
    await scanner.close()


async def test_camera_node_that_is_no_camera_is_refused_in_words(bench: Bench, tmp_path: Path) -> None:
    node = tmp_path / "video0"
    node.write_bytes(b"")
    config = msgspec.structs.replace(bench.config, path=str(node))
    scanner = CameraScanner(config, sink=bench.events.append, opener=Opener())
    with pytest.raises(DeviceError, match="video0"):
        await scanner.open()
    await scanner.close()


@pytest.mark.parametrize(
    ("camera", "key"),
    [
        (CameraConfig(decoder="opencv"), "decoder"),
        (CameraConfig(symbols=("qr", "upce")), "symbols"),
        (CameraConfig(symbols=()), "symbols"),
        (CameraConfig(fps=0.5), "fps"),
        (CameraConfig(memory_mb=16), "memory_mb"),
    ],
)
def test_camera_configuration_that_cannot_work_is_refused_by_its_key(camera: CameraConfig, key: str) -> None:
    with pytest.raises(ConfigValueError, match=rf"devices\.scanner\.camera\.{key}"):
        settings_of(ScannerConfig(driver="camera", path="/dev/video0", camera=camera))


async def test_payment_code_shown_to_the_camera_is_in_no_log_file_command_line_or_core(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """I7. The picture that the test itself put into the folder is the only file; the driver writes none."""
    caplog.set_level(logging.DEBUG)
    await bench.scanner.open()
    command_line = Path(f"/proc/{bench.port.pid}/cmdline").read_bytes()
    limits = Path(f"/proc/{bench.port.pid}/limits").read_text()
    bench.sim.show("code128", PAY_CODE.encode(), Look(module_dots=2))
    await until(lambda: bench.labels == [PAY_CODE])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    await bench.scanner.close()

    context = ClassifyContext(today=None, window_days=365)
    assert classify(bench.labels[0], "]C0", context=context).kind in (CodeKind.PAY_CODE, CodeKind.AMBIGUOUS)
    assert PAY_CODE not in caplog.text + repr(bench.events) + repr(dict(bench.scanner.counters))
    assert PAY_CODE.encode() not in command_line
    assert "Max core file size        0                    0" in limits
    assert files == [bench.sim.path / "000001.png"]


async def test_camera_process_waits_while_nothing_moves(bench: Bench) -> None:
    """An idle till: the process takes few pictures, decodes none and says nothing."""
    await bench.scanner.open()
    before = os.sched_getscheduler(bench.port.pid)
    assert before == os.SCHED_OTHER
    first = _cpu_ticks(bench.port.pid)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await bench.scanner.wait_lost()
    assert _cpu_ticks(bench.port.pid) - first <= os.sysconf("SC_CLK_TCK") // 10
    assert "FrameDecodedCount" not in bench.scanner.counters
    assert bench.events == []


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
