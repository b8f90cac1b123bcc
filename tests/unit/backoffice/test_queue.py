"""The queue with many requests in it: pages, filters, numbers typed or scanned, lateness, unknown results."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from backoffice.execution.contract import Answer, Outcome
from backoffice.store.schema import Refund
from backoffice.web.app import make_app
from backoffice.web.gate import Desk
from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.refund import OriginalReference, ReferenceKind
from tests.unit.backoffice.test_web import Browser
from tests.unit.backoffice.world import ORDER, World

QUEUED = 500


@pytest_asyncio.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    app = make_app(Desk(world.database, world.context, world.executor.wake))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk", follow_redirects=False) as client:
        made = Browser(client)
        await made.sign_in()
        await client.get("/locale/en")
        yield made


def _fill(world: World, count: int) -> list[str]:
    """Submit one request and queue copies of it, a second apart; returns the ids, longest waiting first."""
    world.add_sale(order_no="7" * 31, paid_minor=100_000)
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "7" * 31)
    request = world.request(original_reference=reference, amount_minor=1)
    world.submit(request)
    found = [request.refund_request_id]
    with world.database.writing() as session:
        first = session.get(Refund, request.refund_request_id)
        assert first is not None
        row = {column.key: getattr(first, column.key) for column in Refund.__table__.columns}
        for number in range(1, count):
            found.append(make_refund_request_id(10_000 + number))
            received_at = first.received_at + timedelta(seconds=number)
            session.add(Refund(**{**row, "refund_request_id": found[-1], "received_at": received_at}))
    return found


def _listed(html: str) -> list[str]:
    return re.findall(r'href="/requests/(\d{22})"', html)


async def test_queue_of_500_comes_in_pages_that_hold_each_request_once(browser: Browser, world: World) -> None:
    queued = _fill(world, QUEUED)
    seen: list[str] = []
    url = "/requests"
    for _ in range(20):
        html = (await browser.client.get(url)).text
        seen += _listed(html)
        following = re.search(r'rel="next" href="([^"]+)"', html)
        if following is None:
            break
        url = following.group(1).replace("&amp;", "&")
    assert seen == queued, "longest waiting first, none twice, none left out"
    assert f"{QUEUED} in all" in html
    assert len(html) < 100_000


async def test_queue_page_behind_the_last_or_nonsense_is_the_nearest(browser: Browser, world: World) -> None:
    queued = _fill(world, 60)
    assert _listed((await browser.client.get("/requests?page=99")).text) == queued[50:]
    for nonsense in ("-1", "x", "0", "9" * 30):
        assert _listed((await browser.client.get(f"/requests?page={nonsense}")).text) == queued[:50]


@pytest.mark.parametrize("spacing", ["", " "])
async def test_number_scanned_from_a_slip_opens_its_request(browser: Browser, world: World, spacing: str) -> None:
    (request_id, *_) = _fill(world, 3)
    typed = spacing.join(request_id[start : start + 4] for start in range(0, 22, 4))
    response = await browser.search("/requests/find", typed, form_on="/requests")
    assert (response.status_code, response.headers["location"]) == (303, f"/requests/{request_id}")


async def test_last_digits_of_request_or_order_list_what_ends_in_them(browser: Browser, world: World) -> None:
    queued = _fill(world, 3)
    found = await browser.search("/requests/find", queued[1][-6:], form_on="/requests")
    assert _listed(found.text) == [queued[1]]
    assert set(_listed((await browser.search("/requests/find", "7777777", form_on="/requests")).text)) == set(queued)
    assert "Nothing here" in (await browser.search("/requests/find", "000111", form_on="/requests")).text


async def test_i7_payment_code_scanned_into_the_search_is_refused_and_in_no_address(browser: Browser) -> None:
    response = await browser.search("/requests/find", "134567890123456789", form_on="/requests")
    assert response.status_code == 422
    assert "payment code" in response.text
    assert "134567890123456789" not in response.text
    assert "134567890123456789" not in str(response.url)


async def test_queue_is_narrowed_by_channel_and_till(browser: Browser, world: World) -> None:
    queued = _fill(world, 2)
    assert _listed((await browser.client.get("/requests?channel=wechat")).text) == queued
    assert _listed((await browser.client.get("/requests?channel=alipay")).text) == []
    assert _listed((await browser.client.get("/requests?terminal=t-other")).text) == []


async def test_search_without_csrf_token_is_refused(browser: Browser) -> None:
    for path in ("/requests/find", "/sales"):
        assert (await browser.client.post(path, data={"q": "1"})).status_code == 403


async def test_request_waiting_too_long_is_shown_late_then_overdue(browser: Browser, world: World) -> None:
    (request_id,) = _fill(world, 1)
    assert "Waiting too long" not in (await browser.client.get("/requests")).text
    world.later(minutes=125)
    await browser.sign_in()
    html = (await browser.client.get("/requests")).text
    assert "Waiting too long" in html
    assert "waiting 2 h 5 min" in html
    world.later(hours=47)
    await browser.sign_in()
    for url in ("/requests", f"/requests/{request_id}"):
        assert "Overdue: a manager must act" in (await browser.client.get(url)).text


async def test_times_on_the_request_page_are_the_shops_and_utc(browser: Browser, world: World) -> None:
    (request_id,) = _fill(world, 1)
    html = (await browser.client.get(f"/requests/{request_id}")).text
    assert "2026-11-23 12:00:00 (UTC 04:00:00)" in html
    world.config.server.time_zone = "Pacific/Auckland"
    html = (await browser.client.get(f"/requests/{request_id}")).text
    assert "2026-11-23 17:00:00 (UTC 04:00:00)" in html


async def test_unknown_result_says_so_with_its_age_and_that_of_the_query(browser: Browser, world: World) -> None:
    world.adapter.answers = [Answer(Outcome.UNKNOWN, detail="lost")]
    world.adapter.queries = [Answer(Outcome.UNKNOWN)] * 50
    request_id = world.approved()
    await world.run_until(request_id, "unknown")
    world.later(seconds=8)
    await world.settle()
    world.later(minutes=7)
    html = (await browser.client.get(f"/requests/{request_id}")).text
    assert "Result unknown for 7 min" in html
    assert "last asked 7 min ago" in html
    assert "Do not ask for it again" in html
    assert "Money unknown" in html


async def test_i9_money_is_said_of_each_request_wherever_one_is_listed(browser: Browser, world: World) -> None:
    paid = world.approved(amount_minor=100)
    await world.run_until(paid, "succeeded")
    world.submit(world.request(amount_minor=200))
    words = {"no": "No money moved", "yes": "Money refunded"}
    for url in ("/requests?view=all", f"/requests/{paid}"):
        html = (await browser.client.get(url)).text
        for word in words.values():
            assert word in html, (url, word)
    rows = (await browser.client.get("/api/requests")).json()["requests"]
    assert {row["money_moved"] for row in rows} == {"no", "yes"}


async def test_suspicion_is_shown_with_its_reason_beside_the_decision(browser: Browser, world: World) -> None:
    world.config.review.opening_hours = "20:00-21:00"
    request = world.request()
    world.submit(request)
    html = (await browser.client.get(f"/requests/{request.refund_request_id}")).text
    decide = html[html.index('class="card decide"') :]
    assert "At 12:00, outside 20:00-21:00, and no supervisor authorised" in decide
    assert "one approval more is needed" in decide
    assert "0 of 2 approvals given" in decide


async def test_search_finds_a_request_by_its_order_number(browser: Browser, world: World) -> None:
    request = world.request()
    world.submit(request)
    found = await browser.search("/requests/find", ORDER, form_on="/requests")
    assert _listed(found.text) == [request.refund_request_id]
    assert timedelta(0) <= world.now - request.created_at
