"""sd_notify over a real datagram socket."""

import os
import socket
from pathlib import Path

import pytest

from pos_agent.app.notify import Notifier, watchdog_interval_s


@pytest.mark.parametrize("is_abstract", [False, True])
def test_notifier_sends_one_datagram(tmp_path: Path, is_abstract: bool) -> None:
    name = f"@pos-agent-test-{os.getpid()}" if is_abstract else str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name[1:] if is_abstract else name)
        receiver.settimeout(5)
        Notifier(name).send("READY=1", "STATUS=menu")
        assert receiver.recv(100) == b"READY=1\nSTATUS=menu"


def test_notifier_without_manager_does_nothing(tmp_path: Path) -> None:
    Notifier("").send("READY=1")
    Notifier(str(tmp_path / "gone")).send("READY=1")


def test_watchdog_interval_is_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "90000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_interval_s() == 45
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_interval_s() is None
