"""Scripts: refunds as they should go."""

from hil.scenarios.story import Story


def full_refund(story: Story) -> None:
    """A WeChat bill is scanned, refunded in full, approved; the slips come out and can be read."""
    client = story.client
    story.step("sign in")
    client.sign_in()
    request_id = story.submit_full(story.sale(kind="wechat")["code"])
    client.wait_screen("已提交")
    story.step("two request slips")
    slips = client.wait_slips(2)
    for slip in slips[:2]:
        assert request_id in story.decoded_request_ids(slip), f"slip {slip['id']}: the number cannot be read"
    story.step("the request number was decoded from the pictures of both slips")
    client.enter()
    client.wait_state("MENU")
    story.step("the back office approves")
    client.decide(request_id, "approve")
    result = client.wait_slips(3)[2]
    assert "成功" in result["text"], f"the result slip says:\n{result['text']}"
    assert request_id in story.decoded_request_ids(result), "the result slip's number cannot be read"
    story.step("result slip: 退款成功")
    client.wait_sent()


def partial(story: Story) -> None:
    """Three yuan of ten are refunded."""
    client = story.client
    client.sign_in()
    client.scan(story.sale(kind="small")["code"])
    client.wait_state("SALE")
    story.step("2: a part; 3 yuan")
    client.keys("2")
    client.wait_state("AMOUNT")
    client.keys("3")
    client.wait_screen("3.00")
    client.enter()
    client.wait_state("REASON")
    client.keys("1")
    client.wait_state("CONFIRM")
    client.enter()
    state = client.wait_state("RESULT")
    slips = client.wait_slips(2)
    assert "3.00" in slips[0]["text"], slips[0]["text"]
    client.decide(state["daemon"]["last_request_id"], "approve")
    client.enter()
    client.wait_state("MENU")
    client.wait_slips(3)


def reject(story: Story) -> None:
    """The back office rejects; the reject slip names the reason and where to complain."""
    client = story.client
    client.sign_in()
    request_id = story.submit_full(story.sale(kind="today")["code"])
    client.wait_slips(2)
    client.wait_screen("已提交")
    client.enter()
    client.wait_state("MENU")
    story.step("the back office rejects")
    client.decide(request_id, "reject", "单据不符")
    slip = client.wait_slips(3)[2]
    assert "单据不符" in slip["text"], slip["text"]
    assert "12315" in slip["text"], slip["text"]


#: Published example of a WeChat payment code: 18 digits, 10 … 15 at the front (pay.weixin.qq.com, 付款码支付).
PAY_CODE = "134567890123456789"


def refused_pay_code(story: Story) -> None:
    """A customer's payment code is refused; nothing is kept, printed or sent."""
    client = story.client
    client.sign_in()
    story.step("scan a payment code")
    client.scan(PAY_CODE)
    state = client.wait_screen("这是付款码")
    assert PAY_CODE[-6:] not in "\n".join(state["screens"]["operator"]["lines"])
    assert client.slips() == []
    story.step("refused, and scanning the bill right after works")
    story_sale = story.sale(kind="wechat")
    client.scan(story_sale["code"])
    client.wait_state("SALE")
