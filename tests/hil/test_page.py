"""The page in headless Chromium: one full refund by clicking, and what a keyboard and a phone need."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from hil.bench.client import BenchClient
from tests.hil.conftest import RunningBench

pytestmark = [pytest.mark.bench, pytest.mark.broker, pytest.mark.browser]

CHROMIUM = "/usr/bin/chromium"
#: No sandbox as root, no graphics card, and nothing that calls home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for all tests of this module."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, running_bench: RunningBench, bench: BenchClient) -> Iterator[Page]:
    """The page of a fresh bench, in Chinese; any script error fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(running_bench.info["page"])
    page.wait_for_selector("body.ready")
    yield page
    context.close()
    assert errors == []


def press(page: Page, *names: str) -> None:
    """Click keys of the keypad."""
    for name in names:
        page.click(f'[data-key="{name}"]')


def wait_screen(page: Page, text: str) -> None:
    """Wait until the operator screen says `text`, and its 确认 is alive again."""
    expect(page.locator("#spoken")).to_contain_text(text, timeout=15_000)
    page.wait_for_timeout(700)


def sign_in(page: Page, info: dict[str, dict[str, str]]) -> None:
    press(page, *info["operator"]["no"])
    page.wait_for_timeout(350)
    press(page, "ENTER", *info["operator"]["pin"])
    page.wait_for_timeout(350)
    press(page, "ENTER")
    wait_screen(page, "请扫顾客账单条码")


def test_page_full_refund_by_clicking_prints_slips_and_result(
    page: Page, bench: BenchClient, running_bench: RunningBench
) -> None:
    sign_in(page, running_bench.info)
    page.click(".sale >> nth=0")
    wait_screen(page, "可退")
    press(page, "ENTER")
    wait_screen(page, "顾客不想要")
    press(page, "1")
    wait_screen(page, "提交")
    press(page, "ENTER")
    wait_screen(page, "已提交")
    expect(page.locator("#paper li")).to_have_count(2, timeout=20_000)
    page.wait_for_timeout(500)
    press(page, "ENTER")
    wait_screen(page, "请扫顾客账单条码")
    request_id = bench.state()["daemon"]["last_request_id"]
    bench.decide(request_id, "approve")
    expect(page.locator("#paper li")).to_have_count(3, timeout=20_000)
    expect(page.locator("#paper li").first.locator("img")).to_have_attribute("alt", re.compile("成功"))


def test_page_keyboard_is_the_keypad(page: Page, running_bench: RunningBench) -> None:
    page.keyboard.type(running_bench.info["operator"]["no"])
    expect(page.locator("#spoken")).to_contain_text(re.compile(f"操作员号: +{running_bench.info['operator']['no']}"))


def test_page_tab_is_fn_on_the_screen_and_shift_tab_leaves_it(page: Page) -> None:
    expect(page.locator("#operator")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#operator")).not_to_be_focused()


def test_page_fault_switch_shows_what_is_true(page: Page, bench: BenchClient) -> None:
    switch = page.locator('[data-fault="paper_end"]')
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    fault_id = bench.state()["faults"][0]["id"]
    bench.clear_fault(fault_id)
    expect(switch).to_have_attribute("aria-checked", "false")


def test_page_starter_plays_a_refused_payment_code(page: Page) -> None:
    page.click("#story-paycode")
    expect(page.locator("#spoken")).to_contain_text("付款码", timeout=20_000)
    expect(page.locator("#story-stop")).to_be_hidden(timeout=20_000)


def test_page_on_a_phone_needs_no_sideways_scrolling(browser: Browser, running_bench: RunningBench) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-US")
    page = context.new_page()
    page.goto(running_bench.info["page"])
    page.wait_for_selector("body.ready")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("#story-full")).to_contain_text("full refund")
    context.close()
