"""The sales of a run: numbers and amounts that tell them apart, and some that two tills want at once."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from hil.rig.operator import MERCHANT_ID

SALE_COUNT, HOT_COUNT = 1500, 300


def make_sales(random_: random.Random, now: datetime) -> list[dict[str, Any]]:
    """Return sales as `pos-backoffice sales import` takes them.

    The first `HOT_COUNT` are for both tills at once. Half of each was refunded outside of this system, which the
    acquirer does not know: only the back office's own sum stands between two tills and the whole of it (I2).
    """
    day = (now - timedelta(days=1)).strftime("%Y%m%d")
    return [_sale(number, random_, now, day) for number in range(SALE_COUNT)]


def _sale(number: int, random_: random.Random, now: datetime, day: str) -> dict[str, Any]:
    is_hot = number < HOT_COUNT
    paid_minor = 2 * random_.randint(500, 9_000)
    return {
        "sale_id": f"chaos-{number:05d}",
        "merchant_id": MERCHANT_ID,
        "order_no": f"8{day}1832" + f"{number:018d}",
        "channel": "wechat",
        "acquirer_id": "simulated",
        "paid_at": (now - timedelta(days=1)).astimezone(UTC).isoformat(),
        "paid_minor": paid_minor,
        "channel_trade_no": f"4200{number:06d}{day}{number:010d}",
        "base_refunded_minor": paid_minor // 2 if is_hot else 0,
        "terminal_id": "",
    }


def write_sales(path: Path, sales: list[dict[str, Any]]) -> None:
    """Write the file to import."""
    path.write_bytes(msgspec.json.encode(sales))
