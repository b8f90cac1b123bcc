"""The completion ladder: what is claimed is what was answered, and silence is remembered (D13)."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from itertools import islice

import msgspec
import pytest

from drivers.escpos.profile import Profile, Tier
from drivers.escpos.proof import REQUEST_PAPER_STATUS, Ladder, process_ids
from drivers.escpos.status import Facts, PaperStatus, ProcessId, StatusReader
from pos_agent.domain.slip import PrintOutcome
from tests.fakes.waiting import until
from tests.unit.drivers.escpos.rig import ASB_COVER, ASB_READY, FAST, JOB, Bench, looked_again

#: A model that answers everything; each test takes away what its printer does not.
ABLE = msgspec.structs.replace(
    FAST, has_asb=True, has_process_id=True, has_transmit_status=True, tier=Tier.CONFIRMED, chunk_bytes=4096
)
_ID = re.compile(rb"\x1d\(H\x06\x0000(....)", re.DOTALL)


class Answering(Bench):
    """A printer in memory that answers what stands behind a job, or not."""

    def __init__(self, profile: Profile, *, answers: frozenset[str] = frozenset({"id", "paper"})) -> None:
        super().__init__(profile)
        self.answers = answers
        self.before = b""
        self.write = self.link.write
        self.link.write = self._write  # type: ignore[method-assign]

    async def _write(self, data: bytes) -> int:
        count = await self.write(data)
        if (found := _ID.search(data)) and "id" in self.answers:
            self.say(b"\x37\x22" + found[1] + b"\x00")
        if data.endswith(REQUEST_PAPER_STATUS) and "paper" in self.answers:
            self.say(b"\x00")
        return count

    def say(self, data: bytes) -> None:
        self.link.inbox.append(self.before + data)

    async def outcome(self) -> PrintOutcome:
        return (await self.printer.print_job(JOB, on_paused=self.pauses.append)).outcome


Make = Callable[..., Answering]


@pytest.fixture
async def make(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Answering]]:
    monkeypatch.setattr("drivers.escpos.job.ANSWER_GRACE_S", 0.02)
    made: list[Answering] = []

    def build(profile: Profile = ABLE, **options: frozenset[str]) -> Answering:
        made.append(Answering(profile, **options))
        made[-1].link.answers[b"\x1da\xff"] = ASB_READY
        return made[-1]

    yield build
    for bench in made:
        await bench.printer.close()


async def test_job_whose_process_id_comes_back_is_confirmed(make: Make) -> None:
    bench = make()
    await bench.printer.open()
    report = await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert (report.outcome, report.accepted_bytes) == (PrintOutcome.CONFIRMED, len(JOB))
    assert bytes(bench.link.received).startswith(JOB)


async def test_job_on_a_model_without_process_id_is_processed(make: Make) -> None:
    bench = make(msgspec.structs.replace(ABLE, has_process_id=False))
    await bench.printer.open()
    assert await bench.outcome() is PrintOutcome.PROCESSED
    assert bytes(bench.link.received) == JOB + REQUEST_PAPER_STATUS


async def test_unknown_model_is_asked_nothing(make: Make) -> None:
    bench = make(msgspec.structs.replace(FAST, tier=Tier.SENT))
    await bench.printer.open()
    assert await bench.outcome() is PrintOutcome.SENT
    assert bytes(bench.link.received) == JOB, "field.md 18: a clone would print what it does not know"


async def test_silent_tier_falls_back_within_its_deadline_and_is_remembered(make: Make) -> None:
    bench = make(answers=frozenset({"paper"}))
    await bench.printer.open()
    assert await bench.outcome() is PrintOutcome.PROCESSED
    asked = len(_ID.findall(bench.link.received))
    assert await bench.outcome() is PrintOutcome.PROCESSED
    assert len(_ID.findall(bench.link.received)) == asked == 1, "asked again although it had stayed silent"


async def test_printer_silent_on_every_question_is_sent_clean(make: Make) -> None:
    bench = make(answers=frozenset())
    await bench.printer.open()
    assert [await bench.outcome() for _ in range(2)] == [PrintOutcome.SENT_CLEAN] * 2


async def test_id_of_an_earlier_job_confirms_nothing(make: Make) -> None:
    bench = make(answers=frozenset())
    await bench.printer.open()
    bench.link.reply_when_received = (len(JOB), b"\x37\x22abcd\x00")
    assert await bench.outcome() is PrintOutcome.SENT_CLEAN


async def test_id_that_comes_late_opens_its_tier_again(make: Make) -> None:
    bench = make(answers=frozenset())
    await bench.printer.open()
    await bench.outcome()
    found = _ID.search(bench.link.received)
    assert found
    bench.printer.take_idle(0x18, b"\x37\x22" + found[1] + b"\x00")
    bench.answers = frozenset({"id"})
    assert await bench.outcome() is PrintOutcome.CONFIRMED


async def test_paper_answer_still_owed_to_an_earlier_job_proves_nothing(make: Make) -> None:
    bench = make(msgspec.structs.replace(ABLE, has_process_id=False), answers=frozenset())
    await bench.printer.open()
    bench.link.reply_when_received = (len(JOB), ASB_COVER)
    assert await bench.outcome() is PrintOutcome.UNKNOWN
    bench.printer.take_idle(0x18, ASB_READY)
    bench.answers = frozenset({"paper"})
    assert await bench.outcome() is PrintOutcome.SENT_CLEAN, "the answer could have been the first job's"
    assert await bench.outcome() is PrintOutcome.PROCESSED


async def test_paper_answer_found_in_noise_proves_nothing(make: Make) -> None:
    bench = make(msgspec.structs.replace(ABLE, has_process_id=False))
    await bench.printer.open()
    bench.before = b"\xff\x80"
    assert await bench.outcome() is PrintOutcome.SENT_CLEAN


async def test_stop_before_the_id_is_unknown_although_the_id_comes(make: Make) -> None:
    bench = make()
    await bench.printer.open()
    bench.before = ASB_COVER + ASB_READY
    assert await bench.outcome() is PrintOutcome.UNKNOWN


async def test_stop_between_two_looks_makes_the_slip_unknown_and_is_told(make: Make) -> None:
    """A cover knocked open and shut: both reports are read at once, and the status is fine before and after."""
    bench = make(msgspec.structs.replace(FAST, has_asb=True))
    await bench.printer.open()
    bench.link.reply_when_received = (len(JOB), ASB_COVER + ASB_READY)
    assert await bench.outcome() is PrintOutcome.UNKNOWN
    assert bench.pauses == ["EPTR_COVER_OPEN"]
    assert bench.printer.status.is_online
    assert await bench.outcome() is PrintOutcome.SENT_CLEAN, "the stop belongs to the first slip only"


async def test_unplugged_while_the_answer_is_awaited_is_unknown(make: Make) -> None:
    bench = make(answers=frozenset())
    await bench.printer.open()
    job = asyncio.create_task(bench.outcome())
    await until(lambda: _ID.search(bench.link.received))
    bench.link.unplug()
    assert await job is PrintOutcome.UNKNOWN


async def test_job_ends_only_when_the_link_has_handed_over_everything(make: Make) -> None:
    bench = make(msgspec.structs.replace(FAST, tier=Tier.SENT))
    await bench.printer.open()
    bench.link.unsent_bytes = 5
    job = asyncio.create_task(bench.outcome())
    await until(lambda: JOB in bench.link.received)
    await looked_again(bench)
    assert not job.done()
    bench.link.unsent_bytes = 0
    assert await job is PrintOutcome.SENT


async def test_another_printer_on_the_same_cable_starts_at_the_lowest_tier(make: Make) -> None:
    """field.md 18: VID:PID:bcdDevice:serial:port is the key; any change starts low."""
    bench = make()
    await bench.printer.open()
    assert await bench.outcome() is PrintOutcome.CONFIRMED
    await bench.printer.close()
    bench.link.identity = "another"
    await bench.printer.open()
    assert await bench.outcome() is PrintOutcome.SENT
    assert bench.printer.counters["PrinterSwapCount"] == 1


def test_process_ids_are_printable_and_differ() -> None:
    ids = list(islice(process_ids(), 20_000))
    assert len(set(ids)) == len(ids)
    assert all(0x20 <= byte <= 0x7E for identifier in ids for byte in identifier)
    assert next(process_ids(94**4 - 1)) == b"~~~~"


def test_ladder_claims_no_more_than_profile_and_flags_allow() -> None:
    assert Ladder(msgspec.structs.replace(ABLE, tier=Tier.SENT_CLEAN)).tier is Tier.SENT_CLEAN
    assert Ladder(msgspec.structs.replace(ABLE, has_process_id=False)).tier is Tier.PROCESSED
    assert Ladder(Profile(name="unknown")).tier is Tier.SENT


@pytest.mark.parametrize("split", range(12))
def test_reader_finds_id_and_status_wherever_the_bytes_are_cut(split: int) -> None:
    reader = StatusReader(has_process_id=True, has_transmit_status=True)
    data = b"\x37\x22AB\x20~\x00" + ASB_COVER + b"\x0c"
    found = [*reader.feed(data[:split]), *reader.feed(data[split:])]
    assert [type(answer) for answer in found] == [ProcessId, Facts, PaperStatus]
    assert found[0] == ProcessId(b"AB ~")
    assert isinstance(found[2], PaperStatus)
    assert found[2].facts.rec_empty
    assert reader.unknown_count == 0


def test_reader_goes_on_after_a_broken_block() -> None:
    reader = StatusReader(has_process_id=True)
    assert list(reader.feed(b"\x37" + ASB_READY)) == [
        Facts(
            is_offline=False,
            cover_open=False,
            rec_empty=False,
            rec_near_end=False,
            has_cutter_error=False,
            has_error=False,
            is_drawer_pin_high=False,
        )
    ]
    assert list(reader.feed(b"\x37\x22abcd\x01")) == []
    assert reader.unknown_count == 8
