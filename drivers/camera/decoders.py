"""The decoders: from a picture to codes. zxing-cpp where it is installed, else pyzbar with libzbar (D26).

Only a few symbologies are looked for: with all of them on, pictures without any such code read as UPC-E or ITF.
Bytes, never text, are taken from either: which encoding they are in is decided by `drivers.scanner.framer` (pyzbar's
own text was wrong for 34 to 65 % of Chinese QR codes). Measured in devices.md section 7.
"""

import contextlib
import ctypes
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec

from drivers.camera.frames import GreyFrame
from drivers.camera.vote import Symbol

#: ZBAR_CFG_BINARY, zbar.h of 0.23.1 and later; pyzbar's own table does not have it.
_CFG_BINARY: Final = 4
_FOURCC_Y800: Final = int.from_bytes(b"Y800", "little")


class Kind(msgspec.Struct, frozen=True):
    """A symbology under the names of both libraries; `identifier` as ISO/IEC 15424 has it for plain data."""

    zxing: str
    zbar: str
    identifier: str
    is_linear: bool


#: By the name in the configuration.
KINDS: Final[dict[str, Kind]] = {
    "qr": Kind("QRCode", "QRCODE", "]Q1", False),
    "code128": Kind("Code128", "CODE128", "]C0", True),
    "ean13": Kind("EAN13", "EAN13", "]E0", True),
    "ean8": Kind("EAN8", "EAN8", "]E4", True),
    "code39": Kind("Code39", "CODE39", "]A0", True),
}


class NoDecoderError(ImportError):
    """Neither decoder, or not the one that the configuration names, can be imported."""


class Decoder(Protocol):
    """Finds codes; may crash or hang: it runs where that hurts nobody."""

    name: str

    def decode(self, frame: GreyFrame) -> list[Symbol]:
        """Return all codes in the picture."""

    def close(self) -> None:
        """Give its memory back."""


class ZxingDecoder:
    """zxing-cpp: 3.9 times faster, 9 points more reads."""

    name = "zxing-cpp"

    def __init__(self, kinds: Sequence[str]) -> None:
        import zxingcpp  # noqa: PLC0415 - an optional package

        self._read: Any = zxingcpp.read_barcodes
        self._formats: Any = zxingcpp.barcode_formats_from_str(",".join(KINDS[kind].zxing for kind in kinds))
        self._linear = {KINDS[kind].identifier[:2] for kind in kinds if KINDS[kind].is_linear}

    def decode(self, frame: GreyFrame) -> list[Symbol]:
        """Return all codes in the picture."""
        picture = memoryview(frame.dots).cast("B", (frame.height, frame.width))
        return [self._symbol(found) for found in self._read(picture, formats=self._formats)]

    def close(self) -> None:
        """Nothing to give back."""

    def _symbol(self, found: Any) -> Symbol:
        at = found.position
        corners = (at.top_left, at.top_right, at.bottom_left, at.bottom_right)
        return Symbol(
            identifier=found.symbology_identifier,
            data=bytes(found.bytes),
            is_linear=found.symbology_identifier[:2] in self._linear,
            centre=(sum(point.x for point in corners) / 4, sum(point.y for point in corners) / 4),
        )


class ZbarDecoder:
    """libzbar through pyzbar's bindings, in BINARY mode.

    pyzbar's `decode` cannot be told to use BINARY, so the same five calls are made here.
    """

    name = "pyzbar"

    def __init__(self, kinds: Sequence[str]) -> None:
        from pyzbar import wrapper  # noqa: PLC0415 - an optional package, and it loads libzbar

        self._zbar: Any = wrapper
        self._kinds = {int(wrapper.ZBarSymbol[KINDS[kind].zbar]): KINDS[kind] for kind in kinds}
        self._scanner: Any = wrapper.zbar_image_scanner_create()
        for symbol in wrapper.ZBarSymbol:
            if symbol is wrapper.ZBarSymbol.NONE:  # 0 stands for "all of them"
                continue
            self._configure(symbol, wrapper.ZBarConfig.CFG_ENABLE, int(int(symbol) in self._kinds))
        if int(wrapper.ZBarSymbol.QRCODE) in self._kinds:
            with contextlib.suppress(Exception):  # older than 0.23.1: text is then as pyzbar has it
                self._configure(wrapper.ZBarSymbol.QRCODE, _CFG_BINARY, 1)

    def decode(self, frame: GreyFrame) -> list[Symbol]:
        """Return all codes in the picture."""
        zbar = self._zbar
        image = zbar.zbar_image_create()
        try:
            zbar.zbar_image_set_format(image, _FOURCC_Y800)
            zbar.zbar_image_set_size(image, frame.width, frame.height)
            dots = ctypes.cast(ctypes.c_char_p(frame.dots), ctypes.c_void_p)
            zbar.zbar_image_set_data(image, dots, len(frame.dots), None)
            if zbar.zbar_scan_image(self._scanner, image) < 0:
                return []
            return [self._symbol(found) for found in self._found(image)]
        finally:
            zbar.zbar_image_destroy(image)

    def close(self) -> None:
        """Give the scanner back."""
        if self._scanner:
            self._zbar.zbar_image_scanner_destroy(self._scanner)
            self._scanner = None

    def _configure(self, symbol: Any, setting: Any, value: int) -> None:
        self._zbar.zbar_image_scanner_set_config(self._scanner, symbol, setting, value)

    def _found(self, image: Any) -> Iterator[Any]:
        symbol = self._zbar.zbar_image_first_symbol(image)
        while symbol:
            if symbol.contents.type in self._kinds:
                yield symbol
            symbol = self._zbar.zbar_symbol_next(symbol)

    def _symbol(self, found: Any) -> Symbol:
        zbar = self._zbar
        kind = self._kinds[found.contents.type]
        count = max(1, zbar.zbar_symbol_get_loc_size(found))
        return Symbol(
            identifier=kind.identifier,
            data=ctypes.string_at(zbar.zbar_symbol_get_data(found), zbar.zbar_symbol_get_data_length(found)),
            is_linear=kind.is_linear,
            centre=(
                sum(zbar.zbar_symbol_get_loc_x(found, index) for index in range(count)) / count,
                sum(zbar.zbar_symbol_get_loc_y(found, index) for index in range(count)) / count,
            ),
        )


_DECODERS: Final[dict[str, type[ZxingDecoder] | type[ZbarDecoder]]] = {"zxing": ZxingDecoder, "pyzbar": ZbarDecoder}


def make_decoder(name: str, kinds: Sequence[str]) -> Decoder:
    """Return the decoder of that name; ``auto``: the first that can be imported.

    Raises:
        NoDecoderError: None can; says what to install.
    """
    problems = []
    for candidate in _DECODERS if name == "auto" else (name,):
        try:
            return _DECODERS[candidate](kinds)
        except ImportError as error:  # pyzbar raises it too where libzbar is missing
            problems.append(f"{candidate}: {error}")
    raise NoDecoderError("; ".join(problems))
