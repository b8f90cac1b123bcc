"""field.md 10: a scanner in keyboard or HID-POS mode is recognised, and what to do is said in both languages."""

from pathlib import Path

import pytest

from drivers.scanner.modes import Advice, Mode, UsbUnit, advise, find_scanners, mode_of
from tests.unit.drivers.scanner.rows import TABLE

#: The head of a bar code scanner's report descriptor. Source: HID Point of Sale usage tables 1.02, example.
POS_DESCRIPTOR = bytes.fromhex("05 8C 09 02 A1 01 09 12 A1 02 85 02")
KEYBOARD_DESCRIPTOR = bytes.fromhex("05 01 09 06 A1 01 05 07 19 E0 29 E7")
BOOT_KEYBOARD, CDC, HID = (3, 1, 1), (2, 2, 1), (3, 0, 0)


def unit(vendor: str, *interfaces: tuple[int, int, int], name: str = "", descriptor: bytes = b"") -> UsbUnit:
    return UsbUnit(
        vendor=vendor,
        product="0b61",
        name=name,
        interfaces=interfaces,
        report_descriptors=(descriptor,) * bool(descriptor),
    )


@pytest.mark.parametrize(
    ("found", "mode"),
    [
        (unit("0c2e", BOOT_KEYBOARD, descriptor=KEYBOARD_DESCRIPTOR), Mode.KEYBOARD),
        (unit("0c2e", HID, descriptor=POS_DESCRIPTOR), Mode.HID_POS),
        (unit("0c2e", BOOT_KEYBOARD, HID, descriptor=POS_DESCRIPTOR), Mode.HID_POS),
        (unit("0c2e", CDC, (10, 0, 0)), Mode.SERIAL),
        (unit("0c2e", (0xFF, 0, 0)), Mode.SERIAL),
        (unit("0c2e", (8, 6, 80)), Mode.UNKNOWN),
    ],
)
def test_mode_follows_interfaces_and_usage_page(found: UsbUnit, mode: Mode) -> None:
    assert mode_of(found) is mode


def told(found: UsbUnit) -> Advice:
    advice = advise(found, TABLE)
    assert advice is not None
    return advice


def test_keyboard_mode_is_explained_with_the_set_up_barcode_of_the_maker() -> None:
    advice = told(unit("0c2e", BOOT_KEYBOARD, name="Honeywell Xenon 1900"))
    assert (advice.mode, advice.family) == (Mode.KEYBOARD, "honeywell")
    for words in (advice.zh, advice.en):
        assert "TRMUSB130" in words
        assert "Xenon 1900 0c2e:0b61" in words
    assert "键盘" in advice.zh
    assert "keyboard" in advice.en


def test_hid_pos_mode_of_an_unknown_maker_is_explained_in_general_words() -> None:
    advice = told(unit("1234", HID, descriptor=POS_DESCRIPTOR))
    assert (advice.mode, advice.family) == (Mode.HID_POS, "")
    assert "USB 虚拟串口" in advice.zh
    assert "virtual COM" in advice.en


def test_unknown_maker_is_known_by_its_product_name() -> None:
    assert told(unit("9999", BOOT_KEYBOARD, name="USB BarCode Scanner")).mode is Mode.KEYBOARD


def test_real_keyboard_is_no_scanner() -> None:
    assert advise(unit("046d", BOOT_KEYBOARD, name="Logitech Keyboard"), TABLE) is None


def test_serial_unit_is_fine() -> None:
    assert "可以用" in told(unit("1eab", CDC)).zh


def _sysfs(root: Path) -> None:
    device = root / "bus/usb/devices/1-1"
    hid = device / "1-1:1.0" / "0003:05E0:1300.0001"
    hid.mkdir(parents=True)
    files = {"idVendor": "05E0", "idProduct": "1300", "manufacturer": "Symbol", "product": "Bar Code Scanner"}
    for name, text in files.items():
        (device / name).write_text(text + "\n")
    for name, text in (("Class", "03"), ("SubClass", "00"), ("Protocol", "00")):
        (device / "1-1:1.0" / f"bInterface{name}").write_text(text + "\n")
    (hid / "report_descriptor").write_bytes(POS_DESCRIPTOR)
    (root / "bus/usb/devices/1-1:1.0").mkdir()


def test_find_scanners_reads_sysfs(tmp_path: Path) -> None:
    _sysfs(tmp_path)
    (advice,) = find_scanners(TABLE, sysfs=tmp_path)
    assert (advice.mode, advice.family) == (Mode.HID_POS, "zebra-ssi")
    assert "USB CDC" in advice.zh


def test_find_scanners_without_usb_finds_nothing(tmp_path: Path) -> None:
    assert find_scanners(TABLE, sysfs=tmp_path) == []
