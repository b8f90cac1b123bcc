"""What python-escpos knows of a model: a first guess for commissioning, and a second opinion on its test sheet.

Its capability profiles are escpos-printer-db; its `Dummy` makes bytes and sends nothing. Imported lazily,
by the command that commissions and never by the daemon: 300 ms and 20 MB (devices.md section 1, ADR 0027).
"""

import importlib.util
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any, Final

import msgspec

from drivers.escpos.overlay import OverlayFacts
from drivers.escpos.profile import CutMode

_LOG = logging.getLogger(__name__)
#: Words of the database's names that no printer says of itself.
_NOISE: Final = re.compile(r"\bseries\b|[^a-z0-9+]", re.IGNORECASE)
_SAMPLE_DIGITS: Final = "9812345670"


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the database and what it says; to be judged on paper, not believed."""

    model: str
    facts: OverlayFacts


def is_installed() -> bool:
    """Return whether the extra ``escpos`` is there; imports nothing."""
    return importlib.util.find_spec("escpos") is not None


def propose(said: Sequence[str]) -> Proposal | None:
    """Return the model whose name the printer gave, None if the database or the package has none.

    Args:
        said: What the printer answers to ``GS I``, and what its USB descriptor says.
    """
    if not is_installed():
        return None
    with _imported():
        from escpos.capabilities import CAPABILITIES  # noqa: PLC0415 - see above

        models: Mapping[str, Any] = CAPABILITIES["profiles"]
    names = {_plain(text) for text in said} - {""}
    # The whole name: TM-T20II is no TM-T20III.
    found = [key for key, model in models.items() if {_plain(key), _plain(model["name"])} & names]
    return Proposal(model=found[0], facts=_facts(models[found[0]])) if found else None


def _plain(name: str) -> str:
    return _NOISE.sub("", name).lower()


def _facts(model: Mapping[str, Any]) -> OverlayFacts:
    features: Mapping[str, bool] = model["features"]
    pixels = model["media"]["width"].get("pixels")
    return OverlayFacts(
        width_dots=pixels if isinstance(pixels, int) and pixels % 8 == 0 else None,
        has_code128=features.get("barcodeB", False),
        has_qr=features.get("qrCode", False),
        has_raster=features.get("bitImageRaster", False),
        cut=None if features.get("paperPartCut") or features.get("paperFullCut") else CutMode.NONE.value,
    )


def second_opinion(model: str) -> bytes:
    """Return a bar code and a picture as python-escpos makes them for a model of its database.

    Where ours is blank and theirs is not, the profile is wrong, not the printer.

    Raises:
        ImportError: The extra ``escpos`` is not installed.
    """
    with _imported():
        from escpos.printer import Dummy  # noqa: PLC0415 - see above

        dummy = Dummy(profile=model)
        dummy.textln(f"python-escpos {model}")
        dummy.barcode(
            "{C" + "".join(_pairs()), "CODE128", height=64, width=2, pos="OFF", function_type="B", check=False
        )
        dummy.image(_picture(), impl=_image_command(dummy), fragment_height=96)
        dummy.ln()
        made: bytes = dummy.output
        return made


def _pairs() -> Iterator[str]:
    """Yield Code 128 set C: a character of value 0 … 99 for each two digits."""
    return (chr(int(_SAMPLE_DIGITS[at : at + 2])) for at in range(0, len(_SAMPLE_DIGITS), 2))


def _image_command(dummy: Any) -> str:
    return "bitImageRaster" if dummy.profile.supports("bitImageRaster") else "bitImageColumn"


def _picture() -> Any:
    """Return a triangle: a mirrored, turned or torn picture is seen at once."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - the extra brings it

    picture = Image.new("1", (192, 96), 1)
    ImageDraw.Draw(picture).polygon([(0, 95), (0, 0), (191, 95)], fill=0)
    return picture


@contextmanager
def _imported() -> Iterator[None]:
    """Keep python-escpos from leaving traces: a folder at each import, the root logger configured, words on stdout."""
    root = logging.getLogger()
    handlers, level, folder = list(root.handlers), root.level, tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="pos-agent-escpos-") as own:
        tempfile.tempdir = own
        try:
            with redirect_stdout(StringIO()):
                yield
        finally:
            tempfile.tempdir = folder
            root.handlers[:] = handlers
            root.setLevel(level)
