"""The page of coupons, ``/api/coupons`` and ``pos-backoffice coupon``: roles, CSRF, a code shown once."""

import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from backoffice import cli
from backoffice.coupon_codes import make_code, read_code
from backoffice.store.coupon_tables import Coupon
from backoffice.web.app import make_app
from backoffice.web.gate import Desk
from pos_agent.domain.refund import RefundType
from tests.unit.backoffice.world import MERCHANT, PASSWORD, World

pytestmark = pytest.mark.slow


class Cashier:
    """A browser and a script of one person."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.csrf = ""

    async def sign_in(self, login: str) -> None:
        answer = await self.client.post("/api/login", json={"user": login, "password": PASSWORD})
        self.csrf = answer.json()["csrf"]

    async def send(self, action: str, **fields: str) -> httpx.Response:
        html = (await self.client.get("/coupons")).text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
        return await self.client.post(f"/coupons/{action}", data={**hidden, **fields})

    async def redeem(self, code: str, *, csrf: str | None = None, **fields: str) -> httpx.Response:
        body = {"code": code, "merchant_id": MERCHANT, **fields}
        headers = {"X-CSRF-Token": self.csrf if csrf is None else csrf}
        return await self.client.post("/api/coupons/redeem", json=body, headers=headers)


@pytest_asyncio.fixture
async def cashier(world: World) -> AsyncIterator[Cashier]:
    world.config.coupons.budgets = {MERCHANT: 10_000}
    world.add_person("vera", "viewer")
    app = make_app(Desk(world.database, world.context, world.executor.wake))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk") as client:
        yield Cashier(client)


def _shown_code(html: str) -> str:
    found = re.search(r'id="code">.*?<b>([\d ]+)</b>', html, re.DOTALL)
    return read_code(found.group(1)) if found else ""


async def test_coupon_pages_need_a_sign_in_and_the_forms_own_token(cashier: Cashier) -> None:
    assert (await cashier.client.get("/coupons")).headers["location"] == "/login"
    assert (await cashier.client.get("/api/coupons")).status_code == 401
    assert (await cashier.client.post("/api/coupons/redeem", json={})).status_code == 401
    await cashier.sign_in("li")
    for action in ("issue", "approve", "refuse", "redeem"):
        assert (await cashier.send(action, csrf="forged")).status_code == 403
    assert (await cashier.redeem(make_code(1), csrf="forged")).status_code == 403


async def test_coupon_issued_on_the_page_shows_its_code_once_and_a_cash_desk_takes_it_once(
    cashier: Cashier, world: World
) -> None:
    await cashier.sign_in("li")
    issued = await cashier.send("issue", amount="20", reason="久等")
    code = _shown_code(issued.text)
    assert code
    assert code not in (await cashier.client.get("/coupons")).text
    taken = await cashier.redeem(code, receipt="R1")
    assert (taken.status_code, taken.json()["amount_minor"], taken.json()["is_new"]) == (200, 2000, True)
    assert (await cashier.redeem(code, receipt="R1")).json()["is_new"] is False
    again = await cashier.redeem(code, receipt="R2")
    assert again.status_code == 409
    assert again.json()["error"] == {
        "code": "coupon_used",
        "at": world.now.isoformat().replace("+00:00", "Z"),
        "zh-CN": "这张券 2026-11-23 12:00 已经用过,不能再收",
        "en": "Used already, 2026-11-23 12:00: not taken again",
    }
    page = await cashier.send("redeem", code=code)
    assert page.status_code == 409
    assert "这张券 2026-11-23 12:00 已经用过" in page.text


async def test_larger_coupon_waits_on_the_page_for_another_person(cashier: Cashier, world: World) -> None:
    await cashier.sign_in("li")
    asked = await cashier.send("issue", amount="60", reason="久等")
    assert _shown_code(asked.text) == ""
    assert "待第二人同意" in asked.text
    [coupon] = world.rows(Coupon)
    assert (await cashier.send("approve", coupon_id=coupon.coupon_id)).status_code == 403
    await cashier.sign_in("wang")
    approved = await cashier.send("approve", coupon_id=coupon.coupon_id)
    assert _shown_code(approved.text)
    assert (await cashier.send("refuse", coupon_id=coupon.coupon_id)).status_code == 409


async def test_form_sent_again_by_a_reload_makes_no_second_coupon(cashier: Cashier, world: World) -> None:
    await cashier.sign_in("li")
    first = await cashier.send("issue", amount="20", reason="x", coupon_id="c-same")
    again = await cashier.send("issue", amount="20", reason="x", coupon_id="c-same")
    assert (first.status_code, again.status_code) == (200, 409)
    assert len(world.rows(Coupon)) == 1


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"amount": "200"}, 409, "还剩 100.00 元"),
        ({"amount": "0"}, 422, "面额无效"),
        ({"amount": "12,5"}, 422, "面额无效"),
        ({"reason": " "}, 422, "请填写理由"),
        ({"merchant": "nobody"}, 404, "没有这个商户"),
        ({"merchant": "x\0y"}, 404, "没有这个商户"),
    ],
)
async def test_coupon_that_cannot_be_made_says_why_on_the_page(
    cashier: Cashier, world: World, fields: dict[str, str], status: int, words: str
) -> None:
    await cashier.sign_in("li")
    answer = await cashier.send("issue", **{"amount": "20", "reason": "x", **fields})
    assert (answer.status_code, words in answer.text) == (status, True)
    assert world.rows(Coupon) == []


async def test_viewer_sees_coupons_and_makes_none(cashier: Cashier, world: World) -> None:
    await cashier.sign_in("vera")
    assert (await cashier.send("issue", amount="20", reason="x")).status_code == 403
    assert (await cashier.redeem(make_code(1))).status_code == 403
    listed = (await cashier.client.get("/api/coupons")).json()
    assert listed["sums"]["goodwill"] == {"issued": 0, "issued_minor": 0, "redeemed": 0, "redeemed_minor": 0}


@pytest.mark.parametrize("code", ["", "134500000000000001", "x" * 300, "70" + "1" * 18, "\uff17\uff10" * 10])
async def test_what_is_no_code_is_refused_and_kept_nowhere(cashier: Cashier, code: str) -> None:
    await cashier.sign_in("li")
    answer = await cashier.redeem(code)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "coupon_misread")
    assert not code or code not in answer.text


def test_coupon_commands_issue_approve_redeem_and_list(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "backoffice.toml"
    url = world.database.engine.url.render_as_string(hide_password=False)
    config.write_text(f'[database]\nurl = "{url}"\n[coupons.budgets]\n{MERCHANT} = 10000\n')

    def run(*arguments: str, typed: str = "") -> tuple[int, dict[str, object]]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        status = cli.main(["coupon", *arguments, "--json", "--config", str(config)])
        return status, json.loads(capsys.readouterr().out)

    status, asked = run("issue", "--amount", "60", "--reason", "waited", "--by", "li")
    assert (status, asked["state"], asked["code"]) == (0, "pending", "")
    assert run("approve", str(asked["coupon_id"]), "--by", "li")[0] == 1
    status, issued = run("approve", str(asked["coupon_id"]), "--by", "wang")
    assert status == 0
    assert read_code(str(issued["code"]))
    assert run("redeem", "--by", "li", typed=f"{issued['code']}\n")[0] == 0
    status, refused = run("redeem", "--by", "li", "--code", str(issued["code"]))
    assert status == 1
    assert isinstance(refused["error"], dict)
    assert refused["error"]["code"] == "coupon_used"
    status, listed = run("list")
    assert status == 0
    assert isinstance(listed["budgets"], list)
    assert listed["budgets"][0]["left_minor"] == 4000
    assert cli.main(["coupon", "list", "--config", str(config)]) == 0
    assert "goodwill: 1 issued 60.00, 1 redeemed 60.00" in capsys.readouterr().out
    assert (
        cli.main(["coupon", "issue", "--amount", "1", "--reason", "x", "--by", "ghost", "--config", str(config)]) == 1
    )


def test_reconcile_counts_coupons_apart_from_the_movements_of_a_bill(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.approved(refund_type=RefundType.COUPON, amount_minor=500)
    url = world.database.engine.url.render_as_string(hide_password=False)
    config, bill = tmp_path / "backoffice.toml", tmp_path / "bill.json"
    config.write_text(f'[database]\nurl = "{url}"\n[acquirers.wechat]\nadapter = "none"\n')
    bill.write_text("[]")
    day = f"{world.now:%Y-%m-%d}"
    call = ["reconcile", str(bill), "--acquirer", "wechat", "--from", day, "--config", str(config)]
    assert cli.main([*call, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["lines"], found["differences"]) == (0, [])
    assert found["coupons"]["settlement"] == {"issued": 1, "issued_minor": 500, "redeemed": 0, "redeemed_minor": 0}
    assert cli.main(call) == 0
    assert "settlement: 1 issued 5.00, 0 redeemed 0.00" in capsys.readouterr().out
