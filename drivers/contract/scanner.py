"""What every scanner promises."""

from drivers.contract.conformance import rule
from drivers.contract.rig import ScannerRig, until
from pos_agent.domain.events import ScanRead


@rule("devices.md 3", "Codes arrive whole, once, in order, and are counted")
async def test_scanner_reads_codes_in_order_and_counts(scanner_rig: ScannerRig) -> None:
    scanner_rig.plug()
    await scanner_rig.device.open()
    for label in ("4200002089202611201078907890", "6901234567892"):
        await scanner_rig.scan(label)

    await until(lambda: len(scanner_rig.events) == 2)

    labels = [event.scan_data_label for event in scanner_rig.events if isinstance(event, ScanRead)]
    assert labels == ["4200002089202611201078907890", "6901234567892"]
    assert scanner_rig.device.counters["GoodScanCount"] == 2


@rule("devices.md 3", "After closing and opening it reads again")
async def test_scanner_reopened_reads_again(scanner_rig: ScannerRig) -> None:
    scanner_rig.plug()
    for count in (1, 2):
        await scanner_rig.device.open()
        await scanner_rig.scan("6901234567892")
        await until(lambda count=count: len(scanner_rig.events) == count)  # type: ignore[misc]
        await scanner_rig.device.close()

    assert all(isinstance(event, ScanRead) for event in scanner_rig.events)
