from datetime import timedelta

import msgspec
import pytest

from pos_agent.domain.events import Event, LinkChanged
from pos_agent.mqtt.messages import LinkState
from pos_agent.protocol.messages import BackOfficePresenceMessage
from pos_agent.sync._link import LinkView
from tests.fakes.samples import START

UP = LinkState(is_connected=True, conn_seq=1)
DOWN = LinkState(is_connected=False, conn_seq=1, code="E-CLOCK")
ONLINE = BackOfficePresenceMessage(is_online=True, instance="a", conn_seq=3, epoch=1, at=START)


def said(**changes: object) -> BackOfficePresenceMessage:
    return msgspec.structs.replace(ONLINE, **changes)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def view(events: list[Event]) -> LinkView:
    return LinkView(events.append)


def test_link_online_claim_alone_is_not_presence(view: LinkView, events: list[Event]) -> None:
    view.take_link(UP)
    assert view.take_presence(ONLINE) == (True, False)
    assert view.may_be_present
    view.prove()
    assert view.is_present
    assert events == [LinkChanged(True, False), LinkChanged(True, True)]


def test_link_lost_broker_takes_presence_away_with_its_code(view: LinkView, events: list[Event]) -> None:
    view.take_link(UP)
    view.prove()
    view.take_link(DOWN)
    view.take_link(DOWN)
    assert events[-1] == LinkChanged(False, False, "E-CLOCK")
    assert len(events) == 3
    view.take_link(UP)
    assert not view.is_present, "a new connection needs a new proof"


def test_link_proof_while_away_counts_for_nothing(view: LinkView) -> None:
    view.prove()
    view.take_link(UP)
    assert not view.is_present


@pytest.mark.parametrize(
    ("before", "after", "is_taken"),
    [
        (ONLINE, said(is_online=False), True),
        (said(is_online=False), ONLINE, False),
        (ONLINE, said(is_online=False, conn_seq=2), False),
        (said(is_online=False), said(conn_seq=4), True),
        (ONLINE, said(instance="b", at=START + timedelta(seconds=1)), True),
        (ONLINE, said(instance="b", at=START - timedelta(seconds=1)), False),
        (ONLINE, said(instance="b", epoch=2, at=START - timedelta(days=1)), True),
        (said(epoch=2), said(instance="b", epoch=1, at=START + timedelta(days=1)), False),
        (said(term=1), said(instance="b", term=2, at=START - timedelta(days=1)), True),
        (said(term=2), said(instance="b", term=1, at=START + timedelta(days=1)), False),
        (said(term=2), said(instance="b", term=1, epoch=2, at=START + timedelta(days=1)), True),
        (said(term=3), said(term=1, conn_seq=9), False),
        (said(is_online=False, term=1), said(term=3, conn_seq=1), True),
        (said(term=5), said(instance="b", at=START + timedelta(seconds=1)), True),
    ],
    ids=[
        *("will", "replayed online", "late will", "again", "new start", "old start", "new epoch", "old epoch"),
        *("next term, slow clock", "earlier term, fast clock", "earlier term, new epoch"),
        *("own earlier term", "own later term", "no term"),
    ],
)
def test_link_presence_is_ordered(
    view: LinkView, before: BackOfficePresenceMessage, after: BackOfficePresenceMessage, is_taken: bool
) -> None:
    view.take_link(UP)
    view.take_presence(before)
    assert view.take_presence(after)[0] is is_taken


def test_link_another_start_needs_another_proof(view: LinkView) -> None:
    view.take_link(UP)
    view.take_presence(ONLINE)
    view.prove()
    assert view.take_presence(said(instance="b", at=START + timedelta(seconds=1))) == (True, True)
    assert not view.is_present


def test_link_code_of_ours_is_shown_while_connected(view: LinkView, events: list[Event]) -> None:
    view.take_link(UP)
    view.set_code("E-PROTO")
    assert events[-1] == LinkChanged(True, False, "E-PROTO")
