"""Sales to learn and test with: one for each case of payments.md 9d that needs its own sale. Pure: dates from `now`."""

from datetime import datetime, timedelta

from backoffice.sales import SaleRow
from pos_agent.domain.refund import Channel


def demo_sales(
    now: datetime, *, merchant_id: str = "M-DEMO", acquirer_id: str = "simulated", terminal_id: str = ""
) -> list[SaleRow]:
    """Return the demo sales.

    Numbers follow payments.md section 3: WeChat orders of 31 digits and transaction ids ``42…`` of 28, Alipay trade
    numbers ``20yyMMdd…`` of 28, card reference numbers of 12.

    Args:
        now: The sales are some time before it.
        merchant_id: Whose sales.
        acquirer_id: Through whom; the last sale is ``ruiyinxin``'s, which has ended.
        terminal_id: Till of the sales.
    """
    made = _Maker(now, merchant_id, acquirer_id, terminal_id)
    return [
        made.wechat(1, 12800, days=3, label="微信 全额退款 / WeChat, full refund"),
        made.alipay(2, 25600, days=2, label="支付宝 / Alipay"),
        made.sale(
            3,
            8800,
            Channel.UNIONPAY,
            order_no=made.long_order(3, 24),
            trade_no=f"{made.day(1)}{7:012d}"[:20],
            days=1,
            account_mask="**** 8123",
            label="银联二维码 / UnionPay QR",
        ),
        made.sale(
            4,
            19900,
            Channel.CARD,
            order_no=made.long_order(4, 20),
            trade_no=f"{410_000_000_004:012d}",
            days=1,
            account_mask="**** 8888",
            label="银行卡 / Card",
        ),
        made.wechat(5, 1000, days=1, label="10 元 部分退款 / 10 yuan, for partial refunds"),
        made.wechat(6, 30000, days=5, base_refunded_minor=10000, label="已部分退款 / partly refunded"),
        made.wechat(7, 6600, days=366, label="超过 365 天 / 366 days old"),
        made.wechat(8, 4500, days=1, hours=2, label="重复付款 第一笔 / paid twice, first"),
        made.wechat(9, 4500, days=1, hours=2, label="重复付款 第二笔 / paid twice, second"),
        made.sale(
            10,
            5200,
            Channel.ALIPAY,
            order_no=f"{made.day(2)[2:]}{12_345_678_901:011d}",
            trade_no=made.alipay_trade(10, 2),
            days=2,
            label="17 位单号像付款码 / 17-digit order no. like a payment code",
        ),
        made.wechat(11, 68800, days=4, label="大额 需再输金额 / large, amount typed again"),
        made.sale(
            12,
            9900,
            Channel.CARD,
            order_no=made.long_order(12, 20),
            trade_no=f"{410_000_000_012:012d}",
            days=200,
            acquirer="ruiyinxin",
            label="机构已终止 / institution has ended",
        ),
        made.wechat(13, 3300, days=0, label="今天的交易 / a sale of today"),
        made.wechat(14, 2500, days=1, base_refunded_minor=2500, label="已全部退款 / nothing left"),
        *[
            made.wechat(number, 100 * number, days=1 + number % 7, label=f"备用 / spare {number - 19}")
            for number in range(20, 60)
        ],
    ]


class _Maker:
    """Makes numbers and sales that look like the real ones."""

    def __init__(self, now: datetime, merchant_id: str, acquirer_id: str, terminal_id: str) -> None:
        self._now = now
        self._merchant_id = merchant_id
        self._acquirer_id = acquirer_id
        self._terminal_id = terminal_id

    def day(self, days: int) -> str:
        """Return yyyyMMdd of a day before now."""
        return (self._now - timedelta(days=days)).strftime("%Y%m%d")

    def long_order(self, number: int, length: int) -> str:
        """Return a merchant order number: source, date and time, counter; starts with 8, unlike any payment code."""
        head = f"8{self.day(1)}1832"
        return head + str(number).rjust(length - len(head), "0")

    def alipay_trade(self, number: int, days: int) -> str:
        """Return a trade number of 28 digits."""
        return f"{self.day(days)}22001{number:015d}"

    def wechat(
        self, number: int, paid_minor: int, *, days: int, hours: int = 0, label: str, base_refunded_minor: int = 0
    ) -> SaleRow:
        """Return a WeChat sale: order of 31 digits, transaction id of 28."""
        return self.sale(
            number,
            paid_minor,
            Channel.WECHAT,
            order_no=self.long_order(number, 31),
            trade_no=f"4200{number:06d}{self.day(days)}{number:010d}",
            days=days,
            hours=hours,
            label=label,
            base_refunded_minor=base_refunded_minor,
        )

    def alipay(self, number: int, paid_minor: int, *, days: int, label: str) -> SaleRow:
        """Return an Alipay sale."""
        order = self.long_order(number, 22)
        trade = self.alipay_trade(number, days)
        return self.sale(number, paid_minor, Channel.ALIPAY, order_no=order, trade_no=trade, days=days, label=label)

    def sale(
        self,
        number: int,
        paid_minor: int,
        channel: Channel,
        *,
        order_no: str,
        trade_no: str,
        days: int,
        label: str,
        hours: int = 1,
        account_mask: str = "",
        base_refunded_minor: int = 0,
        acquirer: str = "",
    ) -> SaleRow:
        """Return a sale."""
        return SaleRow(
            sale_id=f"demo-{number:03d}",
            merchant_id=self._merchant_id,
            order_no=order_no,
            channel_trade_no=trade_no,
            channel=channel,
            acquirer_id=acquirer or self._acquirer_id,
            paid_at=self._now - timedelta(days=days, hours=hours, minutes=number % 50),
            paid_minor=paid_minor,
            base_refunded_minor=base_refunded_minor,
            account_mask=account_mask,
            store="示范店 Demo store",
            terminal_id=self._terminal_id,
            label=label,
        )
