"""A printer on a link in memory."""

from drivers.escpos.printer import EscposPrinter
from drivers.escpos.profile import Profile, Tier
from pos_agent.domain.events import DeviceStatusChanged, Event
from tests.fakes.waiting import until
from tests.unit.drivers.escpos.fake_link import FakeLink

PAPER_OUT, READY = 0x38, 0x18
ASB_READY, ASB_COVER, ASB_END = b"\x10\x00\x00\x00", b"\x38\x00\x00\x00", b"\x18\x00\x0c\x00"
#: As fast as a test needs it; nothing here waits for real paper.
FAST = Profile(name="fast", profile_id="fast", speed_mm_s=100_000, cut_s=0.0, chunk_bytes=64, tier=Tier.SENT_CLEAN)
JOB = b"line\n" * 40


class Bench:
    """A printer, its link, and what it told."""

    def __init__(self, profile: Profile) -> None:
        self.link = FakeLink()
        self.events: list[Event] = []
        self.printer = EscposPrinter(profile, self.link, sink=self.events.append, watch_s=0.001)
        self.pauses: list[str] = []

    def codes(self) -> list[str]:
        return [event.code for event in self.events if isinstance(event, DeviceStatusChanged)]


async def looked_again(bench: Bench) -> None:
    """Return when the printer has asked for its status twice more."""
    seen = bench.link.port_polls
    await until(lambda: bench.link.port_polls >= seen + 2)
