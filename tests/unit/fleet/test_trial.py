"""A configuration in a running till: staged, tried, ended (D17; trust.md 13, 15, 16)."""

import asyncio

import pytest

from pos_agent.domain.desired import ApplyWhen, ConfigState, HealthCheck, Reason
from pos_agent.domain.desired_book import Book
from pos_agent.domain.desired_rules import Health
from pos_agent.domain.events import Key, KeyPressed
from tests.unit.fleet.scene import Scene, desired, in_trial, signed


def test_trust_13_trial_is_durable_before_the_till_switches() -> None:
    scene = Scene()

    async def story() -> None:
        scene.give(signed(desired(5)))
        await asyncio.sleep(3)

    scene.play(story)
    assert scene.till.log[:4] == ["save", "save trial", "config.trial", "restart"]
    assert scene.till.saved is not None
    assert scene.till.saved.highest_version == 5
    assert scene.acks == 1


@pytest.mark.parametrize("when", list(ApplyWhen))
def test_d17_document_waits_until_nobody_is_interrupted(when: ApplyWhen) -> None:
    scene = Scene()
    scene.till.is_free = False

    async def story() -> None:
        scene.give(signed(desired(5, apply=when)))
        await asyncio.sleep(300)
        assert scene.till.log == ["save"]
        assert scene.office.reports[-1].attempted is not None
        assert scene.office.reports[-1].attempted.state is ConfigState.STAGED
        scene.till.is_free = True
        await asyncio.sleep(2)

    scene.play(story)
    assert scene.till.log[-1] == "restart"
    assert set(scene.till.asked) == {when}


def test_d17_somebody_who_begins_while_the_trial_is_written_is_not_interrupted() -> None:
    scene = Scene()
    save = scene.till.save

    async def save_slowly(book: Book) -> None:
        await save(book)
        scene.till.is_free = book.trial is None

    scene.till.save = save_slowly  # type: ignore[method-assign]

    async def story() -> None:
        scene.give(signed(desired(5)))
        await asyncio.sleep(60)
        assert "restart" not in scene.till.log
        scene.till.is_free = True
        await asyncio.sleep(2)

    scene.play(story)
    assert scene.till.log[-1] == "restart"


def test_full_disk_switches_nothing_and_is_tried_again() -> None:
    scene = Scene()
    scene.till.is_disk_full = True

    async def story() -> None:
        scene.give(signed(desired(5)))
        await asyncio.sleep(30)
        assert scene.till.log == []
        assert scene.service.book.staged is None, "not accepted: it comes again with the next connection"
        scene.till.is_disk_full = False
        scene.give(signed(desired(5)))
        await asyncio.sleep(3)

    scene.play(story)
    assert scene.till.log[-1] == "restart"


def test_trust_15_good_trial_is_confirmed_and_reported() -> None:
    scene = Scene(in_trial(desired(5)))

    async def story() -> None:
        await asyncio.sleep(10)

    scene.play(story)
    assert scene.service.book.running is not None
    assert scene.service.book.running.version == 5
    last = scene.office.reports[-1]
    assert last.attempted is not None
    assert (last.attempted.state, last.attempted.tries, last.running.version) == (ConfigState.CONFIRMED, 1, 5)
    assert "restart" not in scene.till.log


def test_trust_15_check_that_turned_red_rolls_back_without_network() -> None:
    scene = Scene(in_trial(desired(5)))
    scene.office.is_connected = False
    scene.till.states = {HealthCheck.PRINTER: Health.RED}

    async def story() -> None:
        await asyncio.sleep(119)
        assert scene.service.book.trial is not None
        await asyncio.sleep(3)

    scene.play(story)
    attempt = scene.service.book.attempts[-1]
    assert (attempt.state, attempt.reason, attempt.detail) == (ConfigState.ROLLED_BACK, Reason.HEALTH, "printer")
    assert scene.till.log[scene.till.log.index("config.rolled_back") + 1] == "restart"
    assert scene.till.saved == scene.service.book
    assert scene.office.reports == []


