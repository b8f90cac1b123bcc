"""A bench without processes: the same attributes as `hil.rig.rig.Rig`, everything in memory, calls recorded."""

from typing import Any

from PIL import Image

from hil.rig.changes import Changes
from hil.rig.faults import Faults
from hil.rig.operator import Operator
from hil.rig.scanners import NoPictureError
from hil.simulators.printer.slip import PrintedCode, Slip
from pos_agent.protocol.control import DeviceStatus, Status
from tests.fakes.samples import make_status


class FakePanel:
    """A display that shows what the test says."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.seq = self.beeps = 0
        self.shown = [""] * rows

    def lines(self) -> list[str]:
        return self.shown


class FakeDevice:
    """A device that records what it is told, in `calls`."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.slips: list[Slip] = []
        self.kind = "plain"

    async def press(self, keys: list[str], hold_ms: float = 0, gap_ms: float = 0) -> None:
        self.calls.append(("press", keys, hold_ms, gap_ms))

    async def send(self, data: bytes, *, suffix: bytes, chunks: list[int] | None = None) -> None:
        self.calls.append(("send", data, suffix, chunks))

    async def noise(self, data: bytes | int) -> None:
        self.calls.append(("noise", data))

    async def burst(self, text: str) -> None:
        self.calls.append(("burst", text))

    def show_picture(self, data: bytes) -> None:
        if not data:
            raise NoPictureError("empty")
        self.calls.append(("show_picture", data))

    def stick(self, name: str) -> None:
        self.calls.append(("stick", name))

    def release(self, name: str) -> None:
        self.calls.append(("release", name))

    def set_fault(self, kind: str, *, after_mm: float | None = None) -> None:
        self.calls.append(("set_fault", kind, after_mm))

    def clear_fault(self, kind: str) -> None:
        self.calls.append(("clear_fault", kind))

    def refill(self) -> None:
        self.calls.append(("refill",))


class FakeDevices:
    """All devices of a till."""

    def __init__(self) -> None:
        self.operator_display = FakePanel(40, 12)
        self.customer_display = FakePanel(20, 2)
        self.scanner, self.keypad, self.printer = FakeDevice(), FakeDevice(), FakeDevice()
        self.by_name: dict[str, Any] = {"scanner": self.scanner, "keypad": self.keypad, "printer": self.printer}
        self.unplugged: set[str] = set()

    def unplug(self, name: str) -> None:
        self.unplugged.add(name)

    def plug(self, name: str) -> None:
        self.unplugged.discard(name)


class FakeDaemon:
    """A daemon with the status that the test says; None = it does not answer."""

    def __init__(self) -> None:
        self.is_powered = True
        self.skew_s = 0
        self.next_status: Status | None = status_at()

    async def status(self) -> Status | None:
        return self.next_status

    async def set_skew(self, skew_s: int) -> bool:
        self.skew_s = skew_s
        return True


class FakeService:
    """A broker, back office or acquirer that records what it is told; `mode` is the last verb."""

    def __init__(self) -> None:
        self.mode = "up"
        self.calls: list[tuple[Any, ...]] = []
        self.url = "http://127.0.0.1:1"
        self.users: tuple[Any, ...] = ()
        self.sales: list[dict[str, Any]] = []

    async def up(self) -> None:
        self.mode = "up"

    async def down(self, *, is_abrupt: bool = True) -> None:
        assert is_abrupt
        self.mode = "down"

    async def slow(self) -> None:
        self.mode = "slow"

    def stall(self) -> None:
        self.mode = "stalled"

    async def control(self, answers: list[str], *, is_settled: bool) -> None:
        self.calls.append(("control", answers, is_settled))

    async def requests(self) -> list[dict[str, Any]]:
        return [{"refund_request_id": "9812345678901234567815", "state": "reviewing"}]

    async def movements(self) -> list[dict[str, Any]]:
        return [{"refund_no": "R9812345678901234567815", "amount_minor": 100}]

    async def decide(self, refund_request_id: str, decision: str, reason: str, user_name: str) -> dict[str, Any]:
        self.calls.append(("decide", refund_request_id, decision, reason, user_name))
        return {"state": "approved"}


class FakeRig:
    """The whole bench in memory."""

    def __init__(self) -> None:
        self.changes = Changes()
        self.terminal_id = "t-demo-01"
        self.operators = (Operator("01", "王芳", "cashier", "2580"), Operator("02", "李强", "supervisor", "7413"))
        self.devices = FakeDevices()
        self.daemon = FakeDaemon()
        self.broker, self.back_office, self.acquirer = FakeService(), FakeService(), FakeService()
        self.faults = Faults(self.devices, self.changes)  # type: ignore[arg-type]
        self.reset_count = 0

    def show(self, *lines: str) -> None:
        """Put lines on the operator display."""
        display = self.devices.operator_display
        display.shown = [*lines, *[""] * (display.rows - len(lines))]
        display.seq += 1
        self.changes.add("screen", device="operator_display")

    def print_slip(self, *lines: str, request_id: str = "") -> None:
        """Let a slip come out."""
        slips = self.devices.printer.slips
        codes = [PrintedCode("CODE128", request_id)] if request_id else []
        slips.append(
            Slip(
                id=len(slips) + 1,
                lines=list(lines),
                codes=codes,
                cut="partial",
                raw_byte_count=100,
                unknown=[],
                drawer_kicks=0,
                printed_at=0.0,
                image=Image.new("1", (576, 400), 1),
            )
        )
        self.changes.add("slip", device="printer")

    async def choose_scanner(self, kind: str) -> None:
        self.devices.scanner.kind = kind

    async def power_cut(self) -> None:
        self.daemon.is_powered = False
        self.changes.add("power", is_on=False)

    def power_on(self) -> None:
        self.daemon.is_powered = True
        self.changes.add("power", is_on=True)

    async def reset(self) -> None:
        self.reset_count += 1


def status_at(workflow_state: str = "MENU") -> Status:
    """Return the status of a healthy till with a scanner and a printer."""
    devices = (DeviceStatus(name="scanner", is_online=True), DeviceStatus(name="printer", is_online=True))
    return make_status(
        terminal_id="t-demo-01", workflow_state=workflow_state, view=workflow_state.lower(), devices=devices
    )
