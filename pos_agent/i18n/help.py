"""Help per screen, two lines: what now, what else (zh-CN, en), at most 20 cells a line. Pure data."""

from typing import Final

#: View → (step, now, else), each (zh-CN, en).
HELP: Final[dict[str, tuple[tuple[str, str], tuple[str, str], tuple[str, str]]]] = {
    "menu": (("菜单", "menu"), ("扫账单条码开始退款", "Scan bill to refund"), ("2查询 3重打印", "2=find 3=copy")),
    "scan": (
        ("扫码", "scan"),
        ("请顾客打开账单扫码", "Scan customer's bill"),
        ("扫不上就输单号", "or type the number"),
    ),
    "pay_code": (
        ("付款码", "pay code"),
        ("让顾客打开账单页", "Open the bill page"),
        ("付款码不能退款", "Pay codes only pay"),
    ),
    "collect_code": (
        ("收款码", "collect"),
        ("让顾客打开账单页", "Open the bill page"),
        ("收款码不能退款", "It receives money"),
    ),
    "bad_code": (
        ("读错", "misread"),
        ("调亮屏幕,擦扫描窗", "Brighten, wipe glass"),
        ("按2输单号", "2=type the number"),
    ),
    "goods": (("商品码", "goods"), ("扫账单,不是商品", "Scan the bill"), ("按2输单号", "2=type the number")),
    "ambiguous": (("像付款码", "pay code?"), ("账单里的号按1", "From a bill: 1"), ("不确定按2", "Not sure: 2")),
    "not_found": (
        ("查不到", "not found"),
        ("核对单号和日期", "Check number, date"),
        ("可能是别家的单", "Maybe another shop"),
    ),
    "refused": (("不能退", "refused"), ("看第一行的原因", "Line 1 says why"), ("有疑问找店长", "Ask the manager")),
    "no_lookup": (
        ("没应答", "no answer"),
        ("先按1再试一次", "Press 1 to retry"),
        ("2先记下,后台核实", "2=note, verify later"),
    ),
    "sale": (("核对", "check"), ("核对金额和日期", "Check sum and date"), ("2只退一部分", "2=refund a part")),
    "items": (("明细", "items"), ("看商品和数量", "See the items"), ("清除回到核对", "CLR=back")),
    "paid": (("实付", "paid"), ("输账单上的实付", "Type what was paid"), ("点=小数点", "DOT=decimal point")),
    "amount": (("金额", "amount"), ("输要退的元数", "Type yuan to refund"), ("点=小数点", "DOT=decimal point")),
    "reason": (("原因", "reason"), ("按数字选原因", "Press a digit"), ("0再输两位代码", "0=two-digit code")),
    "other_reason": (("代码", "code"), ("输两位原因代码", "Type two digits"), ("下页看更多", "NXT=more codes")),
    "note": (("说明", "sentence"), ("按数字选一句话", "Press a digit"), ("后台可再补充", "Office can add more")),
    "confirm": (
        ("提交", "submit"),
        ("先告诉顾客再确认", "Tell customer, OK"),
        ("提交后可查询撤回", "Withdraw: MENU 2"),
    ),
    "approval": (
        ("QR授权", "by QR"),
        ("小票码发给主管", "Send on the slip QR"),
        ("再扫主管发回的码", "Scan the answer"),
    ),
    "not_saved": (("没保存", "not saved"), ("确认键再试一次", "OK tries again"), ("不行就报修", "else call service")),
    "find": (("查询", "find"), ("扫小票或输末6位", "Scan, or 6 digits"), ("确认看最近一笔", "OK=newest")),
    "no_lookup_hash": (
        ("没应答", "no answer"),
        ("按1再试一次", "Press 1 to retry"),
        ("稍后再来", "or come back later"),
    ),
}
