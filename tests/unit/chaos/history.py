"""A small kept run in which every promise holds, to be broken by tests."""

from datetime import UTC, datetime
from typing import Any

ID = "9813442314315185139342"
GROUPED = "9813 4423 1431 5185 1393 42"
TILL = "t-chaos-01"
Event = dict[str, Any]


def result_screen(head: str, money: str, amount: str = "￥132.78") -> list[str]:
    return [
        head,
        "-" * 40,
        "",
        f"  {amount}   {money}",
        f"  申请号  {GROUPED}",
        "",
        "  小票    已送打印机 2 张",
        "  上传    等待上传",
        "",
        "  请把顾客联交给顾客",
        "-" * 40,
        "确认=完成   扫码=下一位   3=重打印",
    ]


def slip(title: str, *, copy_of: str = "", mark: str = "") -> list[str]:
    return [
        *([mark] if mark else []),
        "退款申请单" if copy_of else "退款成功",
        title,
        *([f"存根 {copy_of} COPY"] if copy_of else []),
        "终端编号 TERMINAL NO.                 t-chaos-01",
        "退款金额 AMOUNT",
        "RMB 132.78",
        "申请号 REQUEST NO.",
        GROUPED,
        "消费者投诉 Complaints 12315",
    ]


def sane_history() -> list[Event]:
    """Return one refund from CONFIRM to the result slip, with one kill."""
    row = {"refund_request_id": ID, "hold": None, "amount_minor": 13278, "sale_id": "s1", "terminal_id": TILL}
    asked = {"request_id": ID, "decision": "approve", "version": 1, "user": "finance", "is_stale": False}
    events: list[tuple[float, str, Event]] = [
        (0.0, "sale", {"sale_id": "s1", "order_no": "8", "paid_minor": 13278, "base_refunded_minor": 0}),
        (1.0, "screen", {"till": TILL, "lines": result_screen("已保存 等待上传", "结果待确认")}),
        (1.1, "slip", {"till": TILL, "lines": slip("REFUND REQUEST", copy_of="MERCHANT"), "cut": "partial"}),
        (1.2, "slip", {"till": TILL, "lines": slip("REFUND REQUEST", copy_of="CUSTOMER"), "cut": "partial"}),
        (1.5, "screen", {"till": TILL, "lines": result_screen("已提交 等待审核", "钱还没退")}),
        (1.6, "wire", {"type": "ack", "till": TILL, "refund_request_id": ID, "status": "stored"}),
        (1.7, "read", {"began": 1.65}),
        (1.71, "row", {**row, "state": "reviewing", "money_moved": "no"}),
        (2.0, "asked", asked),
        (2.1, "decision", {**asked, "status": 200}),
        (3.0, "kill", {"what": TILL}),
        (3.1, "screen", {"till": TILL, "lines": ["", ""]}),
        (4.0, "row", {**row, "state": "succeeded", "money_moved": "yes"}),
        (4.4, "wire", {"type": "state.ack", "till": TILL, "refund_request_id": ID, "epoch": 1, "seq": 4}),
        (4.5, "slip", {"till": TILL, "lines": slip("REFUNDED"), "cut": "partial"}),
        (8.0, "settled", {}),
        (8.5, "screen", {"till": TILL, "lines": result_screen("申请  退款成功", "钱已退")}),
        (9.0, "final_row", {"refund_request_id": ID, "state": "succeeded", "is_trail_whole": True}),
        (9.5, "end", {}),
    ]
    return [{"t": at, "kind": kind, **values} for at, kind, values in events]


def sane_ledger() -> list[Event]:
    return [moved()]


def moved(refund_no: str = f"R{ID}", at: float = 2.5, amount_minor: int = 13278) -> Event:
    return {
        "refund_no": refund_no,
        "sale_ref": "42",
        "amount_minor": amount_minor,
        "paid_minor": 13278,
        "currency": "CNY",
        "status": "succeeded",
        "at": datetime.fromtimestamp(at, UTC).isoformat(),
    }
