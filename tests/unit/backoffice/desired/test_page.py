"""What people read about the configuration of a till, in both languages."""

import pytest

from backoffice.desired import reports, rollouts
from pos_agent.domain.desired import ConfigState, Reason
from pos_agent.i18n.backoffice import WORDS
from tests.fakes.fleet import Fleet, etags, report
from tests.unit.backoffice.test_web import Browser, browser
from tests.unit.backoffice.world import TERMINAL, World

__all__ = ["browser"]


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("zh-CN", ("配置:", "本机文件", "版本 1 已自动退回: 设备变坏", "配置未生效", "终端退回了新配置")),
        ("en", ("its own file", "version 1 rolled back: a device turned bad", "Configuration did not stay")),
    ],
)
async def test_page_of_tills_says_what_became_of_a_configuration(
    world: World, fleet: Fleet, browser: Browser, locale: str, words: tuple[str, ...]
) -> None:
    bundle = fleet.sign(fleet.plan((TERMINAL, 1)))
    etag, _ = etags(bundle, fleet, TERMINAL)
    await browser.sign_in()
    await browser.client.get(f"/locale/{locale}")
    assert "its own file" not in (await browser.client.get("/terminals")).text
    with world.database.writing() as session:
        rollouts.push(session, bundle, fleet.pins, now=world.context.now, by="li")
        rollouts.release(session, "r1", now=world.context.now, share=rollouts.ALL)
    with world.database.writing() as session:
        reports.note(session, world.context, [report(TERMINAL, attempted=(1, etag, "rolled_back", "health"))])
    pages = [(await browser.client.get(path)).text for path in ("/terminals?view=problems", "/cases")]
    text = " ".join("".join(pages).replace("：", ":").split())
    for each in words:
        assert each in text, each


async def test_reason_that_is_unknown_here_is_not_shown(world: World, browser: Browser) -> None:
    await browser.sign_in()
    said = report(TERMINAL, attempted=(1, "e" * 64, "rejected", "<script>"))
    with world.database.writing() as session:
        reports.note(session, world.context, [said])
    text = (await browser.client.get("/terminals")).text
    assert TERMINAL in text
    assert "script>" not in text.replace("</script>", "").replace("<script src", "")


def test_every_state_and_reason_has_words() -> None:
    states = {state.value for state in ConfigState} | {"held", "waiting", "sent", "passed"}
    assert {f"config.{state}" for state in states - {"held"}} <= set(WORDS)
    assert {f"config_reason.{reason}" for reason in Reason} <= set(WORDS)
