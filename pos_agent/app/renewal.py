"""Looks once a day how long the certificate lasts, and has it renewed in time (trust.md 22)."""

import asyncio
import logging
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.clock import Clock
from pos_agent.domain.config import Config
from pos_agent.domain.events import CertificateChanged
from pos_agent.enrolment.files import finish
from pos_agent.mqtt.validity import validity

_log = logging.getLogger(__name__)
#: After a start, in seconds: a shop that switches all its tills on at eight does not ask at the same moment.
FIRST_S: Final = (60.0, 600.0)
DAY_S: Final = 86_400.0
#: Of the lifetime, after which it is renewed: weeks of daily tries before a third is left.
DUE_SHARE: Final = 0.6
#: Keys, network and back office together; what takes longer hangs.
_DEADLINE_S: Final = 180.0
#: What the menu has a sentence for.
_CODES: Final = frozenset({"E-RENEW1", "E-RENEW2"})
_FAILED, _NEEDS_CLICK = "E-RENEW", "E-RENEW4"


class _Outcome(msgspec.Struct):
    """What the menu needs of `pos_agent.enrolment.worker.Outcome`, whose module reads HTTP."""

    state: str = ""
    code: str = ""
    detail: str = ""


class CertificateWatch:
    """Runs beside the workflow.

    Args:
        config: Whose certificate, and where it is renewed.
        clock: When it is due.
        sink: Takes `CertificateChanged`.
        on_renewed: Connects again, with the new certificate.
        command: What renews; another one in tests.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        sink: EventSink,
        on_renewed: Callable[[], None],
        command: Sequence[str] = (sys.executable, "-m", "pos_agent.enrolment.worker"),
    ) -> None:
        self._config = config
        self._clock = clock
        self._sink = sink
        self._on_renewed = on_renewed
        self._command = command
        self._told = ""

    async def run(self) -> None:
        """Work until cancelled."""
        await asyncio.sleep(random.uniform(*FIRST_S))  # noqa: S311 - spreads load, guards nothing
        while True:
            await self.look()
            await asyncio.sleep(DAY_S * random.uniform(0.9, 1.1))  # noqa: S311 - as above

    async def look(self) -> None:
        """Renew if it is due; tell the menu when that fails, and when it is well again."""
        if not self.is_due():
            self._tell("")  # somebody has renewed it by hand since it was told
            return
        outcome = await self._renew()
        if outcome.state == "accepted":
            _log.info("certificate renewed")
            self._on_renewed()
            self._tell("")
            return
        code = _NEEDS_CLICK if outcome.state == "waiting" else outcome.code if outcome.code in _CODES else _FAILED
        _log.warning("certificate not renewed state=%s code=%s %s", outcome.state, outcome.code, outcome.detail)
        self._tell(code)

    def is_due(self) -> bool:
        """Return whether too little of the lifetime is left; a certificate that cannot be read is due."""
        try:
            not_before, not_after = validity(Path(self._config.broker.cert_file).read_text("ascii"))
        except (OSError, ValueError, IndexError):
            return True
        return self._clock.now().timestamp() >= not_before + (not_after - not_before) * DUE_SHARE

    def _tell(self, code: str) -> None:
        if code != self._told:
            self._told = code
            self._sink(CertificateChanged(code))

    async def _renew(self) -> _Outcome:
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - asyncio would start a thread to wait for it
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": _search_path()},
                start_new_session=True,
            )
        except OSError as error:
            return _Outcome(detail=str(error))
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError), process.stdin as given:
                given.write(msgspec.json.encode(self._config))  # a few KiB: fits the pipe
            await _ended(process)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            with process.stdout as answered:
                said = answered.read()
        try:
            return msgspec.json.decode(said, type=_Outcome)
        except msgspec.DecodeError:
            return _Outcome(detail=f"the process ended with status {process.returncode}")


async def _ended(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of a process, without a thread, for as long as it may take."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    watch = os.pidfd_open(process.pid)  # readable when the process has ended, pidfd_open(2)
    loop.add_reader(watch, ended.set)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DEADLINE_S):
                await ended.wait()
    finally:
        loop.remove_reader(watch)
        os.close(watch)


def _search_path() -> str:
    """Return where this package was found, so that the process finds the same one."""
    return os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))))


def finish_interrupted(config: Config) -> None:
    """Go on with an installation of a certificate that a power cut ended."""
    cert_file, key_file = config.broker.cert_file, config.broker.key_file
    if not (cert_file and key_file):
        return
    try:
        if finish(Path(cert_file), Path(key_file)):
            _log.info("certificate installed that was interrupted")
    except OSError as error:
        _log.error("certificate not installed: %s", error)
