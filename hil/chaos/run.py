"""A run: start the world, work and break for a while, mend everything, wait until all is settled, judge."""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hil.chaos.cashier import Cashier
from hil.chaos.checker import SECRETS, check_folder
from hil.chaos.faults import Breaker
from hil.chaos.reviewer import FINAL, RESTING, Reviewer
from hil.chaos.sales import HOT_COUNT
from hil.chaos.schedule import acquirer_answers
from hil.chaos.sightings import Claim, read_screen, read_slip
from hil.chaos.spy import Spy
from hil.chaos.technician import Technician
from hil.chaos.verdict import Report
from hil.chaos.world import SPY, World

_log = logging.getLogger(__name__)
#: After the last fault everything must be settled within this.
QUIET_S = 120.0
#: A technician may be at a till.
_READ_AGAIN_S = 60.0
_PAY_CODE_COUNT = 8
#: Each cashier takes a sale that both want now and then.
_HOT_EVERY = 2
#: At the end each cashier looks this many requests up again, whatever was told before.
_SAMPLE = 5
_LOOKS = 3


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is.

    Attributes:
        planted: Variables for tills and back office, by which tests plant bugs.
        faults: Only these of `faults.WEIGHTS`; empty = all.
        is_calm: No faults at all.
        quiet_s: Longest wait for everything to settle.
    """

    folder: Path
    seconds: float
    seed: int
    database: str = "sqlite"
    planted: Mapping[str, str] = {}
    faults: tuple[str, ...] = ()
    is_calm: bool = False
    quiet_s: float = QUIET_S


def run(options: Options) -> Report:
    """Make a run and judge it; its history stays in the folder."""
    asyncio.run(_run(options))
    return check_folder(options.folder)


async def _run(options: Options) -> None:
    seed = options.seed
    world = World(options.folder, seed=seed, database=options.database, planted=options.planted)
    pay_codes = _pay_codes(random.Random(seed + 1))
    (world.folder / SECRETS).write_bytes(msgspec.json.encode([*world.secrets, *pay_codes]))
    for till in world.tills:
        till.secrets += pay_codes
    spy = Spy(SPY, port=world.broker.port, pki=world.pki, seed=seed + 2, history=world.history)
    reviewer, technician = None, None
    try:
        await world.start()
        await world.acquirer.control(acquirer_answers(seed + 3, 2000), is_settled=False)
        spy.start()
        reviewer = Reviewer(world.bo, world.history, seed=seed + 4)
        technician = Technician(world)
        cashiers = [
            Cashier(till, world.history, _queue(world, number), seed=seed + 10 + number, pay_codes=pay_codes)
            for number, till in enumerate(world.tills)
        ]
        await _work(options, world, spy, reviewer, technician, cashiers)
    finally:
        spy.stop()
        if reviewer is not None:
            await reviewer.close()
        if technician is not None:
            await technician.close()
        await world.stop()


def _pay_codes(random_: random.Random) -> list[str]:
    """Return 付款码: 18 digits, WeChat's start with 10 … 15, Alipay's with 25 … 30 (payments.md section 3)."""
    heads = ("10", "13", "15", "25", "28", "30")
    return [
        random_.choice(heads) + "".join(str(random_.randrange(10)) for _ in range(16)) for _ in range(_PAY_CODE_COUNT)
    ]


def _queue(world: World, number: int) -> list[dict[str, object]]:
    """Return the sales of one cashier: own ones, and every second one of those that both get."""
    own = world.sales[HOT_COUNT + number :: len(world.tills)]
    hot = iter(world.sales[:HOT_COUNT])
    queue = []
    for index, sale in enumerate(own):
        if index % _HOT_EVERY == 1 and (both := next(hot, None)) is not None:
            queue.append(both)
        queue.append(sale)
    return queue


async def _work(
    options: Options, world: World, spy: Spy, reviewer: Reviewer, technician: Technician, cashiers: list[Cashier]
) -> None:
    workers: tuple[Cashier | Reviewer | Technician, ...] = (*cashiers, reviewer, technician)
    people = [asyncio.create_task(one.run(), name=f"chaos-person-{n}") for n, one in enumerate(workers)]
    breaker = Breaker(world, spy)
    breaking = (
        None
        if options.is_calm
        else asyncio.create_task(breaker.run(options.seed, options.faults), name="chaos-breaker")
    )
    try:
        await _wait_or_fail([*people, *([breaking] if breaking else [])], options.seconds)
        if breaking is not None:
            breaking.cancel()
            await asyncio.gather(breaking, return_exceptions=True)
            await breaker.settle()
        world.history.add("quiet")
        await world.heal()
        await _settle(options, world, reviewer, technician, cashiers, people)
    finally:
        tasks = [*people, *([breaking] if breaking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await reviewer.note_all()
    world.history.add("bill", differences=await world.reconcile())
    world.history.add("end")


async def _wait_or_fail(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Wait; a robot that ends raised something, and that is our own fault."""
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _settle(
    options: Options,
    world: World,
    reviewer: Reviewer,
    technician: Technician,
    cashiers: list[Cashier],
    people: list[asyncio.Task[None]],
) -> None:
    """Wait until all is decided, told and printed; then look up what the tills have not told yet."""
    for cashier in cashiers:
        cashier.is_idle = True
    deadline = time.monotonic() + options.quiet_s
    asked, why = 0, "not looked at"
    while time.monotonic() < deadline:
        await _wait_or_fail(people, 1.0)
        why = await _unsettled(world, reviewer)
        if why:
            continue
        untold = _untold(world, reviewer)
        if asked >= _LOOKS or (asked and not any(untold.values())):
            break
        if not asked:
            world.history.add("settled")
            for till in world.tills:
                untold[till.name] += _sample(reviewer, till.name, options.seed)
        asked += 1
        for till, cashier in zip(world.tills, cashiers, strict=True):
            cashier.to_look_up = untold[till.name]
        while time.monotonic() < deadline and not all(one.is_at_rest for one in cashiers):
            await _wait_or_fail(people, 0.5)
    if why:
        world.history.add("unsettled", why=why)
    await _read_again(reviewer, technician, people)


