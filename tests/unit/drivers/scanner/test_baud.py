"""Baud search on a named port: who answers, at which speed, and that nothing that was heard comes out."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drivers.links.opener import Opener
from drivers.scanner.baud import BAUDS, BaudFound, listen_baud, printable_ratio, search_baud
from hil.simulators.scanner_command import SimCommandScanner
from tests.unit.drivers.scanner.rows import SIMULATED, TABLE


async def _in_opener(search: Callable[..., BaudFound | None], path: str, **options: Any) -> BaudFound | None:
    """Search as commissioning does: in the opener's thread, which ends with it."""
    return await Opener().run(partial(search, path, **options), port=path, timeout_s=30)


@pytest.mark.parametrize(
    ("family", "baud"), [("honeywell", 115_200), ("newland", 9600), ("zebra-ssi", 38_400), ("grow", 57_600)]
)
async def test_search_baud_finds_family_and_speed(tmp_path: Path, family: str, baud: int) -> None:
    scanner = SimCommandScanner(tmp_path / "scanner", SIMULATED[family], baud=baud)
    scanner.port.plug()
    found = await _in_opener(
        search_baud, str(scanner.port.path), rows=(TABLE.row("honeywell"), TABLE.row(family)), answer_s=0.1
    )
    scanner.port.unplug()

    assert found is not None
    assert (found.baud, found.family) == (baud, family)
    assert (scanner.garbled_byte_count == 0) == (baud == BAUDS[0])


async def test_search_baud_unit_that_ignores_the_speed_is_found_at_the_first(tmp_path: Path) -> None:
    scanner = SimCommandScanner(tmp_path / "scanner", SIMULATED["datalogic"])
    scanner.port.plug()
    found = await _in_opener(search_baud, str(scanner.port.path), rows=TABLE.scanner, answer_s=0.1)
    scanner.port.unplug()

    assert found == BaudFound(baud=9600, family="datalogic")


async def test_search_baud_nobody_answers_gives_none(tmp_path: Path) -> None:
    scanner = SimCommandScanner(tmp_path / "scanner", {})
    scanner.port.plug()
    found = await _in_opener(
        search_baud, str(scanner.port.path), rows=TABLE.scanner[:1], bauds=(9600, 19_200), answer_s=0.05
    )
    scanner.port.unplug()

    assert found is None


async def test_listen_baud_finds_the_speed_at_which_scans_read_as_text(tmp_path: Path) -> None:
    scanner = SimCommandScanner(tmp_path / "scanner", {}, baud=57_600)
    scanner.port.plug()
    listening = asyncio.create_task(_in_opener(listen_baud, str(scanner.port.path), bauds=(9600, 57_600), listen_s=0.4))
    while not listening.done():
        await scanner.scan(b"134567890123456789")
        await asyncio.wait({listening}, timeout=0.06)  # a person's pace
    scanner.port.unplug()

    assert await listening == BaudFound(baud=57_600)
    assert "134567" not in repr(listening.result())


async def test_listen_baud_nobody_scans_gives_none(tmp_path: Path) -> None:
    scanner = SimCommandScanner(tmp_path / "scanner", {})
    scanner.port.plug()
    found = await _in_opener(listen_baud, str(scanner.port.path), bauds=(9600,), listen_s=0.05)
    scanner.port.unplug()

    assert found is None


def test_search_baud_port_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        search_baud(str(tmp_path / "nowhere"), rows=TABLE.scanner)


def test_printable_ratio_of_text_noise_and_nothing() -> None:
    assert printable_ratio(b"6901234567892\r\n") == 1.0
    assert printable_ratio(bytes(range(0x80, 0x90))) == 0.0
    assert printable_ratio(b"690") == 0.0
