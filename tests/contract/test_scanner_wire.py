"""What every scanner family promises on the wire; each runs the driver on its simulator over a pty."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pos_agent.domain.events import ScanGarbled, ScanRead
from pos_agent.errors import NoHardwareError, OfflineError
from tests.contract.conformance import rule
from tests.contract.scanner_rigs import WIRE_RIGS, WireScannerRig
from tests.fakes.waiting import until

PAY_CODE = "134567890123456789"
ORDERS = ("4200002089202611201078907890", "6901234567892", "8202611221832000000000000000020")


@pytest_asyncio.fixture(params=WIRE_RIGS, ids=lambda rig: rig.__name__)
async def wire_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WireScannerRig]:
    rig: WireScannerRig = request.param(tmp_path)
    yield rig
    await rig.driver.close()
    rig.unplug()


@rule("devices.md 3", "Codes come in order, one event each, and are counted")
async def test_wire_codes_come_in_order_and_are_counted(wire_rig: WireScannerRig) -> None:
    await wire_rig.open()
    for label in ORDERS:
        await wire_rig.scan(label)
    await until(lambda: len(wire_rig.labels) == len(ORDERS))

    assert tuple(wire_rig.labels) == ORDERS
    assert wire_rig.count("GoodScanCount") == len(ORDERS)
    assert wire_rig.count("CommunicationErrorCount") == 0


@rule("devices.md 3", "The same code again within the re-read window is dropped and counted")
async def test_wire_same_code_twice_is_one_event(wire_rig: WireScannerRig) -> None:
    await wire_rig.open()
    for label in (ORDERS[0], ORDERS[0], ORDERS[1]):
        await wire_rig.scan(label)
    await until(lambda: len(wire_rig.labels) == 2)

    assert wire_rig.labels == [ORDERS[0], ORDERS[1]]
    assert wire_rig.count("RereadScanCount") == 1


@rule("devices.md 3", "A code of 2,000 characters comes whole")
async def test_wire_long_code_comes_whole(wire_rig: WireScannerRig) -> None:
    await wire_rig.open()
    label = "".join(str(number % 10) for number in range(2000))
    await wire_rig.scan(label)
    await until(lambda: wire_rig.labels)

    assert wire_rig.labels == [label]


@rule("devices.md 3", "Text is UTF-8, else GB18030, else Latin-1, and the last is suspect")
async def test_wire_text_is_decoded_and_the_last_resort_is_suspect(wire_rig: WireScannerRig) -> None:
    await wire_rig.open()
    for data in ("商户单号 A1".encode(), "退款单 B2".encode("gb18030"), b"caf\xe9"):
        await wire_rig.scan_bytes(data)
    await until(lambda: len(wire_rig.labels) == 3)

    assert wire_rig.labels == ["商户单号 A1", "退款单 B2", "café"]
    assert wire_rig.count("SuspectScanCount") == 1


@rule("field.md 9, D14", "Nothing that was scanned is in any log, at any level")
async def test_wire_payment_code_is_in_no_log(wire_rig: WireScannerRig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await wire_rig.open()
    await wire_rig.scan(PAY_CODE)
    await until(lambda: wire_rig.labels)
    await wire_rig.cut_off(PAY_CODE.encode())
    wire_rig.unplug()
    async with asyncio.timeout(5):
        error = await wire_rig.driver.wait_lost()

    text = caplog.text + repr(error) + str(error) + repr(wire_rig.events) + repr(wire_rig.driver.counters)
    assert not any(PAY_CODE[at : at + 6] in text for at in range(len(PAY_CODE) - 5))


@rule("field.md 9", "A code cut off by an unplug is forgotten; the next one is read whole")
async def test_wire_unplugged_inside_a_code_forgets_the_half(wire_rig: WireScannerRig) -> None:
    await wire_rig.open()
    await wire_rig.cut_off(ORDERS[0][:20].encode())
    wire_rig.unplug()
    async with asyncio.timeout(5):
        assert isinstance(await wire_rig.driver.wait_lost(), OfflineError)
    await wire_rig.driver.close()

    await wire_rig.open()
    await wire_rig.scan(ORDERS[1])
    await until(lambda: wire_rig.labels)

    assert wire_rig.labels == [ORDERS[1]]


@rule("field.md 13", "Plugged in again it is opened again, as often as it happens")
async def test_wire_plugged_in_again_reads_again(wire_rig: WireScannerRig) -> None:
    for count in range(1, 4):
        await wire_rig.open()
        await wire_rig.scan(ORDERS[count - 1])
        await until(lambda count=count: len(wire_rig.labels) == count)  # type: ignore[misc]
        wire_rig.unplug()
        async with asyncio.timeout(5):
            await wire_rig.driver.wait_lost()
        await wire_rig.driver.close()

    assert tuple(wire_rig.labels) == ORDERS


@rule("style.md 4.2", "A port that is not there is E_NOHARDWARE")
async def test_wire_port_that_is_not_there_is_no_hardware(wire_rig: WireScannerRig) -> None:
    with pytest.raises(NoHardwareError):
        await wire_rig.driver.open()


@rule("devices.md 3", "Noise between two codes is counted and costs no later code")
async def test_wire_noise_is_counted_and_the_next_code_is_read(wire_rig: WireScannerRig) -> None:
    await wire_rig.open()
    await wire_rig.port.write(b"\x01\x05\x06\x07\x08\r")
    await until(lambda: wire_rig.count("CommunicationErrorCount"))
    await wire_rig.scan(ORDERS[1])
    await until(lambda: wire_rig.labels)

    assert wire_rig.labels == [ORDERS[1]]
    assert [type(event) for event in wire_rig.events] == [ScanGarbled, ScanRead]


@rule("D20, field.md 23", "What is sent to a scanner is its protocol's alone; a plain unit is sent nothing")
async def test_wire_plain_unit_is_sent_nothing(wire_rig: WireScannerRig) -> None:
    sent = bytearray()
    wire_rig.port.tap(sent.extend)
    await wire_rig.open()
    await wire_rig.scan(ORDERS[1])
    await until(lambda: wire_rig.labels)

    if wire_rig.values.protocol == "plain":
        assert sent == b""
    else:
        await until(lambda: sent)
        assert PAY_CODE.encode() not in sent
        assert ORDERS[1].encode() not in sent


@rule("D14", "Silence that ends half a payment code gives no number that is looked up")
async def test_wire_pause_inside_a_payment_code_joins_it_again(wire_rig: WireScannerRig) -> None:
    await wire_rig.open()
    if wire_rig.values.protocol in ("ack_nak", "ssi"):
        pytest.skip("packets and acknowledged frames have no pause inside")
    await wire_rig.port.write(PAY_CODE[:9].encode())
    await asyncio.sleep(0.08)  # the silence is what is tested
    await wire_rig.port.write(PAY_CODE[9:].encode() + b"\r")
    await until(lambda: wire_rig.events)

    assert wire_rig.labels == [PAY_CODE]
