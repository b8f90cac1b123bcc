"""Row 13: decoder ms per frame and read rate, pyzbar against zxing-cpp, on drawn frames (issue 4, D26)."""

import time
from collections.abc import Iterator

import msgspec
from PIL import Image

from drivers.camera.decoders import Decoder, NoDecoderError, make_decoder
from drivers.camera.frames import GreyFrame
from hil.simulators.camera import Look, draw
from tests.bench.measure import Measured, median

_KINDS = ("qr", "code128", "ean13")
_CODES = {"qr": "退款 4200002089202611201078907890".encode(), "code128": b"201078907890", "ean13": b"6901234567892"}
#: Bars of this width fit the picture, turned or not.
_MODULE_DOTS = {"qr": 3, "code128": 2, "ean13": 3}
#: As devices.md section 7 has them, less the extremes.
_LOOKS = (
    Look(),
    Look(angle_deg=10),
    Look(angle_deg=20),
    Look(angle_deg=90),
    Look(blur_dots=1.0),
    Look(noise_sigma=10),
    Look(noise_sigma=20),
    Look(contrast=0.5, noise_sigma=8),
)
#: Two of the ten frames a second on one core of a Pi, which is 3 to 5 times slower.
_BUDGET_S = 0.020


def row(runs: int) -> Measured:
    """Return the row; a decoder that is not installed is said and left out.

    Args:
        runs: Frames of each code in each look.
    """
    frames = list(_frames(runs))
    figures, times = [], {}
    for name in ("zxing", "pyzbar"):
        try:
            decoder = make_decoder(name, _KINDS)
        except NoDecoderError as error:
            figures.append(f"{name} missing ({error})")
            continue
        times[name], read, wrong = _measure(decoder, frames)
        figures.append(f"{decoder.name} {median(times[name]) * 1e3:.1f} ms {read / len(frames):.0%}, {wrong} wrong")
        decoder.close()
    ratio = median(times["zxing"]) / median(times["pyzbar"]) if len(times) == 2 else None
    best_s = min((median(one) for one in times.values()), default=0.0)
    return Measured(
        number=13,
        what="a frame of 640x480 decoded, read rate",
        figure="; ".join(figures),
        floor=f"zxing-cpp / pyzbar, {len(frames)} frames",
        ratio=ratio,
        budget="<= 20 ms",
        is_within=best_s <= _BUDGET_S,
    )


def _frames(runs: int) -> Iterator[tuple[bytes, GreyFrame]]:
    for symbology, data in _CODES.items():
        for look in _LOOKS:
            for seed in range(runs if look.noise_sigma else 1):
                picture: Image.Image = draw(
                    symbology, data, msgspec.structs.replace(look, module_dots=_MODULE_DOTS[symbology]), seed=seed
                )
                yield data, GreyFrame(picture.width, picture.height, picture.tobytes())


def _measure(decoder: Decoder, frames: list[tuple[bytes, GreyFrame]]) -> tuple[list[float], int, int]:
    """Return the seconds of each frame, how many were read right, and how many wrong codes were seen."""
    times, read, wrong = [], 0, 0
    for data, frame in frames:
        started = time.perf_counter()
        found = decoder.decode(frame)
        times.append(time.perf_counter() - started)
        read += any(symbol.data == data for symbol in found)
        wrong += sum(symbol.data != data for symbol in found)
    return times, read, wrong
