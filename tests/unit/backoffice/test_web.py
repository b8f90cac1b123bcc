"""Pages and JSON endpoints: sign-in, CSRF, version, what is shown."""

import re
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
import pytest_asyncio

from backoffice import enrolment, restoring
from backoffice.reconciliation import BillLine, reconcile
from backoffice.refunds import alarm
from backoffice.web.app import make_app
from backoffice.web.gate import Desk
from pos_agent.domain.refund import OriginalReference, ReferenceKind
from tests.unit.backoffice.world import ORDER, PASSWORD, TERMINAL, World


class Browser:
    """A browser without JavaScript: follows forms as they stand on the page."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def sign_in(self, login: str = "li", password: str = PASSWORD) -> httpx.Response:
        form = (await self.client.get("/login")).text
        data = {"csrf": _hidden(form)["csrf"], "login": login, "password": password}
        return await self.client.post("/login", data=data)

    async def search(self, path: str, words: str, *, form_on: str = "") -> httpx.Response:
        html = (await self.client.get(form_on or path)).text
        return await self.client.post(path, data={"csrf": _hidden(html)["csrf"], "q": words})

    async def decide(self, request_id: str, decision: str, *, page: str = "", **fields: str) -> httpx.Response:
        html = page or (await self.client.get(f"/requests/{request_id}")).text
        data = {**_hidden(html), "decision": decision, **fields}
        return await self.client.post(f"/requests/{request_id}/decision", data=data)


def _hidden(html: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))


@pytest_asyncio.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    app = make_app(Desk(world.database, world.context, world.executor.wake))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk", follow_redirects=False) as client:
        yield Browser(client)


def _submitted(world: World, **fields: object) -> str:
    request = world.request(**fields)
    world.submit(request)
    return request.refund_request_id


async def test_page_without_sign_in_redirects_and_script_gets_401(browser: Browser) -> None:
    for path in ("/requests", "/requests/1", "/cases", "/sales", "/terminals"):
        response = await browser.client.get(path)
        assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert (await browser.client.get("/api/requests")).status_code == 401
    partial = await browser.client.get("/requests", headers={"HX-Request": "true"})
    assert partial.headers["HX-Redirect"] == "/login"


async def test_sign_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(browser: Browser) -> None:
    response = await browser.sign_in()
    assert response.status_code == 303
    cookie = next(value for value in response.headers.get_list("set-cookie") if "pos_backoffice=" in value)
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()


async def test_sign_in_without_the_forms_own_token_is_refused(browser: Browser) -> None:
    await browser.client.get("/login")
    response = await browser.client.post("/login", data={"csrf": "x", "login": "li", "password": PASSWORD})
    assert response.status_code == 403


async def test_wrong_password_five_times_locks_the_account_for_a_while(browser: Browser, world: World) -> None:
    for _ in range(5):
        assert (await browser.sign_in(password="wrong password")).status_code == 401
    assert "尝试过多" in (await browser.sign_in()).text
    assert (await browser.sign_in(login="wang")).status_code == 303
    world.later(minutes=16)
    assert (await browser.sign_in()).status_code == 303


async def test_unknown_login_reads_like_a_wrong_password(browser: Browser) -> None:
    unknown = await browser.sign_in(login="nobody")
    wrong = await browser.sign_in(password="wrong password")
    assert (unknown.status_code, "用户名或密码不对" in unknown.text) == (401, True)
    assert (wrong.status_code, "用户名或密码不对" in wrong.text) == (401, True)


async def test_session_ends_by_time_and_by_sign_out(browser: Browser, world: World) -> None:
    await browser.sign_in()
    page = (await browser.client.get("/requests")).text
    assert (await browser.client.post("/logout", data={"csrf": "wrong"})).status_code == 403
    assert (await browser.client.post("/logout", data={"csrf": _hidden(page)["csrf"]})).status_code == 303
    assert (await browser.client.get("/requests")).status_code == 303
    await browser.sign_in()
    world.later(hours=13)
    assert (await browser.client.get("/requests")).status_code == 303


async def test_person_denied_is_signed_out_at_once_and_cannot_sign_in(browser: Browser, world: World) -> None:
    await browser.sign_in()
    with world.database.writing() as session:
        enrolment.mark_person(session, "li", is_active=False)
    assert (await browser.client.get("/requests")).status_code == 303
    await browser.sign_in()
    assert (await browser.client.get("/requests")).status_code == 303
    with world.database.writing() as session:
        enrolment.mark_person(session, "li", is_active=True)
    await browser.sign_in()
    assert (await browser.client.get("/requests")).status_code == 200


async def test_request_page_shows_everything_the_decision_needs(browser: Browser, world: World) -> None:
    _submitted(world, amount_minor=700)
    request_id = _submitted(world, amount_minor=300, reason_code="R08", operator_no="01", supervisor_no="02")
    await browser.sign_in()
    html = (await browser.client.get(f"/requests/{request_id}")).text
    for words in (
        "￥3.00",
        "￥128.00",
        "￥10.00",
        "￥118.00",
        "￥7.00",
        "质量问题",
        "zhang",
        TERMINAL,
        ORDER,
        "p1",
        "钱没动",
    ):
        assert words in html, words


async def test_queue_lists_the_longest_waiting_first_and_hides_finished(browser: Browser, world: World) -> None:
    first = _submitted(world, amount_minor=100)
    world.later(minutes=1)
    second = _submitted(world, amount_minor=200)
    third = _submitted(world, amount_minor=400)
    world.decide(third, "reject", reason="no")
    await browser.sign_in()
    html = (await browser.client.get("/requests")).text
    assert html.index(first) < html.index(second)
    assert third not in html
    assert third in (await browser.client.get("/requests?view=all")).text


async def test_approval_by_form_wakes_nothing_else_and_moves_the_request(browser: Browser, world: World) -> None:
    request_id = _submitted(world)
    await browser.sign_in()
    assert (await browser.decide(request_id, "approve")).status_code == 303
    assert world.refund(request_id).state == "approved"


async def test_decision_without_csrf_token_is_refused(browser: Browser, world: World) -> None:
    request_id = _submitted(world)
    await browser.sign_in()
    assert (await browser.decide(request_id, "approve", csrf="")).status_code == 403
    assert (await browser.decide(request_id, "approve", csrf="other")).status_code == 403
    assert world.refund(request_id).state == "reviewing"


async def test_decision_on_a_stale_page_gets_409_and_shows_what_changed(browser: Browser, world: World) -> None:
    request_id = _submitted(world, amount_minor=300)
    await browser.sign_in()
    page = (await browser.client.get(f"/requests/{request_id}")).text
    _submitted(world, amount_minor=400)
    response = await browser.decide(request_id, "approve", page=page)
    assert response.status_code == 409
    assert "刚才有变化" in response.text
    assert re.search(r'class="changed".*￥3\.00.*￥7\.00', response.text, re.DOTALL)
    assert world.refund(request_id).state == "reviewing"


async def test_reject_needs_a_reason(browser: Browser, world: World) -> None:
    request_id = _submitted(world)
    await browser.sign_in()
    response = await browser.decide(request_id, "reject", reason=" ")
    assert (response.status_code, "请填写理由" in response.text) == (422, True)
    assert (await browser.decide(request_id, "reject", reason="无小票")).status_code == 303


async def test_own_request_offers_no_decision(browser: Browser, world: World) -> None:
    world.map_operator("05", "li")
    request_id = _submitted(world, operator_no="05")
    await browser.sign_in()
    html = (await browser.client.get(f"/requests/{request_id}")).text
    assert 'value="approve"' not in html
    assert "须由他人处理" in html


async def test_text_of_people_is_escaped(browser: Browser, world: World) -> None:
    request_id = _submitted(world, note="<script>alert(1)</script>")
    await browser.sign_in()
    response = await browser.client.get(f"/requests/{request_id}")
    assert "<script>alert" not in response.text
    assert "&lt;script&gt;" in response.text
    assert response.headers["content-security-policy"].startswith("default-src 'self'")


async def test_language_switch_is_remembered_and_goes_back_only_to_ourselves(browser: Browser) -> None:
    response = await browser.client.get("/locale/en?back=//evil.example/")
    assert response.headers["location"] == "/"
    assert "Sign in" in (await browser.client.get("/login")).text
    assert (await browser.client.get("/locale/en?back=/sales")).headers["location"] == "/sales"


async def test_sales_are_found_by_their_last_digits_and_wildcards_mean_themselves(
    browser: Browser, world: World
) -> None:
    world.add_sale(order_no="A_100", paid_minor=100)
    world.add_sale(order_no="AB100", paid_minor=100)
    await browser.sign_in()
    assert ORDER in (await browser.search("/sales", ORDER[-6:])).text
    found = (await browser.search("/sales", "_100")).text
    assert ("A_100" in found, "AB100" in found) == (True, False)


async def test_tills_and_cases_pages_render_in_both_languages(browser: Browser, world: World) -> None:
    world.adapter.total = 100
    request_id = world.approved(amount_minor=300)
    await world.settle()
    assert world.refund(request_id).state == "held"
    await browser.sign_in("wang")
    for locale in ("zh-CN", "en"):
        await browser.client.get(f"/locale/{locale}")
        assert TERMINAL in (await browser.client.get("/terminals")).text
        assert request_id in (await browser.client.get("/cases")).text


async def test_restore_under_way_is_said_on_every_page_and_decisions_are_refused(
    browser: Browser, world: World
) -> None:
    request = world.request(audit_head="ab" * 32)
    world.submit(request)
    with world.database.writing() as session:
        restoring.begin(session, lambda: world.now)
    await browser.sign_in()
    await browser.client.get("/locale/en")
    for path in ("/requests", "/cases", f"/requests/{request.refund_request_id}"):
        assert "Restoring from a backup" in (await browser.client.get(path)).text
    page = (await browser.client.get(f"/requests/{request.refund_request_id}")).text
    assert "abab abab" in page
    csrf = await _script(browser)
    url = f"/api/requests/{request.refund_request_id}"
    shown = (await browser.client.get(url)).json()
    assert '"money_moved":"unknown"' in (await browser.client.get(url)).text.replace(" ", "")
    answer = await browser.client.post(
        f"{url}/decision", json={"decision": "approve", "shown": shown["shown"]}, headers={"X-CSRF-Token": csrf}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "restoring")


async def test_movement_that_is_not_ours_shows_among_the_cases(browser: Browser, world: World) -> None:
    line = BillLine(refund_no="PORTAL-7", amount_minor=300, sale_ref=ORDER)
    with world.database.writing() as session:
        reconcile(session, lambda: world.now, [line], acquirer_id="simulated", prefix="", period=None)
    await browser.sign_in()
    assert "PORTAL-7" in (await browser.client.get("/cases")).text


async def test_case_is_closed_through_the_pages_by_two_persons(browser: Browser, world: World) -> None:
    world.add_person("sun", "finance")
    world.adapter.total = 100
    world.approved(amount_minor=300)
    await world.settle()
    case_id = world.cases()[0].case_id
    await browser.sign_in("wang")
    csrf = _hidden((await browser.client.get("/cases")).text)["csrf"]
    data = {"csrf": csrf, "moved": "yes", "reason": "bill line 7"}
    assert (await browser.client.post(f"/cases/{case_id}/propose", data=data)).status_code == 303
    assert (await browser.client.post(f"/cases/{case_id}/confirm", data=data)).status_code == 403
    await browser.sign_in("sun")
    data["csrf"] = _hidden((await browser.client.get("/cases")).text)["csrf"]
    assert (await browser.client.post(f"/cases/{case_id}/confirm", data=data)).status_code == 303
    assert world.sale().is_frozen is False


async def _script(browser: Browser) -> str:
    response = await browser.client.post("/api/login", json={"user": "li", "password": PASSWORD})
    assert response.status_code == 200
    return str(response.json()["csrf"])


async def test_script_decides_with_the_same_rules(browser: Browser, world: World) -> None:
    request_id = _submitted(world)
    csrf = await _script(browser)
    listed = (await browser.client.get("/api/requests?state=reviewing")).json()["requests"]
    assert [row["refund_request_id"] for row in listed] == [request_id]
    shown = (await browser.client.get(f"/api/requests/{request_id}")).json()["shown"]
    url, body = f"/api/requests/{request_id}/decision", {"decision": "approve", "shown": shown}
    assert (await browser.client.post(url, json=body)).status_code == 403
    headers = {"X-CSRF-Token": csrf}
    stale = await browser.client.post(url, json={**body, "shown": {**shown, "version": 99}}, headers=headers)
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "version")
    done = await browser.client.post(url, json=body, headers=headers)
    assert (done.status_code, done.json()["summary"]["state"]) == (200, "approved")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"user": 1}', b'{"user": "li", "password": "x", "more": 1}'])
async def test_script_with_a_wrong_body_gets_422(browser: Browser, body: bytes) -> None:
    assert (await browser.client.post("/api/login", content=body)).status_code == 422


async def test_script_with_a_wrong_password_state_or_path_is_told_why(browser: Browser) -> None:
    wrong = await browser.client.post("/api/login", json={"user": "li", "password": "wrong password"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "login.wrong")
    await _script(browser)
    assert (await browser.client.get("/api/requests?state=exploded")).status_code == 422
    assert (await browser.client.get("/api/requests/9800")).status_code == 404
    assert (await browser.client.get("/api/nowhere")).json()["error"]["code"] == "not_found"
    assert (await browser.client.get("/nowhere")).status_code == 404
    assert (await browser.client.get("/api/health")).json()["ok"] is True


async def test_sale_imported_late_shows_when_the_request_is_opened(browser: Browser, world: World) -> None:
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "LATE0001")
    request_id = _submitted(world, amount_minor=700, original_reference=reference)
    await browser.sign_in()
    assert "没有找到原交易" in (await browser.client.get(f"/requests/{request_id}")).text
    world.add_sale(order_no="LATE0001", paid_minor=700)
    assert "LATE0001" in (await browser.client.get(f"/requests/{request_id}")).text
    assert (await browser.decide(request_id, "approve")).status_code == 303


async def test_api_alarms_newest_first_each_with_an_id_that_stays(world: World, browser: Browser) -> None:
    assert (await browser.client.get("/api/alarms")).status_code == 401
    data = {"terminal_id": TERMINAL, "boot_id": "b1"}
    for name in ("clone_suspected", "terminal_went_back"):
        await world.database.write(partial(alarm, event_id=f"id-{name}", name=name, now=world.context.now, data=data))
        world.later(seconds=1)
    await browser.sign_in()
    found = (await browser.client.get("/api/alarms")).json()["alarms"]
    assert [one["alarm_id"] for one in found] == ["id-terminal_went_back", "id-clone_suspected"]
    assert [(one["terminal_id"], one["data"]["boot_id"]) for one in found] == [(TERMINAL, "b1")] * 2
    assert found[0]["at"] > found[1]["at"]
