"""Requests from the QR codes of slips (trust.md 8)."""

import io
import json
import sys
from pathlib import Path

import msgspec
import pytest

from backoffice import cli
from backoffice.ingest import rescue
from backoffice.ingest.rescue import Outcome, Rescued
from pos_agent.domain.refund import RefundRequest
from pos_agent.i18n.backoffice import LOCALES, WORDS
from pos_agent.protocol import rescue as code
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.messages import AckStatus, RefundRequestMessage
from tests.unit.backoffice.test_web import Browser, browser
from tests.unit.backoffice.world import TERMINAL, World

__all__ = ["browser"]


def _code(world: World, request: RefundRequest, *, key: PrivateKey | None = None, terminal_id: str = TERMINAL) -> str:
    message = RefundRequestMessage(terminal_id=request.terminal_id, request=request)
    text = code.write(message, kid="d1", key=key or world.keys[terminal_id])
    assert text is not None
    return text


def _take(world: World, text: str) -> Rescued:
    with world.database.writing() as session:
        return rescue.take(session, world.context, text, actor="rescue:li")


async def test_i8_request_of_a_dead_card_is_taken_from_its_slip_and_paid_once(world: World) -> None:
    request = world.request(audit_head="ab" * 32)
    text, request_id = _code(world, request), request.refund_request_id
    found = _take(world, text)
    assert (found.outcome, found.refund_request_id, found.state) == (Outcome.STORED, request_id, "reviewing")
    refund = world.refund(request_id)
    assert refund.body == msgspec.to_builtins(request)
    assert "rescued" in refund.flags
    assert [(line.actor, line.detail) for line in world.trail(request_id)][-1] == (
        "rescue:li",
        "taken from the slip's QR code",
    )
    world.decide(request_id, "approve")
    await world.run_until(request_id, "succeeded")
    assert _take(world, text).outcome is Outcome.DUPLICATE
    assert world.submit(request).status is AckStatus.DUPLICATE
    assert len(world.adapter.moved) == 1


def test_i1_code_read_twice_changes_nothing_the_second_time(world: World) -> None:
    request = world.request()
    text = _code(world, request)
    _take(world, text)
    before = world.refund(request.refund_request_id).version
    assert _take(world, text).outcome is Outcome.DUPLICATE
    assert world.refund(request.refund_request_id).version == before


def test_i1_request_that_came_by_the_broker_first_is_a_duplicate_and_not_marked(world: World) -> None:
    request = world.request()
    world.submit(request)
    assert _take(world, _code(world, request)).outcome is Outcome.DUPLICATE
    assert "rescued" not in world.refund(request.refund_request_id).flags


def test_i2_rescued_request_is_judged_under_the_lock_like_any_other(world: World) -> None:
    world.submit(world.request(amount_minor=10000))
    more = world.request(amount_minor=10000)
    assert _take(world, _code(world, more)).state == "rejected"


def test_rescued_request_with_the_number_of_another_is_a_conflict(world: World) -> None:
    request = world.request(amount_minor=100)
    world.submit(request)
    other = msgspec.structs.replace(request, amount_minor=200)
    assert _take(world, _code(world, other)).outcome is Outcome.CONFLICT
    assert world.refund(request.refund_request_id).amount_minor == 100


def test_code_that_is_forged_foreign_tampered_or_none_is_refused_and_nothing_is_kept(world: World) -> None:
    world.enrol("t-shop-02")
    request = world.request()
    good = _code(world, request)
    unknown = world.request(terminal_id="t-nowhere")
    for text, outcome in [
        (_code(world, request, key=PrivateKey.generate()), Outcome.FORGED),
        (_code(world, request, key=world.keys["t-shop-02"]), Outcome.FORGED),
        (good[:-6] + ("A" if good[-6] != "A" else "B") + good[-5:], Outcome.FORGED),
        (_code(world, unknown), Outcome.UNKNOWN_TERMINAL),
        (good[: len(good) // 2], Outcome.NOT_OURS),
        (request.refund_request_id, Outcome.NOT_OURS),
        ("", Outcome.NOT_OURS),
    ]:
        found = _take(world, text)
        assert found.outcome is outcome, text
        assert found.words in WORDS
        assert not found.is_here
    assert _take(world, good).outcome is Outcome.STORED, "and what was refused is in nobody's way"


def test_every_outcome_has_its_sentence() -> None:
    assert {Rescued(outcome=outcome).words for outcome in Outcome} <= set(WORDS)


async def test_slip_scanned_into_the_search_field_opens_its_request(world: World, browser: Browser) -> None:
    request = world.request()
    await browser.sign_in()
    page = (await browser.client.get("/requests")).text
    assert 'maxlength="1000"' in page
    for _ in range(2):
        response = await browser.search("/requests/find", _code(world, request) + "\r", form_on="/requests")
        assert response.headers["location"] == f"/requests/{request.refund_request_id}"
    assert "凭小票或导出文件补录" in (await browser.client.get(response.headers["location"])).text


async def test_forged_slip_in_the_search_field_is_refused_in_words(world: World, browser: Browser) -> None:
    await browser.sign_in()
    forged = _code(world, world.request(), key=PrivateKey.generate())
    response = await browser.search("/requests/find", forged, form_on="/requests")
    assert response.status_code == 422
    assert WORDS["error.rescue_forged"][0] in response.text


async def test_slip_scanned_by_a_viewer_is_not_taken(world: World, browser: Browser) -> None:
    world.add_person("zhao", "viewer")
    await browser.sign_in("zhao")
    response = await browser.search("/requests/find", _code(world, world.request()), form_on="/requests")
    assert response.status_code == 403


def test_rescue_command_takes_a_scan_from_standard_input_and_says_it_in_both_languages(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "backoffice.toml"
    config.write_text(f'[database]\nurl = "{world.database.engine.url}"\n')
    request = world.request()
    monkeypatch.setattr(sys, "stdin", io.StringIO(_code(world, request) + "\r\n"))
    assert cli.main(["rescue", "--config", str(config), "--by", "li", "--json"]) == 0
    [facts] = json.loads(capsys.readouterr().out)
    assert (facts["outcome"], facts["refund_request_id"]) == ("stored", request.refund_request_id)
    assert {locale in facts for locale in LOCALES} == {True}
    file = tmp_path / "codes.txt"
    file.write_text(f"{_code(world, request)}\n98\n")
    assert cli.main(["rescue", "--config", str(config), str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("后台已有这笔申请")
    assert lines[1] == " / ".join(WORDS["error.rescue_not_ours"])
    assert world.trail(request.refund_request_id)[-1].actor == "rescue:li"