def test_d17_rollback_waits_for_the_refund_under_way() -> None:
    scene = Scene(in_trial(desired(5)))
    scene.till.states, scene.till.is_free = {HealthCheck.PRINTER: Health.RED}, False

    async def story() -> None:
        await asyncio.sleep(300)
        assert "restart" not in scene.till.log
        scene.till.is_free = True
        await asyncio.sleep(2)

    scene.play(story)
    assert scene.till.log[-1] == "restart"


def test_d18_configuration_that_gave_the_safe_state_is_rolled_back_at_once() -> None:
    scene = Scene(in_trial(desired(5)))
    scene.till.refused_code = "E-CONFIG"

    async def story() -> None:
        await asyncio.sleep(2)

    scene.play(story)
    attempt = scene.service.book.attempts[-1]
    assert (attempt.state, attempt.reason, attempt.detail) == (ConfigState.ROLLED_BACK, Reason.CONFIG, "E-CONFIG")


def test_trust_15_running_time_of_a_trial_is_kept() -> None:
    scene = Scene(in_trial(desired(5), needs_ack=True, remaining_s=600.0))
    scene.office.is_acked = False

    async def story() -> None:
        await asyncio.sleep(100)

    scene.play(story)
    assert scene.till.saved is not None
    assert scene.till.saved.trial is not None
    assert 500 <= scene.till.saved.trial.remaining_s <= 506


def test_trust_16_keys_that_changed_are_pressed_before_it_is_confirmed() -> None:
    scene = Scene(in_trial(desired(5), keys_wanted=("ENTER",)))

    async def story() -> None:
        await asyncio.sleep(60)
        assert scene.service.book.trial is not None
        scene.service.note(KeyPressed(Key.KEY_1, 0.0))
        await asyncio.sleep(5)
        assert scene.service.book.trial is not None
        scene.service.note(KeyPressed(Key.ENTER, 0.0))
        await asyncio.sleep(2)
        assert scene.till.wanted == [("ENTER",), ()]

    scene.play(story)
    assert scene.service.book.trial is None
    assert scene.service.book.running is not None


def test_trust_16_keymap_change_writes_down_which_keys_are_wanted() -> None:
    scene = Scene()
    scene.till.keys = ("1", "ENTER")

    async def story() -> None:
        scene.give(signed(desired(5)))
        await asyncio.sleep(3)

    scene.play(story)
    assert scene.till.saved is not None
    assert scene.till.saved.trial is not None
    assert scene.till.saved.trial.keys_wanted == ("1", "ENTER")


def test_trust_15_ack_is_wanted_where_broker_or_trust_change_and_only_there() -> None:
    for config, is_wanted in (({"broker": {"keep_alive_s": 30}}, True), ({"terminal": {"locale": "en"}}, False)):
        scene = Scene()

        async def story(scene: Scene = scene, config: dict[str, dict[str, object]] = config) -> None:  # type: ignore[assignment]
            scene.give(signed(desired(5, config), is_endorsed=True))
            await asyncio.sleep(3)

        scene.play(story)
        assert scene.till.saved is not None
        assert scene.till.saved.trial is not None
        assert scene.till.saved.trial.needs_ack is is_wanted


def test_trust_13_newer_document_in_a_trial_is_judged_after_it() -> None:
    scene = Scene(in_trial(desired(5)))

    async def story() -> None:
        scene.give(signed(desired(6, {"terminal": {"service_phone": "1"}})))
        await asyncio.sleep(2)
        assert scene.service.book.highest_version == 5
        await asyncio.sleep(10)

    scene.play(story)
    assert scene.service.book.running is not None
    assert (scene.service.book.running.version, scene.service.book.highest_version) == (5, 6)
    assert scene.acks == 1
