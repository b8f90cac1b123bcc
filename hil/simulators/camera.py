"""A camera that sees what it is shown: pictures drawn here, put one after the other into a folder.

Codes are drawn by this repository's own tables and by `qrcode`, never by a decoder's library. What makes reading hard
in a shop is drawn too: turned, out of focus, dark, grainy.
"""

import itertools
import random
import shutil
from pathlib import Path

import msgspec
import qrcode  # type: ignore[import-untyped]
from PIL import Image, ImageFilter
from qrcode.util import MODE_8BIT_BYTE, QRData  # type: ignore[import-untyped]

from hil.simulators.printer.symbols import code128, ean13

#: Of the picture, as UVC cameras deliver it without asking.
SIZE = (640, 480)
_QUIET_MODULES = 10


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How a code is held in front of the camera.

    Attributes:
        module_dots: Width of the thinnest bar or of one QR module in the picture.
        bar_dots: Height of bars.
        angle_deg: Turned anticlockwise.
        blur_dots: Radius of a Gaussian blur: out of focus, or moved.
        contrast: 1 = black on white; less is dark and flat.
        noise_sigma: Of the sensor, in steps of 255.
    """

    module_dots: int = 3
    bar_dots: int = 90
    angle_deg: float = 0.0
    blur_dots: float = 0.0
    contrast: float = 1.0
    noise_sigma: float = 0.0


def draw(symbology: str, data: bytes, look: Look | None = None, *, seed: int = 0) -> Image.Image:
    """Return the picture of a code, 640×480, grey.

    Args:
        symbology: ``qr``, ``code128`` or ``ean13``.
        data: Bytes; for ``ean13`` 12 or 13 digits.
        look: How it is held.
        seed: Of the noise.
    """
    look = look or Look()
    code = _qr(data, look) if symbology == "qr" else _bars(symbology, data, look)
    code = code.rotate(look.angle_deg, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC)
    picture = Image.new("L", SIZE, 255)
    picture.paste(code, ((SIZE[0] - code.width) // 2, (SIZE[1] - code.height) // 2))
    if look.blur_dots:
        picture = picture.filter(ImageFilter.GaussianBlur(look.blur_dots))
    if look.contrast != 1.0:
        dark = 128 - 127 * look.contrast
        picture = picture.point([round(dark + value * look.contrast) for value in range(256)])
    return _grainy(picture, look.noise_sigma, seed) if look.noise_sigma else picture


def _qr(data: bytes, look: Look) -> Image.Image:
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
    code.add_data(QRData(data, mode=MODE_8BIT_BYTE), optimize=0)
    code.make(fit=True)
    rows = code.get_matrix()
    small = Image.new("L", (len(rows), len(rows)))
    small.putdata([0 if dark else 255 for row in rows for dark in row])
    return small.resize((len(rows) * look.module_dots, len(rows) * look.module_dots), Image.Resampling.NEAREST)


def _bars(symbology: str, data: bytes, look: Look) -> Image.Image:
    modules = code128(b"{B" + data.replace(b"{", b"{{"))[0] if symbology == "code128" else ean13(data.decode())[0]
    line = "0" * _QUIET_MODULES + modules + "0" * _QUIET_MODULES
    small = Image.new("L", (len(line), 1))
    small.putdata([0 if module == "1" else 255 for module in line])
    return small.resize((len(line) * look.module_dots, look.bar_dots), Image.Resampling.NEAREST)


def _grainy(picture: Image.Image, sigma: float, seed: int) -> Image.Image:
    """Add Gaussian noise; drawn from a short seeded row, so that pictures are made quickly."""
    source = random.Random(seed)
    grain = [round(source.gauss(0, sigma)) for _ in range(7919)]
    dots = picture.tobytes()
    noisy = bytes(min(255, max(0, dot + noise)) for dot, noise in zip(dots, itertools.cycle(grain)))
    return Image.frombytes("L", picture.size, noisy)


class SimCamera:
    """A folder that the camera driver watches.

    Args:
        path: The folder; it is there while the camera is plugged in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._count = 0

    @property
    def is_plugged(self) -> bool:
        """Return whether the camera is there."""
        return self.path.is_dir()

    def plug(self) -> None:
        """Attach it."""
        self.path.mkdir(exist_ok=True)

    def unplug(self) -> None:
        """Pull its cable; what it was shown is gone."""
        shutil.rmtree(self.path, ignore_errors=True)

    def show(self, symbology: str, data: bytes, look: Look | None = None) -> None:
        """Hold a code in front of it for a moment."""
        self._put(draw(symbology, data, look, seed=self._count))

    def show_picture(self, picture: Image.Image) -> None:
        """Show any picture."""
        self._put(picture)

    def show_garbage(self) -> None:
        """Deliver a frame that is no picture, as over a bad cable."""
        self._write(b"\x89PNG\r\n\x1a\n" + b"garbage")

    def _put(self, picture: Image.Image) -> None:
        staged = self.path / ".new.png"
        picture.save(staged, compress_level=1)
        self._rename(staged)

    def _write(self, data: bytes) -> None:
        staged = self.path / ".new.png"
        staged.write_bytes(data)
        self._rename(staged)

    def _rename(self, staged: Path) -> None:
        self._count += 1
        staged.rename(self.path / f"{self._count:06d}.png")
