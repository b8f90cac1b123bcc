"""The scanner families as data: config/devices/scanners/scanners.toml. Reading a file is all that it does."""

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from pos_agent.errors import ConfigFileError

#: Below config/.
TABLE_PATH = "devices/scanners/scanners.toml"
Confidence = Literal["manual", "public", "unverified"]


class Fact(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Bytes for one purpose, and how far they are to be trusted.

    Attributes:
        send: Hex.
        answer: Hex that the answer holds; empty = any answer.
        answer_at: Where in the answer; -1 = anywhere.
        source: Where the bytes are from.
        confidence: manual, public or unverified.
    """

    send: str
    source: str
    confidence: Confidence
    answer: str = ""
    answer_at: int = -1

    @property
    def request(self) -> bytes:
        """Return what to send."""
        return bytes.fromhex(self.send)

    def is_answered_by(self, data: bytes) -> bool:
        """Return whether `data` is the answer of this family."""
        wanted = bytes.fromhex(self.answer)
        if self.answer_at >= 0:
            return data[self.answer_at : self.answer_at + len(wanted)] == wanted
        return bool(data) and wanted in data


class SetUpBarcode(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The barcode of the manual that makes the unit a serial device; `text` is what it encodes, where known."""

    zh: str
    en: str
    source: str
    confidence: Confidence
    text: str = ""


class ScannerRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One family; `usb_vendor` is four hex digits."""

    id: str
    vendor: str
    usb_vendor: str
    protocol: str
    identify: Fact
    serial_barcode: SetUpBarcode
    trigger_on: Fact | None = None
    trigger_off: Fact | None = None
    beep: Fact | None = None


class Words(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A sentence in both languages."""

    zh: str
    en: str


class AdviceWords(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a technician is told, by the mode that a unit was found in."""

    keyboard: Words
    hid_pos: Words
    serial: Words
    unknown: Words
    any_barcode: Words


class ScannerTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """All families and the sentences about them."""

    scanner: tuple[ScannerRow, ...]
    advice: AdviceWords

    def row(self, family: str) -> ScannerRow:
        """Return a family.

        Raises:
            KeyError: There is none of that id.
        """
        for row in self.scanner:
            if row.id == family:
                return row
        raise KeyError(family)


def load_table(path: Path) -> ScannerTable:
    """Read the table.

    Raises:
        ConfigFileError: Missing, not TOML, or not of this shape.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), ScannerTable)
    except (OSError, ValueError, RecursionError) as error:  # TOMLDecodeError and ValidationError are ValueErrors
        raise ConfigFileError(f"{path}: {error}") from error
