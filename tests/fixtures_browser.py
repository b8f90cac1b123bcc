"""Headless Chromium; a test module that clicks imports `browser` and lists it in `__all__`."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

_CHROMIUM = "/usr/bin/chromium"
#: No sandbox as root, no graphics card, and nothing that calls home.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, ended with the test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield browser
        await browser.close()
    # Python 3.11 waits for a child in a thread, which ends a moment after the child was told to.
    async with asyncio.timeout(10):
        for thread in threading.enumerate():
            while "waitpid-" in thread.name and thread.is_alive():  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
