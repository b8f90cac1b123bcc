"""Screens of 40 columns × 12 rows, zh-CN and en, as data (screens.md section 5). Pure.

The marks of `screens_20x4` hold here too; `---` is a rule across the screen.
"""

from typing import Final

SCREENS_40X12: Final[dict[str, tuple[str, str]]] = {
    "stopped": (
        "退款终端  已停止  STOPPED\n---\n\n  退款程序已停止,现在按键没有用\n  已保存的申请不会丢,重新启动后自动上传\n\n"
        "  The refund till has stopped\n  Saved requests are kept and sent\n  after the next start\n\n---\n"
        "重新开机或联系技术人员 / call service",
        "Refund till  STOPPED  已停止\n---\n\n  The refund till has stopped\n  Saved requests are kept and sent\n"
        "  after the next start\n\n  退款程序已停止,现在按键没有用\n  已保存的申请不会丢,重新启动后自动上传\n\n---\n"
        "Start again or call service / 重新开机",
    ),
    "safe": (
        "本机暂停退款   {code}\t{time}\n"
        "---\n"
        "\n"
        "  {sentence}\n"
        "\n"
        "  不能退款;已保存的申请会继续上传\n"
        "\n"
        "  请联系技术人员  {phone}\n"
        "  终端 {terminal}\n"
        "\n"
        "---\n"
        "{link}",
        "REFUNDS ARE OFF   {code}\t{time}\n"
        "---\n"
        "\n"
        "  {sentence}\n"
        "\n"
        "  No refunds; saved requests are still sent\n"
        "\n"
        "  Call a technician  {phone}\n"
        "  Terminal {terminal}\n"
        "\n"
        "---\n"
        "{link}",
    ),
    "no_operators": (
        "退款终端\t{link}  {time}\n"
        "---\n"
        "\n"
        "  还没有操作员,不能登录\n"
        "\n"
        "  请技术人员在本机运行:\n"
        "\n"
        "    pos-agent operator add --help\n"
        "\n"
        "  添加后按任意键\n"
        "---\n"
        "终端 {terminal}",
        "Refund till\t{link}  {time}\n"
        "---\n"
        "\n"
        "  There are no operators yet\n"
        "\n"
        "  A technician runs on this till:\n"
        "\n"
        "    pos-agent operator add --help\n"
        "\n"
        "  then press any key\n"
        "---\n"
        "Terminal {terminal}",
    ),
    "login": (
        "退款终端  操作员登录\t{link}  {time}\n"
        "---\n"
        "\n"
        "\n"
        "  操作员号:  {no}\n"
        "\n"
        "  密码:      {pin}\n"
        "\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=登录   {clr}=改   {fn}=English",
        "Refund till  sign-in\t{link}  {time}\n"
        "---\n"
        "\n"
        "\n"
        "  Operator:  {no}\n"
        "\n"
        "  PIN:       {pin}\n"
        "\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=sign in   {clr}=fix   {fn}=中文",
    ),
    "resume": (
        "上次退款没有提交\n"
        "---\n"
        "\n"
        "  金额  {amount}\n"
        "  订单  尾号 {tail}\n"
        "\n"
        "  停在  {step}\n"
        "\n"
        "  还没有提交任何申请\n"
        "\n"
        "---\n"
        "{ok}=继续这笔退款   {esc}=作废",
        "The last refund was not submitted\n"
        "---\n"
        "\n"
        "  Amount  {amount}\n"
        "  Order   ends {tail}\n"
        "\n"
        "  Stopped at  {step}\n"
        "\n"
        "  Nothing was sent\n"
        "\n"
        "---\n"
        "{ok}=go on with it   {esc}=drop it",
    ),
    "menu": (
        "退款终端 {operator}号操作员\t{link}  {time}\n"
        "---\n"
        "\n"
        "  请扫顾客账单条码,直接开始退款\n"
        "\n"
        "  1  退款        2  查询申请\n"
        "  3  重打印      4  待上传 {queued}\n"
        "\n"
        "{last}\n"
        "{notice}\n"
        "---\n"
        "{fn}=帮助/语言/政策/锁屏",
        "Refund till   operator {operator}\t{link}  {time}\n"
        "---\n"
        "\n"
        "  Scan the customer's bill to refund\n"
        "\n"
        "  1  Refund        2  Find a request\n"
        "  3  Print a copy  4  Waiting to send {queued}\n"
        "\n"
        "{last}\n"
        "{notice}\n"
        "---\n"
        "{fn}=help, language, policy, lock",
    ),
    "scan": (
        "退款  1 扫码 > 2 核对 > 3 原因 > 4 提交\n"
        "---\n"
        "\n"
        "  请扫:\n"
        "   - 微信/支付宝账单里的商户单号条码\n"
        "   - 或本店小票上的条码\n"
        "\n"
        "  不要扫付款码\n"
        "  也可以用键盘输入单号: {typed}~~  单号: {typed}\n"
        "\n"
        "---\n"
        "{esc}=回菜单   {fn}=帮助",
        "Refund 1 scan > 2 check > 3 why > 4 send\n"
        "---\n"
        "\n"
        "  Scan:\n"
        "   - the order barcode in the customer's\n"
        "     WeChat or Alipay bill\n"
        "   - or the barcode on our own slip\n"
        "\n"
        "  Not the payment code.\n"
        "  Or type the number: {typed}~~  No.: {typed}\n"
        "---\n"
        "{esc}=menu   {fn}=help",
    ),
    "no_scanner": (
        "扫描枪未连接   E-DEV1\n"
        "---\n"
        "\n"
        "  请检查扫描枪的连接线\n"
        "  插好后自动恢复,不用重启\n"
        "\n"
        "\n"
        "  也可以用键盘输入单号: {typed}~~  单号: {typed}\n"
        "\n"
        "\n"
        "---\n"
        "{esc}=回菜单   {fn}=帮助",
        "No scanner   E-DEV1\n"
        "---\n"
        "\n"
        "  Check the scanner's cable\n"
        "  It comes back by itself\n"
        "\n"
        "\n"
        "  Or type the number: {typed}~~  No.: {typed}\n"
        "\n"
        "\n"
        "---\n"
        "{esc}=menu   {fn}=help",
    ),
    "pay_code": (
        "这是付款码,不能退款\n"
        "---\n"
        "\n"
        "  付款码只能用来付款\n"
        "\n"
        "  请顾客打开  微信/支付宝 - 账单\n"
        "  再扫账单里的条码\n"
        "\n"
        "  付款码没有保存 可直接再扫\n"
        "\n"
        "---\n"
        "{esc}=回菜单   {fn}=帮助",
        "This is a PAY code: no refund with it\n"
        "---\n"
        "\n"
        "  A payment code only pays\n"
        "\n"
        "  Ask the customer to open the bill in\n"
        "  WeChat or Alipay, and scan that barcode\n"
        "\n"
        "  Nothing was kept. Just scan again\n"
        "\n"
        "---\n"
        "{esc}=menu   {fn}=help",
    ),
    "collect_code": (
        "这是收款码,不能退款\n"
        "---\n"
        "\n"
        "  收款码是用来收钱的\n"
        "\n"
        "  请顾客打开  微信/支付宝 - 账单\n"
        "  再扫账单里的条码\n"
        "\n"
        "  没有保存 可直接再扫\n"
        "\n"
        "---\n"
        "{esc}=回菜单   {fn}=帮助",
        "This is a collect code: no refund\n"
        "---\n"
        "\n"
        "  A collect code receives money\n"
        "\n"
        "  Ask the customer to open the bill in\n"
        "  WeChat or Alipay, and scan that barcode\n"
        "\n"
        "  Nothing was kept. Just scan again\n"
        "\n"
        "---\n"
        "{esc}=menu   {fn}=help",
    ),
    "bad_code": (
        "条码读错,请重扫\n"
        "---\n"
        "\n"
        "  请顾客调亮手机屏幕\n"
        "  擦干净扫描窗\n"
        "  离屏幕约10厘米\n"
        "\n"
        "  2  用键盘输入单号\n"
        "\n"
        "\n"
        "---\n"
        "{esc}=回菜单   {fn}=帮助",
        "Misread, scan again\n"
        "---\n"
        "\n"
        "  Ask for a brighter phone screen\n"
        "  Wipe the scanner's window\n"
        "  Hold it 10 cm away\n"
        "\n"
        "  2  type the number instead\n"
        "\n"
        "\n"
        "---\n"
        "{esc}=menu   {fn}=help",
    ),
    "goods": (
        "这是商品条码\n"
        "---\n"
        "\n"
        "  退款要扫订单,不是商品\n"
        "\n"
        "  请扫顾客账单里的条码\n"
        "  或本店小票上的条码\n"
        "\n"
        "  2  用键盘输入单号\n"
        "\n"
        "---\n"
        "{esc}=回菜单   {fn}=帮助",
        "This is a goods barcode\n"
        "---\n"
        "\n"
        "  A refund needs the order, not the goods\n"
        "\n"
        "  Scan the barcode in the customer's bill\n"
        "  or on our own slip\n"
        "\n"
        "  2  type the number instead\n"
        "\n"
        "---\n"
        "{esc}=menu   {fn}=help",
    ),
    "ambiguous": (
        "像付款码!  ({length}位)\n"
        "---\n"
        "\n"
        "  这串数字可能是付款码\n"
        "  请看它是从哪里扫的\n"
        "\n"
        "  1  账单里的订单号\n"
        "  2  不是 / 不确定\n"
        "\n"
        "\n"
        "---\n"
        "{esc}=回菜单   {fn}=帮助",
        "Is this a PAY code?  ({length} digits)\n"
        "---\n"
        "\n"
        "  The number looks like a payment code\n"
        "  Where did it come from?\n"
        "\n"
        "  1  an order number in the bill\n"
        "  2  no / not sure\n"
        "\n"
        "\n"
        "---\n"
        "{esc}=menu   {fn}=help",
    ),
    "lookup": (
        "退款  正在查询原交易..\n---\n\n\n  单号尾号  {tail}\n\n  {bar} {seconds}秒\n\n\n\n---\n{esc}=停止",
        "Refund  looking up the sale..\n---\n\n\n  Number ends  {tail}\n\n  {bar} {seconds} s\n\n\n\n---\n{esc}=stop",
    ),
    "not_found": (
        "查不到原交易\n"
        "---\n"
        "\n"
        "  没有提交 钱没动\n"
        "\n"
        "  请核对单号和日期\n"
        "\n"
        "  1  重扫\n"
        "  2  用键盘输入单号\n"
        "\n"
        "---\n"
        "{esc}=回菜单   {fn}=帮助",
        "Sale not found\n"
        "---\n"
        "\n"
        "  Nothing sent or paid\n"
        "\n"
        "  Check the number and the date\n"
        "\n"
        "  1  scan again\n"
        "  2  type the number\n"
        "\n"
        "---\n"
        "{esc}=menu   {fn}=help",
    ),
    "refused": (
        "这笔交易不能退款\n---\n\n  {sentence}\n\n  没有提交 钱没动\n\n  1  重扫\n\n\n---\n{esc}=回菜单   {fn}=帮助",
        "This sale cannot be refunded\n"
        "---\n"
        "\n"
        "  {sentence}\n"
        "\n"
        "  Nothing sent or paid\n"
        "\n"
        "  1  scan again\n"
        "\n"
        "\n"
        "---\n"
        "{esc}=menu   {fn}=help",
    ),
    "no_lookup": (
        "后台没有应答   E-NET\n"
        "---\n"
        "\n"
        "  没有提交 钱没动\n"
        "  {sentence}\n"
        "\n"
        "  1  再试\n"
        "{second}\n"
        "\n"
        "\n"
        "---\n"
        "{esc}=回菜单   {fn}=帮助",
        "No answer   E-NET\n"
        "---\n"
        "\n"
        "  Nothing sent or paid\n"
        "  {sentence}\n"
        "\n"
        "  1  try again\n"
        "{second}\n"
        "\n"
        "\n"
        "---\n"
        "{esc}=menu   {fn}=help",
    ),
    "sale": (
        "退款  2 核对\n"
        "---\n"
        "  {channel_long}   {paid_at_long}   {age}\n"
        "  订单  .. {tail_grouped}   {acquirer}\n"
        "{earlier}\n"
        "  实付      {paid_right}\n"
        "  已退      {refunded_right}\n"
        "  可退      {left_right}\n"
        "\n"
        "  {ok}  全额退款 {left}\n"
        "  2  部分退款    {nxt}  看商品明细\n"
        "{esc}=放弃   {clr}=重扫   {fn}=帮助",
        "Refund  2 check\n"
        "---\n"
        "  {channel_long}  {paid_at_long}  {age}\n"
        "  Order  .. {tail_grouped}   {acquirer}\n"
        "{earlier}\n"
        "  Paid      {paid_right}\n"
        "  Refunded  {refunded_right}\n"
        "  Refundable{left_right}\n"
        "\n"
        "  {ok}  refund all {left}\n"
        "  2   refund a part   {nxt}  show items\n"
        "{esc}=drop   {clr}=rescan   {fn}=help",
    ),
    "items": (
        "商品明细   {page}\n---\n{rows}\n---\n{nxt}=更多   {clr}=返回",
        "Items   {page}\n---\n{rows}\n---\n{nxt}=more   {clr}=back",
    ),
    "paid": (
        "退款  待核实  实付金额\n"
        "---\n"
        "\n"
        "  没有查到原交易,先记下\n"
        "  请看顾客账单上的实付金额\n"
        "\n"
        "  实付: {typed}\n"
        "  {echo}\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=下一步   {clr}=改   {esc}=放弃",
        "Refund  to be verified  amount paid\n"
        "---\n"
        "\n"
        "  The sale was not looked up: noted down\n"
        "  Read the amount in the customer's bill\n"
        "\n"
        "  Paid: {typed}\n"
        "  {echo}\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=next   {clr}=fix   {esc}=drop",
    ),
    "amount": (
        "退款  2 金额\n"
        "---\n"
        "\n"
        "  可退  {left}\n"
        "\n"
        "  退多少?\n"
        "  金额: {typed}\n"
        "  {echo}\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=下一步   {clr}=改   {esc}=放弃",
        "Refund  2 amount\n"
        "---\n"
        "\n"
        "  At most  {left}\n"
        "\n"
        "  How much?\n"
        "  Amount: {typed}\n"
        "  {echo}\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=next   {clr}=fix   {esc}=drop",
    ),
    "reason": (
        "退款  3 原因     {amount} {kind}\n---\n{rows}\n---\n按数字选择   {clr}=返回   {esc}=放弃",
        "Refund  3 reason   {amount} {kind}\n---\n{rows}\n---\nPress a digit   {clr}=back   {esc}=drop",
    ),
    "other_reason": (
        "退款  3 原因     两位代码: {typed}\n---\n{rows}\n---\n按两位数字   {clr}=返回   {esc}=放弃",
        "Refund  3 reason   two digits: {typed}\n---\n{rows}\n---\nPress two digits   {clr}=back   {esc}=drop",
    ),
    "note": (
        "退款  3 原因     请选一条说明\n---\n{rows}\n---\n按数字选择   {nxt}=更多   {clr}=返回",
        "Refund  3 reason   choose a sentence\n---\n{rows}\n---\nPress a digit   {nxt}=more   {clr}=back",
    ),
    "confirm": (
        "退款  4 提交\n"
        "---\n"
        "{warning}\n"
        "        退款  {amount}  {kind}\n"
        "        {capitals}\n"
        "\n"
        "  退到  {channel} 原支付账户\n"
        "  订单  .. {tail_grouped}   {paid_on}\n"
        "  原因  {reason_long}\n"
        "  请先告诉顾客: 审核后原路退回\n"
        "---\n"
        "{ok}=提交(一次)  {clr}=返回  {esc}=放弃",
        "Refund  4 submit\n"
        "---\n"
        "{warning}\n"
        "        REFUND  {amount}  {kind}\n"
        "\n"
        "\n"
        "  To      {channel}, the paying account\n"
        "  Order   .. {tail_grouped}   {paid_on}\n"
        "  Reason  {reason_long}\n"
        "  Tell the customer: paid after review\n"
        "---\n"
        "{ok}=submit (once)  {clr}=back  {esc}=drop",
    ),
    "confirm_retype": (
        "退款  4 提交\n"
        "---\n"
        "{warning}\n"
        "        退款  {amount}  {kind}\n"
        "        {capitals}\n"
        "        再输一次金额: {typed}\n"
        "  退到  {channel} 原支付账户\n"
        "  订单  .. {tail_grouped}   {paid_on}\n"
        "  原因  {reason_long}\n"
        "  请先告诉顾客: 审核后原路退回\n"
        "---\n"
        "{ok}=提交(一次)  {clr}=改  {esc}=放弃",
        "Refund  4 submit\n"
        "---\n"
        "{warning}\n"
        "        REFUND  {amount}  {kind}\n"
        "\n"
        "        Type it again: {typed}\n"
        "  To      {channel}, the paying account\n"
        "  Order   .. {tail_grouped}   {paid_on}\n"
        "  Reason  {reason_long}\n"
        "  Tell the customer: paid after review\n"
        "---\n"
        "{ok}=submit (once)  {clr}=fix  {esc}=drop",
    ),
    "supervisor": (
        "{why},请主管授权\n"
        "---\n"
        "\n"
        "  退款  {amount}\n"
        "  限额  {limit}\n"
        "\n"
        "  主管号:  {no}\n"
        "  密码:    {pin}\n"
        "\n"
        "  主管不在店里: 按{nxt}用QR码授权\n"
        "---\n"
        "{ok}=授权  {nxt}=QR码  {clr}=改  {esc}=放弃",
        "{why}: supervisor needed\n"
        "---\n"
        "\n"
        "  Refund  {amount}\n"
        "  Limit   {limit}\n"
        "\n"
        "  Supervisor:  {no}\n"
        "  PIN:         {pin}\n"
        "\n"
        "  Supervisor not here: {nxt} = by QR code\n"
        "---\n"
        "{ok}=allow  {nxt}=QR  {clr}=fix  {esc}=drop",
    ),
    "approval": (
        "QR码授权   主管不在店里\n"
        "---\n"
        "\n"
        "  退款  {amount}  还没提交,钱没动\n"
        "\n"
        "  1 把小票上的码拍下发给主管\n"
        "  2 主管登录后台 /approve 批准\n"
        "  3 用扫码枪扫主管发回的码\n"
        "\n"
        "  {slip}\n"
        "---\n"
        "{ok}=重打小票  {clr}=改用密码  {esc}=放弃",
        "Approval by QR code\n"
        "---\n"
        "\n"
        "  {amount}  Nothing sent or paid\n"
        "\n"
        "  1 Photograph the slip, send it on\n"
        "  2 Manager: back office, /approve\n"
        "  3 Scan the answer with the scanner\n"
        "\n"
        "  {slip}\n"
        "---\n"
        "{ok}=print again  {clr}=PIN  {esc}=drop",
    ),
    "saving": (
        "退款  正在保存..\n---\n\n\n  {amount}\n\n  请稍候\n\n\n\n---\n",
        "Refund  saving..\n---\n\n\n  {amount}\n\n  Please wait\n\n\n\n---\n",
    ),
    "not_saved": (
        "没有保存   {code}\n"
        "---\n"
        "\n"
        "  {amount}   没有提交 钱没动\n"
        "\n"
        "  {sentence}\n"
        "\n"
        "  请不要把小票给顾客\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=再试   {esc}=放弃",
        "NOT SAVED   {code}\n"
        "---\n"
        "\n"
        "  {amount}   not sent, not paid\n"
        "\n"
        "  {sentence}\n"
        "\n"
        "  There is no slip for the customer\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=retry   {esc}=drop",
    ),
    "result": (
        "{head}\n"
        "---\n"
        "\n"
        "  {amount}   {money}{as_of}\n"
        "  申请号  {request_grouped}\n"
        "\n"
        "  小票    {slip}\n"
        "  上传    {upload}\n"
        "{detail_line}\n"
        "  {customer}\n"
        "---\n"
        "{ok}=完成   扫码=下一位   3=重打印",
        "{head}\n"
        "---\n"
        "\n"
        "  {amount}   {money}{as_of}\n"
        "  Request  {request_grouped}\n"
        "\n"
        "  Slip     {slip}\n"
        "  Upload   {upload}\n"
        "{detail_line}\n"
        "  {customer}\n"
        "---\n"
        "{ok}=done   scan=next customer   3=copy",
    ),
    "unknown": (
        "结果待确认,勿重退\n"
        "---\n"
        "\n"
        "  {amount}   可能已退\n"
        "  申请号  {request_grouped}\n"
        "\n"
        "  系统正在自动查询\n"
        "  请不要重新申请\n"
        "\n"
        "  告诉顾客: 查到结果会通知\n"
        "---\n"
        "{ok}=知道了",
        "RESULT NOT KNOWN, do not refund again\n"
        "---\n"
        "\n"
        "  {amount}   MAY BE PAID\n"
        "  Request  {request_grouped}\n"
        "\n"
        "  The system is checking by itself\n"
        "  Do not enter it again\n"
        "\n"
        "  Tell the customer: we will know soon\n"
        "---\n"
        "{ok}=understood",
    ),
    "find": (
        "查询申请\n"
        "---\n"
        "\n"
        "  请扫本店小票上的条码\n"
        "\n"
        "  或输入申请号,至少末6位:\n"
        "  {typed}\n"
        "\n"
        "  {ok}  最近一笔\n"
        "\n"
        "---\n"
        "{esc}=回菜单   {clr}=改   {fn}=帮助",
        "Find a request\n"
        "---\n"
        "\n"
        "  Scan the barcode on our own slip\n"
        "\n"
        "  or type the request, the last 6 at least:\n"
        "  {typed}\n"
        "\n"
        "  {ok}  the newest one\n"
        "\n"
        "---\n"
        "{esc}=menu   {clr}=fix   {fn}=help",
    ),
    "status": (
        "申请  {state}\t{when_long}\n"
        "---\n"
        "\n"
        "  {amount}   {money}{as_of}\n"
        "  申请号  {request_grouped}\n"
        "  订单  .. {tail}   {reason}\n"
        "  小票    {slip}\n"
        "  上传    {upload}\n"
        "{detail_line}\n"
        "{detail_more}\n"
        "---\n"
        "{actions}",
        "Request  {state}\t{when_long}\n"
        "---\n"
        "\n"
        "  {amount}   {money}{as_of}\n"
        "  Request  {request_grouped}\n"
        "  Order  .. {tail}   {reason}\n"
        "  Slip     {slip}\n"
        "  Upload   {upload}\n"
        "{detail_line}\n"
        "{detail_more}\n"
        "---\n"
        "{actions}",
    ),
    "status_none": (
        "查询申请\n---\n\n  本机没有这笔申请\n\n  请核对申请号\n  或到后台查询\n\n\n\n---\n{ok}=返回",
        "Find a request\n"
        "---\n"
        "\n"
        "  This till has no such request\n"
        "\n"
        "  Check the number\n"
        "  or look in the back office\n"
        "\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=back",
    ),
    "status_none_training": (
        "演示模式\t{time}\n---\n\n  演示里没有这笔申请\n\n  要查真实的申请,请先退出演示:\n"
        "  {fn} 再按 0\n\n\n\n---\n{ok}=返回",
        "Training\t{time}\n---\n\n  There is no such training request\n\n  To find real requests leave training:\n"
        "  {fn}, then 0\n\n\n\n---\n{ok}=back",
    ),
    "withdraw": (
        "撤回这笔申请?\n"
        "---\n"
        "\n"
        "  {amount}   {state}\n"
        "  申请号  {request_grouped}\n"
        "\n"
        "  审核前可以撤回\n"
        "  撤回后不能恢复\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=撤回   {clr}=返回",
        "Withdraw this request?\n"
        "---\n"
        "\n"
        "  {amount}   {state}\n"
        "  Request  {request_grouped}\n"
        "\n"
        "  Possible until it is decided\n"
        "  It cannot be undone\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=withdraw   {clr}=back",
    ),
    "answer": (
        "需补充: {question}\n---\n{rows}\n---\n按数字选择  0=输数字  {nxt}=更多  {clr}=返回",
        "Asked: {question}\n---\n{rows}\n---\nPress a digit  0=digits  {nxt}=more  {clr}=back",
    ),
    "answer_digits": (
        "需补充: {question}\n---\n\n\n  数字: {typed}\n\n  电话或单号,不要输付款码\n\n\n\n---\n{ok}=发送   {clr}=改",
        "Asked: {question}\n"
        "---\n"
        "\n"
        "\n"
        "  Digits: {typed}\n"
        "\n"
        "  A phone or order number, no pay code\n"
        "\n"
        "\n"
        "\n"
        "---\n"
        "{ok}=send   {clr}=fix",
    ),
    "abandon": (
        "放弃本次退款?\n---\n\n\n  还没有提交任何申请\n\n  {amount_or_blank}\n\n\n\n---\n{ok}=放弃   {clr}=继续",
        "Drop this refund?\n---\n\n\n  Nothing was sent\n\n  {amount_or_blank}\n\n\n\n---\n{ok}=drop   {clr}=go on",
    ),
    "function": (
        "功能\n"
        "---\n"
        "\n"
        "  1  帮助           2  最近一笔退款\n"
        "  3  重打印         4  语言 English\n"
        "  5  待上传         6  退款政策\n"
        "  7  锁屏/换人      8  交班小票\n"
        "  9  维护           0  {training}\n"
        "\n"
        "\n"
        "---\n"
        "{clr}=返回",
        "Functions\n"
        "---\n"
        "\n"
        "  1  Help           2  Last refund\n"
        "  3  Print a copy   4  Language 中文\n"
        "  5  Waiting        6  Refund policy\n"
        "  7  Lock/hand over 8  Shift report\n"
        "  9  Service        0  {training}\n"
        "\n"
        "\n"
        "---\n"
        "{clr}=back",
    ),
    "help": (
        "帮助   {step}\n---\n\n  {now}\n\n  {else}\n\n\n  服务电话  {phone}\n\n---\n{clr}=返回",
        "Help   {step}\n---\n\n  {now}\n\n  {else}\n\n\n  Service phone  {phone}\n\n---\n{clr}=back",
    ),
    "queue": (
        "待上传 {queued}   被拒 {held}\t{link}\n---\n{rows}\n---\n{nxt}=更多   {clr}=返回",
        "Waiting to send {queued}   held {held}\t{link}\n---\n{rows}\n---\n{nxt}=more   {clr}=back",
    ),
    "policy": (
        "退款政策   {version}\t{page}\n---\n{rows}\n---\n{nxt}=更多   3=打印   {clr}=返回",
        "Refund policy   {version}\t{page}\n---\n{rows}\n---\n{nxt}=more   3=print   {clr}=back",
    ),
    "shift": (
        "交班\t{time}\n---\n\n  {operator}号操作员现在交班结账?\n\n  打印交班小票: 各状态笔数和金额\n\n"
        "  交班后从零计数,不能撤销\n\n\n---\n{ok}=交班并打印   {clr}=返回",
        "Shift\t{time}\n---\n\n  Operator {operator}: close the shift now?\n\n  Prints counts and sums by state\n\n"
        "  Counting starts again; cannot be undone\n\n\n---\n{ok}=close and print   {clr}=back",
    ),
    "service": (
        "维护\t{page}\n---\n{rows}\n---\n{nxt}=更多   {clr}=返回",
        "Service\t{page}\n---\n{rows}\n---\n{nxt}=more   {clr}=back",
    ),
}
