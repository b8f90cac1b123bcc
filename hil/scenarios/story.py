"""What scripts share: steps that print, and the main way from a code to a request."""

import io
import time
from collections.abc import Callable
from typing import Any

from hil.bench.client import BenchClient


class Story:
    """A script's view of the bench.

    Args:
        client: The bench.
        began: Monotonic time at which the script began.
    """

    def __init__(self, client: BenchClient, *, began: float) -> None:
        self.client = client
        self._began = began

    def step(self, text: str) -> None:
        """Say what comes now."""
        print(f"  {time.monotonic() - self._began:5.1f} s  {text}", flush=True)

    def sale(self, **wanted: Any) -> dict[str, Any]:
        """Return the first demo sale whose fields are as wanted.

        Raises:
            AssertionError: There is none.
        """
        for sale in self.client.sales():
            if all(sale.get(name) == value for name, value in wanted.items()):
                return sale
        raise AssertionError(f"no demo sale with {wanted}")

    def submit_full(self, code: str, *, reason_key: str = "1") -> str:
        """Scan a code at MENU and submit a full refund; ends at RESULT. Returns the request's number."""
        client = self.client
        self.step(f"scan …{code[-6:]}")
        client.scan(code)
        client.wait_state("SALE")
        self.step("确认: refund all")
        client.enter()
        client.wait_state("REASON")
        self.step(f"reason {reason_key}")
        client.keys(reason_key)
        client.wait_state("CONFIRM")
        self.step("确认: submit")
        client.enter()
        state = client.wait_state("RESULT")
        request_id: str = state["daemon"]["last_request_id"]
        self.step(f"request {request_id}")
        return request_id

    def decoded_request_ids(self, slip: dict[str, Any]) -> list[str]:
        """Return what an independent decoder (zxing-cpp) reads from a slip's picture."""
        return decode_png(self.client.slip_png(slip["id"]))


def decode_png(png: bytes) -> list[str]:
    """Return all codes in a picture, read by zxing-cpp, which shares no code with the bench's own drawing."""
    import zxingcpp  # noqa: PLC0415 - only scripts that look at paper need these two
    from PIL import Image  # noqa: PLC0415

    with Image.open(io.BytesIO(png)) as picture:
        return [found.text for found in zxingcpp.read_barcodes(picture.convert("L"))]


Scenario = Callable[[Story], None]
