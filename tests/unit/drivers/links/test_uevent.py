"""The uevent socket is a nudge: any message will do, and its absence is no fault."""

import socket

import pytest

from drivers.links.uevent import UeventSocket
from tests.fakes.waiting import until


async def test_uevent_many_messages_nudge(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr(ours.__class__, "bind", lambda *_: None)
    monkeypatch.setattr("drivers.links.uevent.socket.socket", lambda *_: ours)
    nudges: list[bool] = []
    listener = UeventSocket(lambda: nudges.append(True))

    assert listener.attach()
    for _ in range(3):
        theirs.send(b"libudev\0...")
    await until(lambda: nudges)

    listener.detach()
    listener.detach()
    theirs.close()


async def test_uevent_not_permitted_is_said_and_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> socket.socket:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr("drivers.links.uevent.socket.socket", refuse)

    listener = UeventSocket(lambda: None)
    assert not listener.attach()
    listener.detach()


async def test_uevent_attaches_to_the_kernel_or_says_no() -> None:
    listener = UeventSocket(lambda: None)
    assert listener.attach() in {True, False}
    listener.detach()
