"""The inbox: bounded, input first to go."""

import pytest

from pos_agent.app.inbox import MAX_EVENTS, MAX_INPUTS, Inbox
from pos_agent.domain.events import Event, Key, KeyPressed, LinkChanged, ScanRead


async def test_inbox_keeps_order() -> None:
    inbox = Inbox()
    events: list[Event] = [KeyPressed(Key.KEY_1, 1.0), LinkChanged(True, True), ScanRead("x", "", 2.0)]
    for event in events:
        inbox.put(event)
    assert [inbox.queue.get_nowait() for _ in events] == events


async def test_inbox_flooded_with_input_drops_input_and_keeps_facts(caplog: pytest.LogCaptureFixture) -> None:
    inbox = Inbox()
    for _ in range(MAX_INPUTS + 50):
        inbox.put(ScanRead("281312345678901234", "", 0.0))
    inbox.put(LinkChanged(False, False, "E-NET"))
    assert inbox.queue.qsize() == MAX_INPUTS + 1
    assert inbox.dropped == 50
    assert "281312345678901234" not in caplog.text


async def test_inbox_is_bounded_for_facts_too() -> None:
    inbox = Inbox()
    for _ in range(MAX_EVENTS + 1):
        inbox.put(LinkChanged(False, False))
    assert inbox.queue.qsize() == MAX_EVENTS
    assert inbox.dropped == 1
