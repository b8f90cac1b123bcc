"""The sales of the training mode: they exist nowhere else, so nothing real can be refunded by practising. Pure."""

from datetime import datetime, timedelta
from typing import Final

from pos_agent.domain.refund import Channel
from pos_agent.domain.sale import Sale, SaleLine

TRAINING_NUMBERS: Final = ("900001", "900002", "900003")
_ACQUIRER: Final = ("training", "演示机构")


def training_sale(number: str, *, now: datetime, operator_limit_minor: int) -> Sale | None:
    """Return the training sale with this number, or None: every real number is refused in the training mode.

    Args:
        number: ``900001`` plain, ``900002`` partly refunded, ``900003`` over the operator's limit.
        now: The sales were paid yesterday.
        operator_limit_minor: Of the shop's policy.
    """
    match number:
        case "900001":
            return _sale(number, Channel.WECHAT, 12_800, now=now)
        case "900002":
            return _sale(number, Channel.ALIPAY, 4_550, now=now, refunded_minor=1_000)
        case "900003":
            return _sale(number, Channel.UNIONPAY, operator_limit_minor + 12_800, now=now)
        case _:
            return None


def _sale(number: str, channel: Channel, paid_minor: int, *, now: datetime, refunded_minor: int = 0) -> Sale:
    acquirer_id, acquirer_name = _ACQUIRER
    return Sale(
        sale_id=f"training-{number}",
        order_no=number,
        channel=channel,
        acquirer_id=acquirer_id,
        acquirer_name=acquirer_name,
        paid_at=now - timedelta(days=1),
        paid_minor=paid_minor,
        refunded_minor=refunded_minor,
        reserved_minor=0,
        refundable_minor=paid_minor - refunded_minor,
        is_training=True,
        lines=(SaleLine(1, "演示商品", 1, paid_minor, refunded_minor),),
    )