async def _read_again(reviewer: Reviewer, technician: Technician, people: list[asyncio.Task[None]]) -> None:
    """Let both read to the end what the back office says now; a slow machine needs its time."""
    requests, alarms = reviewer.reads + 2, technician.reads + 2
    deadline = time.monotonic() + _READ_AGAIN_S
    while (reviewer.reads < requests or technician.reads < alarms) and time.monotonic() < deadline:
        await _wait_or_fail(people, 0.2)


async def _unsettled(world: World, reviewer: Reviewer) -> str:
    """Return what is not settled yet; empty if all is."""
    open_rows = [one for one, row in reviewer.rows.items() if row["state"] not in RESTING]
    if open_rows:
        return f"{len(open_rows)} requests, first {open_rows[0]} {reviewer.rows[open_rows[0]]['state']}"
    for till in world.tills:
        status = await till.pos.status()
        if status is None:
            return f"{till.name} does not answer"
        if status.outbox.queued or status.outbox.sent or not status.is_back_office_present:
            present = status.is_back_office_present
            return f"{till.name} outbox={status.outbox.queued}+{status.outbox.sent} back_office={present}"
        if status.printer_jobs or status.workflow_state != "MENU":
            return f"{till.name} printer_jobs={status.printer_jobs} state={status.workflow_state}"
    return "" if await reviewer.are_all_told() else "a till has not acknowledged a state"


def _sample(reviewer: Reviewer, till: str, seed: int) -> list[str]:
    tails = sorted(one[-6:] for one, row in reviewer.rows.items() if row["terminal_id"] == till)
    return random.Random(seed).sample(tails, min(_SAMPLE, len(tails)))


def _untold(world: World, reviewer: Reviewer) -> dict[str, list[str]]:
    """Return, by till, the tails of final requests whose end neither screen nor paper has told."""
    told = set()
    names = [till.name for till in world.tills]
    for event in world.history.told:
        if event["till"] not in names:
            continue  # a copy of a card: what it says, the till has not said
        seen = read_slip(event) if event["kind"] == "slip" else [read_screen(event["lines"])]
        told |= {one.request_id for one in seen if one is not None and one.claim in (Claim.MOVED, Claim.NEVER)}
    found: dict[str, list[str]] = {till.name: [] for till in world.tills}
    for request_id, row in reviewer.rows.items():
        if row["state"] in FINAL and request_id not in told:
            found[row["terminal_id"]].append(request_id[-6:])
    return found
