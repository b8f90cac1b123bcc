"""Cash drawer and buzzer: only where the profile says so, never inside a slip."""

import asyncio

import msgspec
import pytest

from drivers.escpos import extras
from drivers.escpos.profile import Buzzer, DrawerSensor, parse_profile
from pos_agent.errors import ConfigValueError, PaperEndError
from tests.unit.drivers.escpos.rig import FAST, JOB, PAPER_OUT, Bench

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


@pytest.mark.parametrize(
    ("sensor", "pin_high", "is_open"),
    [
        (DrawerSensor.HIGH, True, True),
        (DrawerSensor.HIGH, False, False),
        (DrawerSensor.LOW, True, False),
        (DrawerSensor.LOW, False, True),
        (DrawerSensor.NONE, True, None),
    ],
)
async def test_open_drawer_is_seen_by_asb_where_the_profile_knows_its_wire(
    sensor: DrawerSensor, pin_high: bool, is_open: bool | None
) -> None:
    bench = Bench(msgspec.structs.replace(EQUIPPED, has_asb=True, drawer_sensor=sensor))
    bench.link.answers[b"\x1da\xff"] = bytes((0x14 if pin_high else 0x10, 0, 0, 0))
    await bench.printer.open()
    assert bench.printer.status.drawer_open is is_open
    bench.printer.take_idle(0x18, bytes((0x10 if pin_high else 0x14, 0, 0, 0)))
    assert bench.printer.status.drawer_open is (None if is_open is None else not is_open)
    assert bench.codes() == [], "a drawer is no trouble of the printer"
    await bench.printer.close()


async def test_open_drawer_is_seen_by_dle_eot() -> None:
    bench = Bench(msgspec.structs.replace(EQUIPPED, has_dle_eot=True, drawer_sensor=DrawerSensor.HIGH))
    for n in (1, 2, 3, 4):
        bench.link.answers[bytes((0x10, 4, n))] = b"\x16" if n == 1 else b"\x12"
    await bench.printer.open()
    assert bench.printer.status.drawer_open is True
    await bench.printer.close()


async def test_drawer_that_nothing_was_heard_of_is_not_called_shut() -> None:
    bench = Bench(msgspec.structs.replace(EQUIPPED, drawer_sensor=DrawerSensor.HIGH))
    await bench.printer.open()
    assert bench.printer.status.drawer_open is None
    await bench.printer.close()


async def test_buzzer_is_silent_while_a_slip_is_under_way() -> None:
    bench = Bench(EQUIPPED)
    await bench.printer.open()
    job = asyncio.create_task(bench.printer.print_job(JOB, on_paused=bench.pauses.append))
    await asyncio.sleep(0)
    assert not await bench.printer.sound()
    await job
    assert bytes(bench.link.received) == JOB
    await bench.printer.close()
