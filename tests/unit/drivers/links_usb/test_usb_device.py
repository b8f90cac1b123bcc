"""The blocking USB device against unmodified pyusb on a backend in memory."""

import errno
from typing import Any

import pytest

from drivers.links.usb_device import UsbAddress, UsbDevice, open_usb_device, parse_usb_address
from pos_agent.errors import ClaimedError, ConfigValueError, FailureError, NoHardwareError, OfflineError
from tests.unit.drivers.links_usb.fake_backend import PRODUCT_ID, VENDOR_ID, FakeBackend, usb_error

ADDRESS = UsbAddress(VENDOR_ID, PRODUCT_ID)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


def opened(backend: FakeBackend) -> UsbDevice:
    return open_usb_device(ADDRESS, backend)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("04b8:0e28", UsbAddress(0x04B8, 0x0E28)), ("04B8:0e28:AB:1", UsbAddress(0x04B8, 0x0E28, "AB:1"))],
)
def test_usb_address_with_ids_in_hex_is_read(text: str, expected: UsbAddress) -> None:
    assert parse_usb_address(text) == expected


@pytest.mark.parametrize("text", ["", "04b8", "04b8:", "zzzz:0001", "104b8:0001", "-1:1"])
def test_usb_address_malformed_is_refused(text: str) -> None:
    with pytest.raises(ConfigValueError):
        parse_usb_address(text)


def test_open_configured_printer_claims_its_interface_without_reset(backend: FakeBackend) -> None:
    opened(backend).close()
    assert backend.calls == ["detach 1", "claim 1", "release 1", "attach 1"]
    assert not backend.is_handle_open


def test_open_unconfigured_printer_sets_the_configuration_once(backend: FakeBackend) -> None:
    backend.configuration = 0
    opened(backend).close()
    assert backend.calls.count("set_configuration") == 1


def test_open_with_other_serial_finds_nothing(backend: FakeBackend) -> None:
    with pytest.raises(NoHardwareError):
        open_usb_device(UsbAddress(VENDOR_ID, PRODUCT_ID, "OTHER"), backend)
    open_usb_device(UsbAddress(VENDOR_ID, PRODUCT_ID, "SN42"), backend).close()


def test_open_absent_printer_raises_no_hardware(backend: FakeBackend) -> None:
    backend.is_present = False
    with pytest.raises(NoHardwareError):
        opened(backend)


@pytest.mark.parametrize(("number", "error"), [(errno.EBUSY, ClaimedError), (errno.EACCES, FailureError)])
def test_open_refused_by_the_kernel_says_why_and_leaves_no_handle(
    backend: FakeBackend, number: int, error: type[Exception]
) -> None:
    backend.claim_error = number
    with pytest.raises(error):
        opened(backend)
    assert not backend.is_handle_open


def test_write_short_count_is_returned_as_accepted(backend: FakeBackend) -> None:
    backend.write_script.append(100)
    assert opened(backend).write(b"x" * 4096) == 100
    assert len(backend.received) == 100


def test_write_timed_out_accepts_nothing(backend: FakeBackend) -> None:
    backend.write_script.append(0)
    assert opened(backend).write(b"abc") == 0


def test_write_to_vanished_printer_raises_offline(backend: FakeBackend) -> None:
    device = opened(backend)
    backend.is_present = False
    with pytest.raises(OfflineError):
        device.write(b"abc")
    device.close()


def test_write_stalled_once_is_cleared_and_a_second_stall_is_a_loss(backend: FakeBackend) -> None:
    device = opened(backend)
    backend.write_script.extend([OSError(errno.EPIPE, ""), OSError(errno.EPIPE, "")])
    assert device.write(b"abc") == 0
    assert "clear_halt 0x3" in backend.calls
    with pytest.raises(OfflineError):
        device.write(b"abc")


def test_write_after_a_cleared_stall_forgets_the_stall(backend: FakeBackend) -> None:
    device = opened(backend)
    backend.write_script.extend([OSError(errno.EPIPE, ""), 3, OSError(errno.EPIPE, "")])
    assert [device.write(b"abc") for _ in range(3)] == [0, 3, 0]


def test_read_returns_what_was_sent_and_nothing_after(backend: FakeBackend) -> None:
    device = opened(backend)
    backend.replies.append(b"\x14\x00\x00\x0f")
    assert device.read(20) == b"\x14\x00\x00\x0f"
    assert device.read(20) == b""


def test_port_status_is_read_until_the_printer_refuses_it(backend: FakeBackend) -> None:
    device = opened(backend)
    assert device.port_status() == 0x18
    backend.port_status_error = errno.EPIPE
    assert device.port_status() is None
    backend.port_status_error = 0
    assert device.port_status() is None, "asked again although the printer does not know the request"


def test_port_status_timed_out_is_unknown_but_asked_again(backend: FakeBackend) -> None:
    device = opened(backend)
    backend.port_status_error = errno.ETIMEDOUT
    assert device.port_status() is None
    backend.port_status_error = 0
    assert device.port_status() == 0x18


def test_port_status_of_vanished_printer_raises_offline(backend: FakeBackend) -> None:
    device = opened(backend)
    backend.is_present = False
    with pytest.raises(OfflineError):
        device.port_status()


def test_identity_survives_one_lost_transfer_and_a_printer_that_says_nothing(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = opened(backend)
    whole = device.identity
    assert whole == "04b8:0e28:0100:SN42::1"
    answer, lost = backend.ctrl_transfer, [errno.ETIMEDOUT]

    def flaky(*args: Any, **kwargs: Any) -> Any:
        if lost:
            raise usb_error(lost.pop())
        return answer(*args, **kwargs)

    monkeypatch.setattr(backend, "ctrl_transfer", flaky)
    assert device.identity == whole
    lost.extend([errno.EIO] * 99)
    assert device.identity == "04b8:0e28:0100:::1"
    device.close()
