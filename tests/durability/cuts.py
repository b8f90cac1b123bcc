"""Copies of a journal as a power cut would leave it, and the till that starts on one."""

import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pos_agent.journal.store import Journal
from tests.unit.workflow.rig import Till, running

#: What an effect writes. An effect that is in neither list fails a test: say where it belongs, and reach it.
WRITES = ("commit_refund", "save_draft", "drop_draft", "request_withdraw", "answer_question", "add_print_job")
WRITES_TOO = ("close_shift", "audit")


class Promise(msgspec.Struct, frozen=True):
    """What must be found after a cut: no more and no less. `has_draft` None: either."""

    requests: tuple[str, ...] = ()
    has_draft: bool | None = False
    withdrawn: int = 0
    answered: int = 0
    slips: int = 0


class Cuts:
    """Keeps the files of the journal as they are before and behind each writing call."""

    def __init__(self, journal: Journal, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken: list[tuple[str, Path, Promise]] = []
        self.promise = Promise()
        self._source, self._target = source, target
        for name in (*WRITES, *WRITES_TOO):
            monkeypatch.setattr(journal, name, self._cut_around(name, getattr(journal, name)))

    def _cut_around(self, name: str, call: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        async def cut(*args: Any, **kwargs: Any) -> Any:
            self._cut(f"before {name}")
            if name == "drop_draft":  # it writes twice, the audit line last: between the two either is true
                self.promise = msgspec.structs.replace(self.promise, has_draft=None)
            result = await call(*args, **kwargs)
            self._keep(name, args)
            self._cut(f"behind {name}")
            return result

        return cut

    def _keep(self, name: str, args: tuple[Any, ...]) -> None:
        kept = self.promise
        match name:
            case "commit_refund":
                number = args[0].refund_request_id
                slips = kept.slips + len(args[1])
                kept = msgspec.structs.replace(kept, requests=(*kept.requests, number), has_draft=False, slips=slips)
            case "save_draft" | "drop_draft":
                kept = msgspec.structs.replace(kept, has_draft=name == "save_draft")
            case "request_withdraw":
                kept = msgspec.structs.replace(kept, withdrawn=kept.withdrawn + 1)
            case "answer_question":
                kept = msgspec.structs.replace(kept, answered=kept.answered + 1)
            case "add_print_job" | "close_shift":
                kept = msgspec.structs.replace(kept, slips=kept.slips + 1)
        self.promise = kept

    def _cut(self, name: str) -> None:
        """Copy what a SIGKILL would leave now: the writer has nothing to do at this moment."""
        folder = self._target / f"{len(self.taken):03d}"
        shutil.copytree(self._source, folder)
        self.taken.append((name, folder, self.promise))


async def after_restart(folder: Path, promise: Promise) -> str:
    """Start the till again on what a cut left; return what is not true."""
    till = Till()
    till.clock.boottime += 300  # within the age of a draft, behind the longest of these days
    journal = await Journal.open(folder, terminal_id="t-1", boot_id="boot1", clock=till.clock)
    try:
        await journal.audit_verify()
        records = await journal.newest_refunds(10)
        rows = [row.kind for row in await journal.outbox_due(100)]
        found = Promise(
            requests=tuple(record.request.refund_request_id for record in records),
            has_draft=await journal.load_draft() is not None,
            withdrawn=rows.count("refund.withdraw"),
            answered=rows.count("refund.answer"),
            slips=await journal.unfinished_print_jobs(),
        )
        if rows.count("refund.request") != len(records):
            return f"{len(records)} requests, to be sent: {rows}"
        if promise.has_draft is None:
            promise = msgspec.structs.replace(promise, has_draft=found.has_draft)
        if found != promise:
            return f"found {found}, promised {promise}"
        return await _signed_in(till, journal, "RESUME" if promise.has_draft else "MENU")
    finally:
        await journal.close()


async def _signed_in(till: Till, journal: Journal, expected: str) -> str:
    till.use(journal)
    async with running(till):
        await till.sign_in()
        await till.wait_for(lambda: till.state in ("RESUME", "MENU"))
        return "" if till.state == expected else f"offers {till.state} instead of {expected}"
