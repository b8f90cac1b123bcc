"""trust.md 17: over the limit, no supervisor in the shop, no network at the till; a telephone carries two QR codes."""

import re
from html import unescape

import httpx
import pytest

from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]
PAY_CODE = "134567890123456789"


class Phone:
    """Somebody elsewhere with a telephone, signed in at the back office's pages."""

    def __init__(self, url: str, *, user: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, trust_env=False, follow_redirects=True)
        form = _hidden(self._http.get("/login").text)
        page = self._http.post("/login", data={**form, "login": user, "password": password})
        page.raise_for_status()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def answer(self, question: str) -> str:
        """Read the question, say yes, and return the text of the answer's code."""
        form = _hidden(self._http.get("/approve").text.split('action="/approve"')[1])
        shown = self._http.post("/approve", data={**form, "code": question})
        shown.raise_for_status()
        assert "￥200.01" in shown.text
        done = self._http.post("/approve/answer", data=_hidden(shown.text.split('action="/approve/answer"')[1]))
        done.raise_for_status()
        found = re.search(r"PA1\.[\w-]+", done.text)
        assert found is not None
        return found.group()


def _hidden(html: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html)}


def to_question(till: Till) -> str:
    """From CONFIRM over the limit to APPROVAL; returns what the slip's code says."""
    before = len(till.slips())
    till.client.enter()
    till.client.wait_state("SUPERVISOR")
    till.client.keys("NEXT")
    till.client.wait_state("APPROVAL")
    slip = till.wait_slips(before + 1)[-1]
    assert "APPROVAL NEEDED" in slip["text"]
    assert "NOTHING SUBMITTED, NOTHING PAID" in slip["text"]
    [code] = till.codes_on(slip)
    assert code.startswith("PQ1.")
    return code


def test_i1_over_limit_refund_approved_by_qr_code_without_network_is_paid_once_and_its_answer_is_spent(
    fresh_till: Till,
) -> None:
    till, client = fresh_till, fresh_till.client
    till.scan(till.untouched("large"))
    till.choose_part("200.01")
    client.wait_state("REASON")
    client.keys("1")
    client.wait_state("CONFIRM")
    client.broker("down")
    client.wait(lambda state: not state["daemon"]["is_broker_connected"], "no network")
    question = to_question(till)
    client.scan(PAY_CODE)
    client.wait_screen("这不是主管的授权码")
    office = client.info()["backoffice"]
    phone = Phone(office["url"], user=office["user"], password=office["password"])
    try:
        answer = phone.answer(question)
    finally:
        phone.close()
    till.scan_code(answer)
    request_id = client.wait_state("RESULT")["daemon"]["last_request_id"]
    assert client.state()["outbox"]["queued"] + client.state()["outbox"]["sent"] == 1
    assert all("APPROVED BY" in slip["text"] for slip in till.wait_slips(3)[1:])
    till.scan_code(answer)
    client.wait_screen("没有等待授权的退款")
    till.to_menu()

    client.broker("up")
    row = till.wait_stored(request_id, "succeeded")
    assert "approved_by_code" in row["flags"]
    assert till.moved(request_id) == [20001]

    till.scan(till.sale("large"))
    till.choose_part("200.02")
    client.wait_state("REASON")
    client.keys("1")
    client.wait_state("CONFIRM")
    to_question(till)
    till.scan_code(answer)
    client.wait_screen("已用过或不是这一笔")
    assert client.state()["workflow_state"] == "APPROVAL"
    assert len(client.requests()) == 1
    assert [one["amount_minor"] for one in client.movements()] == [20001]
