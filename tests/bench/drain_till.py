"""The till of row 5: a journal full of requests and the real sync; prints the seconds from connect to the last ack.

``python -m tests.bench.drain_till SPEC``: SPEC is the JSON file that `tests.bench.drain` writes.
"""

import asyncio
import sys
import time
from pathlib import Path

import msgspec

from pos_agent.app.clock import SystemClock
from pos_agent.app.identity import load_back_office_keys, load_device_key
from pos_agent.domain.config import Config
from pos_agent.domain.events import Event, RequestHeld, RequestStored
from pos_agent.journal.store import Journal
from pos_agent.mqtt.connection import MqttConnection
from pos_agent.mqtt.settings import MqttSettings
from pos_agent.sync.keys import SyncKeys
from pos_agent.sync.service import SyncService
from tests.bench.durability import make_request


class Spec(msgspec.Struct, frozen=True):
    """What to drain, and where to."""

    config: Config
    requests: int


class Finish:
    """Sets its event when the last request was stored."""

    def __init__(self, requests: int) -> None:
        self.left, self.held = requests, 0
        self.done = asyncio.Event()

    def take(self, event: Event) -> None:
        """Count; the sink of the sync."""
        self.held += isinstance(event, RequestHeld)
        if isinstance(event, RequestStored):
            self.left -= 1
            if not self.left:
                self.done.set()


async def fill(journal: Journal, spec: Spec) -> None:
    """Commit the requests, many at once."""
    terminal = spec.config.terminal
    for first in range(0, spec.requests, 250):
        numbers = range(first, min(first + 250, spec.requests))
        requests = [
            msgspec.structs.replace(
                make_request(number + 1), terminal_id=terminal.terminal_id, merchant_id=terminal.merchant_id
            )
            for number in numbers
        ]
        await asyncio.gather(*(journal.commit_refund(request, []) for request in requests))


async def drain(spec: Spec) -> float:
    """Fill the journal, then send everything; return the seconds of the sending."""
    config, clock = spec.config, SystemClock()
    terminal = config.terminal
    journal = await Journal.open(
        Path(terminal.data_dir), terminal_id=terminal.terminal_id, boot_id="bench", clock=clock
    )
    await fill(journal, spec)
    finish = Finish(spec.requests)
    service = SyncService(
        journal=journal,
        connection=MqttConnection(MqttSettings.from_broker(config.broker, client_id=terminal.terminal_id)),
        config=config,
        keys=SyncKeys(
            device_key=load_device_key(config.trust),
            device_key_id=config.trust.device_key_id,
            back_office=load_back_office_keys(config.trust),
        ),
        sink=finish.take,
        clock=clock,
        boot_id="bench",
        result_slips=lambda request, update, *, now: (),
        version="bench",
    )
    started = time.monotonic()
    task = asyncio.create_task(service.run(), name="sync")
    try:
        await asyncio.wait_for(finish.done.wait(), 300)
        elapsed = time.monotonic() - started
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        counts = await journal.outbox_counts()
        await journal.close()
    assert (counts.queued, counts.sent, counts.held) == (0, 0, 0), counts
    return elapsed


if __name__ == "__main__":
    if len(sys.argv) > 2:  # a profile of the loop's thread
        import cProfile

        with cProfile.Profile() as profile:
            print(asyncio.run(drain(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Spec))))
        profile.dump_stats(sys.argv[2])
    else:
        print(asyncio.run(drain(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Spec))))
