"""The refund desk in Chromium, as a clerk uses it: 500 requests queued, a keyboard, a scanner, a narrow phone."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Page

from backoffice.store.schema import Refund
from backoffice.web.app import make_app
from backoffice.web.gate import Desk
from pos_agent.domain.identifiers import make_refund_request_id
from tests.fixtures_browser import browser
from tests.unit.backoffice.world import PASSWORD, World, make_world

pytestmark = [pytest.mark.browser, pytest.mark.slow]
__all__ = ["browser"]

QUEUED = 500
PAGES = ("/requests", "/requests?view=all&page=3", "/cases", "/sales", "/terminals", "/coupons", "/approve")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path, max_requests_per_shift=2 * QUEUED, max_requests_per_till_day=2 * QUEUED) as made:
        made.submit(made.request(amount_minor=10_000))
        with made.database.writing() as session:
            first = session.query(Refund).one()
            row = {column.key: getattr(first, column.key) for column in Refund.__table__.columns} | {"amount_minor": 1}
            for number in range(1, QUEUED):
                at = first.received_at + timedelta(seconds=number)
                session.add(
                    Refund(**{**row, "refund_request_id": make_refund_request_id(number + 9), "received_at": at})
                )
        yield made


@pytest_asyncio.fixture
async def url(world: World) -> AsyncIterator[str]:
    app = make_app(Desk(world.database, world.context, world.executor.wake))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving
    listener.close()


async def _signed_in(browser: Browser, url: str, *, width: int, locale: str) -> tuple[Page, list[str]]:
    context = await browser.new_context(viewport={"width": width, "height": 740})
    page = await context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto(f"{url}/locale/{locale}")
    await page.goto(f"{url}/login")
    await page.keyboard.type("li")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/requests")
    return page, problems


async def test_clerk_with_a_keyboard_and_a_scanner_finds_and_approves_a_request(
    browser: Browser, url: str, world: World
) -> None:
    page, problems = await _signed_in(browser, url, width=1180, locale="zh-CN")
    (wanted,) = [row.refund_request_id for row in world.rows(Refund) if row.amount_minor == 10_000]
    await page.keyboard.type(wanted)  # a scanner in keyboard mode types and ends with ENTER
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/requests/{wanted}")
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.value") == "approve":
            break
    await page.keyboard.press("Enter")
    await page.wait_for_selector("text=已同意")
    assert world.refund(wanted).state == "approved"
    assert problems == []


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
async def test_pages_on_a_phone_need_no_sideways_scrolling_and_the_policy_blocks_nothing(
    browser: Browser, url: str, world: World, locale: str
) -> None:
    page, problems = await _signed_in(browser, url, width=360, locale=locale)
    for path in (*PAGES, f"/requests/{world.rows(Refund)[0].refund_request_id}"):
        await page.goto(url + path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
        small = await page.evaluate(
            "[...document.querySelectorAll('main button')].filter(b => b.getBoundingClientRect().height < 44).length"
        )
        assert small == 0, f"{path}: a finger needs 44 px"
    assert problems == []


async def test_queue_refreshes_by_itself_and_keeps_the_page_and_the_cursor(
    browser: Browser, url: str, world: World
) -> None:
    page, problems = await _signed_in(browser, url, width=1180, locale="en")
    await page.goto(f"{url}/requests?page=10")
    assert await page.locator("#rows li").count() == 50
    await page.keyboard.type("12")
    with world.database.writing() as session:
        session.query(Refund).filter(Refund.received_at > world.now + timedelta(seconds=450)).update(
            {"amount_minor": 77}
        )
    await page.wait_for_selector("text=￥0.77", timeout=15_000)
    assert await page.input_value("[name=q]") == "12"
    assert "Page 10 of 10" in await page.inner_text(".pager")
    assert problems == []
