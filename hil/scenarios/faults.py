"""Scripts: paper, network, power and cables go away and come back."""

from hil.scenarios.story import Story


def paper_out(story: Story) -> None:
    """The paper is out at submission; the original slips come when paper is in."""
    client = story.client
    client.sign_in()
    story.step("paper out")
    fault_id = client.fault("paper_end")
    story.submit_full(story.sale(kind="wechat")["code"])
    client.wait_screen("缺纸")
    assert client.slips() == []
    story.step("paper in")
    client.clear_fault(fault_id)
    slips = client.wait_slips(2)
    assert not any(slip["is_copy"] for slip in slips), "an original was marked as a copy"


def offline(story: Story) -> None:
    """The network goes after the sale was shown; the request is saved and sent once it is back."""
    client = story.client
    client.sign_in()
    client.scan(story.sale(kind="wechat")["code"])
    client.wait_state("SALE")
    story.step("network down")
    client.broker("down")
    client.wait(lambda state: not state["daemon"]["is_broker_connected"], "offline")
    client.enter()
    client.wait_state("REASON")
    client.keys("1")
    client.wait_state("CONFIRM")
    client.enter()
    client.wait_state("RESULT")
    state = client.wait_screen("已保存")
    request_id = state["daemon"]["last_request_id"]
    story.step("network up")
    client.broker("up")
    client.wait_sent(timeout_s=40)
    answer = client.decide(request_id, "approve")
    story.step(f"the back office has it once: {answer.get('state', answer)}")


def power_cut(story: Story) -> None:
    """The power is cut after submission while offline; the same request is sent after the start."""
    client = story.client
    client.sign_in()
    client.scan(story.sale(kind="wechat")["code"])
    client.wait_state("SALE")
    client.broker("down")
    client.wait(lambda state: not state["daemon"]["is_broker_connected"], "offline")
    client.enter()
    client.wait_state("REASON")
    client.keys("1")
    client.wait_state("CONFIRM")
    client.enter()
    request_id = client.wait_state("RESULT")["daemon"]["last_request_id"]
    story.step("power cut")
    client.power("cut")
    client.broker("up")
    client.power("on")
    story.step("power on: nobody signs in")
    client.wait_state("LOGIN", timeout_s=20)
    client.wait_sent(timeout_s=40)
    client.decide(request_id, "approve")
    story.step("the back office has the same request, once")


def replug(story: Story) -> None:
    """Every device is pulled and put back; the till goes on without a restart."""
    client = story.client
    client.sign_in()
    pid = client.state()["daemon"]["pid"]
    for device in ("scanner", "printer", "keypad"):
        story.step(f"unplug {device}, plug it in again")
        client.unplug(device)
        client.wait_device(device, is_online=False)
        client.plug(device)
        client.wait_device(device, is_online=True)
    client.scan(story.sale(kind="wechat")["code"])
    client.wait_state("SALE")
    assert client.state()["daemon"]["pid"] == pid, "the daemon was restarted"
