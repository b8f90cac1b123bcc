"""Sign-in under attack, roles that change, headers and addresses: threats of docs/threat-model.md."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from backoffice import web
from backoffice.review import DecisionError
from backoffice.store.schema import Account
from backoffice.web import tries
from backoffice.web.app import make_app
from backoffice.web.gate import Desk
from pos_agent.domain.refund import OriginalReference, ReferenceKind
from tests.unit.backoffice.test_web import Browser
from tests.unit.backoffice.world import MERCHANT, PASSWORD, World

pytestmark = pytest.mark.slow

TEMPLATES = Path(web.__file__).parent / "templates"


@pytest_asyncio.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    app = make_app(Desk(world.database, world.context, world.executor.wake))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk", follow_redirects=False) as client:
        yield Browser(client)


async def test_one_address_that_guesses_at_many_accounts_is_slowed_for_all_of_them(
    browser: Browser, world: World
) -> None:
    for number in range(tries.MAX_FAILURES):
        assert (await browser.sign_in(f"nobody{number}", "wrong")).status_code == 401
    refused = await browser.sign_in()
    assert refused.status_code == 429
    call = {"user": "li", "password": PASSWORD}
    assert (await browser.client.post("/api/login", json=call)).status_code == 429
    world.later(minutes=6)
    assert (await browser.sign_in()).status_code == 303


async def test_right_passwords_are_never_counted(browser: Browser) -> None:
    for _ in range(tries.MAX_FAILURES + 5):
        assert (await browser.sign_in()).status_code == 303


async def test_role_taken_away_counts_at_the_next_click(browser: Browser, world: World) -> None:
    request = world.request()
    world.submit(request)
    await browser.sign_in()
    with world.database.writing() as session:
        account = session.get(Account, "li")
        assert account is not None
        account.role = "viewer"
    page = await browser.client.get(f"/requests/{request.refund_request_id}")
    assert 'value="approve"' not in page.text
    with pytest.raises(DecisionError, match="role"):
        world.decide(request.refund_request_id, "approve", who=world.actor("li", "viewer"))


def test_i3_operator_number_given_to_the_reviewer_later_makes_that_person_the_maker(world: World) -> None:
    """An unregistered number is nobody's at first; whoever it turns out to be cannot decide on it."""
    request = world.request(operator_no="77")
    world.submit(request)
    world.map_operator("77", "li")
    for kind in ("approve", "reject", "need_info"):
        with pytest.raises(DecisionError, match="self_approval"):
            world.decide(request.refund_request_id, kind, reason="x")


def test_i3_operator_number_given_to_somebody_else_later_does_not_free_its_maker(world: World) -> None:
    world.map_operator("78", "li")
    request = world.request(operator_no="78")
    world.submit(request)
    world.map_operator("78", "somebody")
    with pytest.raises(DecisionError, match="self_approval"):
        world.decide(request.refund_request_id, "approve")


def test_i3_maker_stays_the_maker_after_a_change_of_role_and_account(world: World) -> None:
    world.map_operator("79", "li")
    request = world.request(operator_no="79")
    world.submit(request)
    world.add_person("li.manager", "manager", person_id="li")
    from backoffice.review import Actor

    with pytest.raises(DecisionError, match="self_approval"):
        world.decide(request.refund_request_id, "approve", who=Actor("li", "li.manager", "manager"))


def test_i3_later_owner_of_a_held_request_cannot_release_it(world: World) -> None:
    world.submit(world.request(operator_no="80"))
    again = world.request(operator_no="80", amount_minor=12_800)
    world.add_sale(order_no="6" * 31, paid_minor=20_000)
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "6" * 31)
    for amount in (1, 1):
        again = world.request(operator_no="80", original_reference=reference, amount_minor=amount)
        world.submit(again)
    assert world.refund(again.refund_request_id).state == "held"
    world.map_operator("80", "li")
    with pytest.raises(DecisionError, match="self_approval"):
        world.decide(again.refund_request_id, "release")
    assert MERCHANT


async def test_every_answer_has_the_headers_that_keep_foreign_code_out(browser: Browser) -> None:
    for path in ("/login", "/requests", "/nowhere", "/static/desk.css", "/api/health"):
        headers = (await browser.client.get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in headers


async def test_https_back_office_says_so_to_browsers_and_marks_its_cookies(browser: Browser, world: World) -> None:
    world.config.server.public_url = "https://desk.example"
    response = await browser.sign_in()
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    for cookie in response.headers.get_list("set-cookie"):
        if "pos_backoffice=" in cookie:
            assert "Secure" in cookie


def test_templates_hold_no_inline_script_or_style_which_the_policy_would_block() -> None:
    for template in TEMPLATES.glob("*.html"):
        source = template.read_text("utf-8")
        assert not re.search(r"<script(?![^>]*\ssrc=)", source), template.name
        assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", source), template.name


def test_every_form_that_changes_something_is_posted_with_a_csrf_token() -> None:
    for template in TEMPLATES.glob("*.html"):
        source = template.read_text("utf-8")
        for form in re.findall(r"<form.*?</form>", source, re.DOTALL):
            if 'method="post"' in form:
                assert 'name="csrf"' in form or "carried(" in form, template.name
            else:
                assert "password" not in form, template.name


async def test_no_secret_is_in_an_address(browser: Browser, world: World) -> None:
    """Cookies and tokens travel in headers and bodies only: addresses are logged by proxies and kept by browsers."""
    response = await browser.sign_in()
    cookie = response.cookies["pos_backoffice"]
    world.submit(world.request())
    for path in ("/requests", "/cases", "/sales", "/terminals"):
        html = (await browser.client.get(path)).text
        assert cookie not in html
        for token in re.findall(r'name="csrf" value="([^"]+)"', html):
            assert not [link for link in re.findall(r'(?:href|action|hx-get)="([^"]+)"', html) if token in link]
