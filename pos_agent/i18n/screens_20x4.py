"""Screens of 20 columns × 4 rows, zh-CN and en, as data (screens.md section 4). Pure.

A line may hold a tab (what follows is set right), `{rows}` (as many list lines as there is room) and alternatives
separated by `~~`: the first that fits is shown. Values in braces come from `pos_agent.workflow.views`.
"""

from typing import Final

SCREENS_20X4: Final[dict[str, tuple[str, str]]] = {
    "stopped": (
        "退款程序已停止\n已保存的不会丢\nRefund till stopped\nSaved requests kept",
        "Refund till stopped\nSaved requests kept\n退款程序已停止\n已保存的不会丢",
    ),
    "safe": (
        "暂停退款 {code}\n{sentence}\n请联系技术人员\n{link}\t{time}",
        "NO REFUND {code}\n{sentence}\nCall a technician\n{link}\t{time}",
    ),
    "no_operators": (
        "还没有操作员\n请技术人员运行:\npos-agent operator\n  add --help",
        "No operators yet\nTechnician, run:\npos-agent operator\n  add --help",
    ),
    "login": (
        "操作员登录\n操作员号: {no}\n密码: {pin}\n{ok}=登录 {clr}=改",
        "Operator sign-in\nOperator: {no}\nPIN: {pin}\n{ok}=sign in {clr}=fix",
    ),
    "resume": (
        "上次退款没有提交\n{amount} 尾{tail}\n停在: {step}\n{ok}=继续 {esc}=作废",
        "Refund not submitted\n{amount_short} ..{tail}\nStopped at: {step}\n{ok}=resume {esc}=drop",
    ),
    "menu": (
        "扫账单条码=开始退款\n1退款 2查询 3重打印\n{notice}\n{link} 待传{queued}\t{time}",
        "Scan bill = refund\n1Refund 2Find 3Copy\n{notice}\n{link} Q{queued}\t{time}",
    ),
    "scan": (
        "退款 1/4 请扫条码\n顾客账单或本店小票\n或输单号: {typed}~~单号:{typed}~~{typed_end}\n{esc}=菜单 {fn}=帮助",
        "Refund 1/4: scan\nbill or own slip\nor type no.: {typed}~~no:{typed}~~{typed_end}\n{esc}=menu {fn}=help",
    ),
    "no_scanner": (
        "扫描枪未连接 E-DEV1\n请插好线 可键入单号\n单号: {typed}~~{typed_end}\n{esc}=菜单 {fn}=帮助",
        "No scanner  E-DEV1\nCheck cable or type\nno.: {typed}~~{typed_end}\n{esc}=menu {fn}=help",
    ),
    "pay_code": (
        "这是付款码,不能退款\n请顾客打开账单\n再扫账单里的条码\n未保存 可直接再扫",
        "This is a PAY code\nAsk customer to open\nthe bill, scan that\nNothing kept. Rescan",
    ),
    "collect_code": (
        "这是收款码,不能退款\n请顾客打开账单\n再扫账单里的条码\n未保存 可直接再扫",
        "A collect code: no\nAsk customer to open\nthe bill, scan that\nNothing kept. Rescan",
    ),
    "bad_code": (
        "条码读错,请重扫\n调亮屏幕 擦扫描窗\n或按2输单号\n{esc}=菜单 {fn}=帮助",
        "Misread, scan again\nBrighten the phone\nor 2=type number\n{esc}=menu {fn}=help",
    ),
    "goods": (
        "这是商品条码\n请扫账单里的条码\n或按2输单号\n{esc}=菜单 {fn}=帮助",
        "This is a goods code\nScan the bill's code\nor 2=type number\n{esc}=menu {fn}=help",
    ),
    "ambiguous": (
        "像付款码!({length}位)\n1订单号 2取消\n不确定按2\n{esc}=菜单 {fn}=帮助",
        "PAY code? {length} digits\n1=order no. 2=cancel\nNot sure? Press 2\n{esc}=menu {fn}=help",
    ),
    "lookup": (
        "正在查询原交易..\n单号尾号 {tail}\n{bar} {seconds}秒\n{esc}=停止",
        "Looking up sale..\nno. ends {tail}\n{bar} {seconds} s\n{esc}=stop",
    ),
    "not_found": (
        "查不到原交易\n没有提交 钱没动\n1重扫 2输单号\n{esc}=菜单 {fn}=帮助",
        "Sale not found\nNothing sent or paid\n1=rescan 2=type no.\n{esc}=menu {fn}=help",
    ),
    "refused": (
        "{sentence}\n没有提交 钱没动\n1重扫\n{esc}=菜单 {fn}=帮助",
        "{sentence}\nNothing sent or paid\n1=rescan\n{esc}=menu {fn}=help",
    ),
    "no_lookup": (
        "后台没有应答 E-NET\n没有提交 钱没动\n{choices}\n{esc}=菜单 {fn}=帮助",
        "No answer  E-NET\nNothing sent or paid\n{choices}\n{esc}=menu {fn}=help",
    ),
    "sale": (
        "{channel} {paid_at}\n实付{paid}\n{left_line}\n{ok}=全退 2部分",
        "{channel} {paid_at}\nPaid\t{paid}\n{left_line}\n{ok}=all 2=part",
    ),
    "items": (
        "商品明细 {page}\n{rows}\n{nxt}=更多 {clr}=返回",
        "Items {page}\n{rows}\n{nxt}=more {clr}=back",
    ),
    "paid": (
        "待核实: 实付多少?\n金额: {typed}\n{echo}\n{ok}=下一步 {clr}=改",
        "To verify: paid?\nAmount: {typed}\n{echo}\n{ok}=next {clr}=fix",
    ),
    "amount": (
        "退多少? 可退{left}~~可退{left}\n金额: {typed}\n{echo}\n{ok}=下一步 {clr}=改",
        "How much? max {left_short}~~max {left_short}\nAmount: {typed}\n{echo}\n{ok}=next {clr}=fix",
    ),
    "reason": (
        "退款原因 按数字\n{rows}\n{nxt}=更多 {clr}=返回",
        "Reason: press digit\n{rows}\n{nxt}=more {clr}=back",
    ),
    "other_reason": (
        "两位代码: {typed}\n{rows}\n{nxt}=更多 {clr}=返回",
        "Two digits: {typed}\n{rows}\n{nxt}=more {clr}=back",
    ),
    "note": (
        "请选说明 按数字\n{rows}\n{nxt}=更多 {clr}=返回",
        "Why? press a digit\n{rows}\n{nxt}=more {clr}=back",
    ),
    "confirm": (
        "确认退款{amount} ?~~确认退款{amount}~~退款{amount}\n"
        "{channel}原路退回 {kind}\n"
        "尾{tail} {reason}\n"
        "{ok}=提交 {clr}=返回",
        "REFUND {amount} ?~~REFUND {amount}~~{amount} ?\n"
        "to {channel}, {kind}\n"
        "..{tail} {reason}\n"
        "{ok}=submit {clr}=back",
    ),
    "confirm_retype": (
        "确认退款{amount} ?~~确认退款{amount}~~退款{amount}\n"
        "{channel}原路退回 {kind}\n"
        "再输金额:{typed}\n"
        "{ok}=提交 {clr}=改",
        "REFUND {amount} ?~~REFUND {amount}~~{amount} ?\n"
        "to {channel}, {kind}\n"
        "Type again:{typed}\n"
        "{ok}=submit {clr}=fix",
    ),
    "supervisor": (
        "{why},请主管授权~~{why}\n{amount} 限{limit}~~{amount}\n主管:{no} 密码:{pin}\n{ok}=授权 {nxt}=QR码",
        "Supervisor needed\n{amount_short} limit {limit_short}~~{amount}\nNo:{no} PIN:{pin}\n{ok}=allow {nxt}=QR",
    ),
    "approval": (
        "QR码授权 {amount}~~QR {amount}\n{slip}\n再扫主管发回的码\n{ok}=重打 {clr}=密码",
        "QR for {amount_short}\n{slip}\nthen scan the answer\n{ok}=print {clr}=PIN",
    ),
    "saving": (
        "正在保存..\n{amount}\n请稍候\n",
        "Saving..\n{amount}\nPlease wait\n",
    ),
    "not_saved": (
        "没有保存 {code}\n{amount} 钱没动~~{amount}\n{sentence}\n{ok}=再试 {esc}=放弃",
        "NOT SAVED {code}\n{amount_short} not paid\n{sentence}\n{ok}=retry {esc}=drop",
    ),
    "result": (
        "{head}\n{amount} {money}~~{amount}{money}\n{detail}\n{ok}=完成 或扫下一单",
        "{head}\n{amount_short} {money}\n{detail}\n{ok}=done or scan next",
    ),
    "unknown": (
        "结果待确认,勿重退\n{amount} 可能已退~~{amount}\n系统正在自动查询\n{ok}=知道了",
        "RESULT NOT KNOWN\n{amount_short} MAY BE PAID\nChecking. Don't redo\n{ok}=understood",
    ),
    "find": (
        "查询申请 扫本店小票\n或输尾号6位: {typed}~~尾号: {typed}~~{typed_end}\n{ok}=最近一笔\n{esc}=菜单 {clr}=改",
        "Find: scan own slip\nor last 6: {typed}~~{typed_end}\n{ok}=newest\n{esc}=menu {clr}=fix",
    ),
    "status": (
        "{when} {amount}~~{when_short} {amount}\n{state} {money}~~{money}\n{detail}\n{actions}",
        "{when} {amount}~~{when_short} {amount}\n{state}, {money}~~{money}\n{detail}\n{actions}",
    ),
    "status_none": (
        "本机没有这笔申请\n\n\n{ok}=返回",
        "No such request here\n\n\n{ok}=back",
    ),
    "status_none_training": (
        "演示无此申请\n要查真实的申请:\n{fn}0=退出演示\n{ok}=返回",
        "Not in training\nFor real requests:\n{fn} 0=end training\n{ok}=back",
    ),
    "withdraw": (
        "撤回这笔申请?\n{amount} 尾{request_tail}~~{amount}\n{state}\n{ok}=撤回 {clr}=返回",
        "Withdraw request?\n{amount_short} ..{request_tail}\n{state}\n{ok}=withdraw {clr}=back",
    ),
    "answer": (
        "需补充:{question}\n{rows}\n0输数字 {clr}=返回",
        "Asked:{question}\n{rows}\n0=digits {clr}=back",
    ),
    "answer_digits": (
        "需补充:{question}\n数字: {typed}~~{typed_end}\n\n{ok}=发送 {clr}=改",
        "Asked:{question}\nDigits: {typed}~~{typed_end}\n\n{ok}=send {clr}=fix",
    ),
    "abandon": (
        "放弃本次退款?\n还没有提交任何申请\n\n{ok}=放弃 {clr}=继续",
        "Drop this refund?\nNothing was sent\n\n{ok}=drop {clr}=go on",
    ),
    "function": (
        "1帮助 2最近 3重打印\n4语言 5待传 6政策\n7锁屏 8交班 9维护\n0{training} {clr}=返回",
        "1Help 2Last 3Copy\n4Lang 5Queue 6Policy\n7Lock 8Shift 9Tech\n0{training} {clr}=back",
    ),
    "help": (
        "帮助: {step}\n{now}\n{else}\n{clr}=返回",
        "Help: {step}\n{now}\n{else}\n{clr}=back",
    ),
    "queue": (
        "待上传{queued} 被拒{held}\n{rows}\n{nxt}=更多 {clr}=返回",
        "To send {queued} held {held}\n{rows}\n{nxt}=more {clr}=back",
    ),
    "policy": (
        "退款政策 {page}\n{rows}\n{nxt}=更多 3=打印",
        "Refund policy {page}\n{rows}\n{nxt}=more 3=print",
    ),
    "shift": (
        "现在交班结账?\n{operator}号操作员\n打印交班小票\n{ok}=交班 {clr}=返回",
        "Close the shift now?\nOperator {operator}\nPrints its report\n{ok}=close {clr}=back",
    ),
    "service": (
        "维护 {page}\n{rows}\n{nxt}=更多 {clr}=返回",
        "Service {page}\n{rows}\n{nxt}=more {clr}=back",
    ),
}
