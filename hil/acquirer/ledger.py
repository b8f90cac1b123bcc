"""The append-only ledger: one JSON line for each fact, fsynced before anybody is answered."""

import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import msgspec


class RefundStatus(StrEnum):
    """Where a refund stands at the acquirer (the words of WeChat Pay v3, lower case)."""

    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABNORMAL = "abnormal"


#: Statuses whose amount is taken from what the sale has left.
_COUNTING = frozenset({RefundStatus.PROCESSING, RefundStatus.SUCCEEDED, RefundStatus.ABNORMAL})


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest fact about one refund number. Money has moved when `status` is SUCCEEDED, and only then.

    Attributes:
        paid_minor: Total of the sale as named by the first refund on it.
        code: With FAILED: why.
    """

    refund_no: str
    sale_ref: str
    amount_minor: int
    paid_minor: int
    currency: str
    status: RefundStatus
    at: datetime
    code: str = ""


class RefusedError(Exception):
    """The acquirer refuses; nothing moved. `code` is in the words of the wallets' interfaces."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class Ledger:
    """What has moved, by refund number and by sale."""

    def __init__(self, path: Path) -> None:
        """Read the file back; a last line without an end was never answered and is cut off."""
        self._lines: dict[str, LedgerLine] = {}
        self._history: list[LedgerLine] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._apply(msgspec.json.decode(line, type=LedgerLine))
        self._file: BinaryIO = path.open("ab")
        if len(whole) != len(data):
            self._file.truncate(len(whole))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def find(self, refund_no: str) -> LedgerLine | None:
        """Return the newest fact about a refund number."""
        return self._lines.get(refund_no)

    def moved_minor(self, sale_ref: str) -> int:
        """Return how much of a sale has gone back."""
        lines = self._lines.values()
        return sum(
            line.amount_minor for line in lines if line.sale_ref == sale_ref and line.status is RefundStatus.SUCCEEDED
        )

    def movements(self) -> list[LedgerLine]:
        """Return the facts by which money moved, in order: the daily bill."""
        return [line for line in self._history if line.status is RefundStatus.SUCCEEDED]

    def processing(self) -> list[LedgerLine]:
        """Return the refunds that are under way."""
        return [line for line in self._lines.values() if line.status is RefundStatus.PROCESSING]

    def check(self, new: LedgerLine) -> LedgerLine | None:
        """Return what is known under this number; refuse what contradicts it or exceeds the sale.

        Raises:
            RefusedError: Same number with other content, another total, or more than was paid.
        """
        known = self._lines.get(new.refund_no)
        if known is not None:
            if (known.sale_ref, known.amount_minor, known.currency) != (new.sale_ref, new.amount_minor, new.currency):
                raise RefusedError("DISCORDANT_REPEAT_REQUEST", "same number, other content")
            return known
        if new.amount_minor <= 0:
            raise RefusedError("INVALID_REQUEST", "amount")
        others = [line for line in self._lines.values() if line.sale_ref == new.sale_ref]
        if any(line.paid_minor != new.paid_minor for line in others):
            raise RefusedError("TOTAL_MISMATCH", "another total for this sale")
        taken = sum(line.amount_minor for line in others if line.status in _COUNTING)
        if taken + new.amount_minor > new.paid_minor:
            raise RefusedError("REFUND_AMT_NOT_EQUAL_TOTAL", f"taken={taken} paid={new.paid_minor}")
        return None

    def append(self, line: LedgerLine) -> None:
        """Make a fact durable, then believe it."""
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._apply(line)

    def _apply(self, line: LedgerLine) -> None:
        self._lines[line.refund_no] = line
        self._history.append(line)
