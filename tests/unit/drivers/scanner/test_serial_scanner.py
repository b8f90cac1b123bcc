"""The scanner driver on a pty: silence, re-reads, showers of noise, and no label in any log."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drivers.links.opener import Opener
from drivers.scanner.serial_scanner import SerialScanner
from pos_agent.domain.config import ScannerConfig
from pos_agent.domain.events import Event, ScanGarbled, ScanRead
from pos_agent.errors import ClaimedError
from tests.contract.rigs import Pty
from tests.fakes.waiting import until

PAYMENT_CODE = "134567890123456789"


class Bench:
    """A scanner under test and the pty it is on."""

    def __init__(self, folder: Path, config: ScannerConfig | None = None) -> None:
        self.events: list[Event] = []
        self.pty = Pty(folder / "scanner")
        self.pty.plug()
        values = config or ScannerConfig()
        self.scanner = SerialScanner(
            ScannerConfig(
                path=str(self.pty.path),
                suffix=values.suffix,
                idle_gap_ms=values.idle_gap_ms,
                reread_window_ms=values.reread_window_ms,
            ),
            sink=self.events.append,
            opener=Opener(),
        )

    def send(self, data: bytes) -> None:
        os.write(self.pty.master, data)

    async def half(self, data: bytes) -> None:
        """Send a part of a code, and return when it was read."""
        self.send(data)
        await until(lambda: self.scanner._protocol.has_pending)

    @property
    def labels(self) -> list[str]:
        return [event.scan_data_label for event in self.events if isinstance(event, ScanRead)]

    async def close(self) -> None:
        await self.scanner.close()
        self.pty.unplug()


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    await bench.scanner.open()
    yield bench
    await bench.close()


async def test_scanner_aim_identifier_is_the_symbology(bench: Bench) -> None:
    bench.send(b"\x02]C1011234\x03")
    await until(lambda: bench.events)

    event = bench.events[0]
    assert isinstance(event, ScanRead)
    assert (event.scan_data_label, event.scan_data_type) == ("011234", "]C1")
    assert abs(event.at_s - time.monotonic()) < 5


async def test_scanner_without_suffix_silence_ends_the_code(bench: Bench) -> None:
    bench.send(b"420000")
    await asyncio.sleep(0)
    bench.send(b"2089")
    started_s = time.monotonic()
    await until(lambda: bench.events)

    assert bench.labels == ["4200002089"]
    assert time.monotonic() - started_s >= 0.03


async def test_scanner_loop_was_late_bytes_that_wait_are_no_silence(bench: Bench) -> None:
    await bench.half(b"420000")
    time.sleep(0.08)  # noqa: ASYNC251 - the loop is late on purpose, the silence timer is due
    bench.send(b"2089\r")
    await until(lambda: bench.events)

    assert bench.labels == ["4200002089"]


async def test_scanner_same_code_within_the_window_is_dropped_and_counted(bench: Bench) -> None:
    for _ in range(3):
        bench.send(b"6901234567892\r\n")
    bench.send(b"6907654321098\r\n")
    await until(lambda: len(bench.events) == 2)

    assert bench.labels == ["6901234567892", "6907654321098"]
    assert bench.scanner.counters["RereadScanCount"] == 2
    assert bench.scanner.counters["GoodScanCount"] == 2


async def test_scanner_same_code_after_the_window_is_read_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ScannerConfig(reread_window_ms=20))
    await bench.scanner.open()
    bench.send(b"6901234567892\r")
    await until(lambda: len(bench.events) == 1)
    await asyncio.sleep(0.03)  # the window itself
    bench.send(b"6901234567892\r")
    await until(lambda: len(bench.events) == 2)

    assert bench.labels == ["6901234567892"] * 2
    await bench.close()


async def test_scanner_shower_of_noise_is_one_event_and_all_counted(bench: Bench) -> None:
    bench.send(b"\x01\x05\x06\x07\r" * 40 + b"6901234567892\r")
    await until(lambda: bench.labels)

    assert [type(event) for event in bench.events] == [ScanGarbled, ScanRead]
    assert bench.events[0] == ScanGarbled("ScanGarbledControlBytesCount", 4)
    assert bench.scanner.counters["CommunicationErrorCount"] == 40
    assert bench.scanner.counters["ScanGarbledControlBytesCount"] == 40


async def test_scanner_ten_kilobytes_without_end_are_skipped(bench: Bench) -> None:
    for _ in range(10):
        bench.send(b"7" * 1024)
        await asyncio.sleep(0)
    await until(lambda: bench.scanner.counters["ScanGarbledOverflowCount"] == 1)
    bench.send(b"\r6901234567892\r")
    await until(lambda: bench.labels)

    assert bench.labels == ["6901234567892"]


async def test_scanner_unplugged_inside_a_code_the_half_is_forgotten(bench: Bench) -> None:
    await bench.half(b"13456")
    bench.pty.unplug()
    await bench.scanner.wait_lost()
    await bench.scanner.close()
    bench.pty.plug()
    await bench.scanner.open()
    bench.send(b"6901234567892\r")
    await until(lambda: bench.events)

    assert bench.labels == ["6901234567892"]


async def test_scanner_never_logs_what_it_read(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench.send(PAYMENT_CODE.encode() + b"\r")
    bench.send(b"\x01" + PAYMENT_CODE.encode() + b"\r")
    await until(lambda: len(bench.events) == 2)

    assert "length=18" in caplog.text
    assert PAYMENT_CODE not in caplog.text
    assert PAYMENT_CODE not in repr(bench.events)
    assert PAYMENT_CODE not in repr(vars(bench.scanner))


async def test_scanner_held_by_another_process_is_claimed(bench: Bench) -> None:
    other = SerialScanner(ScannerConfig(path=str(bench.pty.path)), sink=bench.events.append, opener=Opener())

    with pytest.raises(ClaimedError, match="another process"):
        await other.open()


async def test_scanner_idle_arms_no_timer(bench: Bench) -> None:
    bench.send(b"6901234567892\r")
    await until(lambda: bench.events)

    assert bench.scanner._silence is None
