"""Cash drawer and buzzer: only where the profile says so, never inside a slip."""

import asyncio

import msgspec
import pytest

from drivers.escpos import extras
from drivers.escpos.profile import Buzzer, parse_profile
from pos_agent.errors import ConfigValueError, PaperEndError
from tests.unit.drivers.escpos.test_printer import FAST, JOB, PAPER_OUT, Bench

EQUIPPED = msgspec.structs.replace(FAST, drawer_pin=5, buzzer=Buzzer.ESC_B)


@pytest.mark.parametrize(("pin", "command"), [(0, b""), (2, b"\x1bp\x00\x32\x64"), (5, b"\x1bp\x01\x32\x64")])
def test_drawer_command_is_the_pins(pin: int, command: bytes) -> None:
    assert extras.open_drawer(msgspec.structs.replace(FAST, drawer_pin=pin)) == command


@pytest.mark.parametrize(
    ("buzzer", "command"),
    [
        (Buzzer.NONE, b""),
        (Buzzer.ESC_B, b"\x1bB\x03\x02"),
    ],
)
def test_buzzer_command_is_the_models(buzzer: Buzzer, command: bytes) -> None:
    assert extras.beep(msgspec.structs.replace(FAST, buzzer=buzzer), times=3) == command


def test_profile_with_a_pin_that_no_connector_has_is_refused() -> None:
    with pytest.raises(ConfigValueError, match="drawer_pin"):
        parse_profile('name = "x"\ndrawer_pin = 3\n', profile_id="x")


async def test_printer_without_drawer_and_buzzer_is_sent_nothing() -> None:
    bench = Bench(FAST)
    await bench.printer.open()
    assert (await bench.printer.open_drawer(), await bench.printer.sound()) == (False, False)
    assert not bench.link.received
    await bench.printer.close()


async def test_drawer_waits_for_the_slip_under_way() -> None:
    bench = Bench(EQUIPPED)
    await bench.printer.open()
    job = asyncio.create_task(bench.printer.print_job(JOB, on_paused=bench.pauses.append))
    await asyncio.sleep(0)
    assert await bench.printer.open_drawer()
    assert job.done()
    assert bytes(bench.link.received) == JOB + extras.open_drawer(EQUIPPED)
    assert await bench.printer.sound()
    await bench.printer.close()


async def test_drawer_of_a_printer_without_paper_says_why_not() -> None:
    bench = Bench(EQUIPPED)
    bench.link.port = PAPER_OUT
    await bench.printer.open()
    with pytest.raises(PaperEndError):
        await bench.printer.open_drawer()
    await bench.printer.close()
