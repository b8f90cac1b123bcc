"""The bilingual words of slips. Pure data; paper is always in both languages, so nothing here is switched.

Source: labels as on UnionPay POS vouchers and public terminal code (payments.md section 4).
"""

from pos_agent.domain.refund import Channel, RefundState, RefundType

CHANNELS = {
    Channel.WECHAT: "微信支付 WeChat Pay",
    Channel.ALIPAY: "支付宝 Alipay",
    Channel.UNIONPAY: "银联二维码 UnionPay QR",
    Channel.ECNY: "数字人民币 e-CNY",
    Channel.CARD: "银行卡 Bank card",
    Channel.UNKNOWN: "未知 Unknown",
}
TYPES = {
    RefundType.FULL: "退货/REFUND 全额 FULL",
    RefundType.PARTIAL: "退货/REFUND 部分 PARTIAL",
    RefundType.COUPON: "优惠券结算 COUPON",
}
#: Title, sentence about the money, in both languages. Only states that are news for the customer have a slip.
RESULTS = {
    RefundState.SUCCEEDED: ("退款成功", "REFUNDED", "已原路退回付款账户", "Paid back to the paying account"),
    RefundState.FAILED: ("退款失败", "REFUND FAILED", "本次申请没有退款", "No money was refunded"),
    RefundState.ABNORMAL: (
        "需人工处理",
        "HANDLED BY HAND",
        "原账户无法入账,请顾客留下联系方式,由商家人工处理",
        "The paying account cannot take it: please leave your contact with the shop",
    ),
    RefundState.COUPON_ISSUED: (
        "已发优惠券",
        "COUPON ISSUED",
        "本次以优惠券结算,没有退款",
        "Settled by coupon, no money",
    ),
    RefundState.CANCELED: ("申请已撤回", "WITHDRAWN", "本次申请没有退款", "No money was refunded"),
    RefundState.CLOSED: ("人工处理已结案", "CLOSED BY HAND", "退款结果以商家说明为准", "Ask the shop for the outcome"),
    RefundState.REJECTED: (
        "退款申请未通过",
        "REFUND REJECTED",
        "本次申请没有退款,原交易不变",
        "No money refunded, sale unchanged",
    ),
}
#: Every state, for counts; whether money has moved is said where it is certain (I9).
STATES = {
    RefundState.QUEUED: ("已保存 未上传", "SAVED, NOT SENT"),
    RefundState.SENT: ("已发出 待确认", "SENT, NOT CONFIRMED"),
    RefundState.REVIEWING: ("审核中", "IN REVIEW"),
    RefundState.NEED_INFO: ("待补充资料", "INFORMATION NEEDED"),
    RefundState.REJECTED: ("未通过 没有退款", "REJECTED, NOT PAID"),
    RefundState.CANCELED: ("已撤回 没有退款", "WITHDRAWN, NOT PAID"),
    RefundState.EXECUTING: ("退款中 结果待确认", "BEING PAID, MAY BE PAID"),
    RefundState.UNKNOWN: ("结果待确认", "NOT KNOWN, MAY BE PAID"),
    RefundState.SUCCEEDED: ("退款成功", "REFUNDED"),
    RefundState.FAILED: ("退款失败 没有退款", "FAILED, NOT PAID"),
    RefundState.ABNORMAL: ("需人工处理", "HANDLED BY HAND"),
    RefundState.COUPON_ISSUED: ("已发优惠券 没有退款", "COUPON, NOT PAID"),
    RefundState.CLOSED: ("人工处理已结案", "CLOSED BY HAND"),
}
#: Flags of a request that a reader of the paper must know.
FLAG_MARKS = {
    "unverified": "待核实 NOT VERIFIED",
    "unreviewed": "未经复核 NOT REVIEWED BY A SECOND PERSON",
    "clock_untrusted": "时间未校准 CLOCK NOT SET",
    "keyed": "手工输入单号 NUMBER KEYED BY HAND",
}
TRAINING_MARK = ("演示 无效", "TRAINING - NOT VALID")
MERCHANT_COPY = "商户存根 MERCHANT COPY"
CUSTOMER_COPY = "顾客存根 CUSTOMER COPY"
#: Printed before anything was sent: nothing but "saved" is known (I9).
SAVED = ("申请已保存 待上传", "REQUEST SAVED, NOT YET SENT")
NOT_PROOF = ("非到账凭证,审核通过后原路退回", "NOT A PROOF OF PAYMENT. Paid back the original way after review.")
#: Below the code that the back office can take a request from if the till cannot send it any more.
RESCUE = "终端损坏补录码 RECOVERY CODE"
#: An approval question: no request exists yet, and one may never (I9).
NOTHING_ASKED = ("还没有提交退款 钱没动", "NOTHING SUBMITTED, NOTHING PAID")
APPROVAL = "授权请求码 APPROVAL REQUEST"
APPROVAL_STEPS = (
    "1 拍下二维码发给主管 / Send this code to the manager",
    "2 主管登录后台,打开 /approve 批准 / Manager: back office, /approve",
    "3 本机扫主管发回的码 / Scan the answer at this till",
    "离开授权画面或重新开机后作废 / Void once the till leaves the approval screen or restarts",
)
COMPLAINT_LINE = "消费者投诉 Complaints 12315"
#: Source: 中华人民共和国消费者权益保护法 (2013), articles 24, 25 and 26; payments.md section 5.
LAW_LINES = (
    "消费者权益保护法第二十四条:质量不符合要求的,消费者可依法退货;没有约定的,可自收到商品之日起七日内退货。",
    "第二十五条:网络、电视、电话、邮购等方式销售的商品,除法定例外,消费者有权自收到之日起七日内退货。",
    "第二十六条:以格式条款排除或限制消费者权利的内容无效。",
)
