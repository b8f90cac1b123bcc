"""The page in headless Chromium: one full refund by clicking, and what a keyboard and a phone need."""

import re
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from hil.bench.client import BenchClient
from hil.simulators.camera import draw
from tests.fixtures_browser import browser
from tests.hil.cashier import Cashier
from tests.hil.conftest import RunningBench

pytestmark = [pytest.mark.bench, pytest.mark.broker, pytest.mark.browser]
__all__ = ["browser"]


@pytest_asyncio.fixture
async def page(running_bench: RunningBench, bench: BenchClient, browser: Browser) -> AsyncIterator[Page]:
    """The page of a fresh bench, in Chinese; any script error fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(running_bench.info["page"])
    await page.wait_for_selector("body.ready")
    yield page
    await context.close()
    assert errors == []


async def press(page: Page, *names: str) -> None:
    """Click keys of the keypad."""
    for name in names:
        await page.click(f'[data-key="{name}"]')


async def wait_screen(page: Page, text: str) -> None:
    """Wait until the operator screen says `text`, and its 确认 is alive again."""
    await expect(page.locator("#spoken")).to_contain_text(text, timeout=15_000)
    await page.wait_for_timeout(700)


async def sign_in(page: Page, info: dict[str, dict[str, str]]) -> None:
    await press(page, *info["operator"]["no"])
    await page.wait_for_timeout(350)
    await press(page, "ENTER", *info["operator"]["pin"])
    await page.wait_for_timeout(350)
    await press(page, "ENTER")
    await wait_screen(page, "请扫顾客账单条码")


async def test_page_full_refund_by_clicking_prints_slips_and_result(
    page: Page, bench: BenchClient, running_bench: RunningBench
) -> None:
    await sign_in(page, running_bench.info)
    await page.click(".sale >> nth=0")
    await wait_screen(page, "可退")
    await press(page, "ENTER")
    await wait_screen(page, "顾客不想要")
    await press(page, "1")
    await wait_screen(page, "提交")
    await press(page, "ENTER")
    await wait_screen(page, "已提交")
    await expect(page.locator("#paper li")).to_have_count(2, timeout=20_000)
    await page.wait_for_timeout(500)
    await press(page, "ENTER")
    await wait_screen(page, "请扫顾客账单条码")
    request_id = bench.state()["daemon"]["last_request_id"]
    bench.decide(request_id, "approve")
    await expect(page.locator("#paper li")).to_have_count(3, timeout=20_000)
    await expect(page.locator("#paper li").first.locator("img")).to_have_attribute("alt", re.compile("成功"))


async def test_page_keyboard_is_the_keypad(page: Page, running_bench: RunningBench) -> None:
    await page.keyboard.type(running_bench.info["operator"]["no"])
    await expect(page.locator("#spoken")).to_contain_text(
        re.compile(f"操作员号: +{running_bench.info['operator']['no']}")
    )


async def test_page_tab_is_fn_on_the_screen_and_shift_tab_leaves_it(page: Page) -> None:
    await expect(page.locator("#operator")).to_be_focused()
    await page.keyboard.press("Shift+Tab")
    await expect(page.locator("#operator")).not_to_be_focused()


async def test_page_fault_switch_shows_what_is_true(page: Page, bench: BenchClient) -> None:
    switch = page.locator('[data-fault="paper_end"]')
    await expect(switch).to_have_attribute("aria-checked", "false")
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "true")
    fault_id = bench.state()["faults"][0]["id"]
    bench.clear_fault(fault_id)
    await expect(switch).to_have_attribute("aria-checked", "false")


async def test_page_starter_plays_a_refused_payment_code_and_takes_a_bill_that_is_free(
    page: Page, bench: BenchClient
) -> None:
    bench.sign_in()
    Cashier(bench).refund_all("wechat")  # by hand: the page was not told
    await page.click("#story-paycode")
    await expect(page.locator("#spoken")).to_contain_text("付款码", timeout=20_000)
    await expect(page.locator("#spoken")).to_contain_text("可退", timeout=10_000)
    await expect(page.locator("#story-stop")).to_be_hidden(timeout=20_000)


async def test_page_camera_is_chosen_and_reads_a_picture_that_is_put_before_it(page: Page, bench: BenchClient) -> None:
    picture = page.locator("#scanner-picture")
    await expect(picture).to_be_hidden()
    await page.select_option("#scanner-kind", "camera")
    await expect(picture).to_be_visible(timeout=30_000)
    bench.wait_device("scanner", is_online=True)
    bench.sign_in()
    photo = BytesIO()
    draw("qr", bench.sales()[0]["code"].encode()).save(photo, "PNG")
    files = [{"name": "bill.png", "mimeType": "image/png", "buffer": photo.getvalue()}]
    await picture.locator("input").set_input_files(files)  # type: ignore[arg-type] # playwright's FilePayload
    await expect(page.locator("#spoken")).to_contain_text("可退", timeout=15_000)


async def test_page_on_a_phone_needs_no_sideways_scrolling(browser: Browser, running_bench: RunningBench) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 844}, locale="en-US")
    page = await context.new_page()
    await page.goto(running_bench.info["page"])
    await page.wait_for_selector("body.ready")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await expect(page.locator("#story-full")).to_contain_text("full refund")
    await context.close()
