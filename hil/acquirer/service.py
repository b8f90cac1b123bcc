"""The acquirer's HTTP interface.

``POST /refunds`` ``{refund_no, sale_ref, amount_minor, paid_minor, currency}``
    ``{"status": "accepted"}`` or ``{"status": "refused", "code"}``
``GET /refunds/{refund_no}``
    ``{"status": "processing" | "succeeded" | "failed" | "abnormal" | "not_found", "code"}``
``GET /sales/{sale_ref}``
    ``{"refunded_minor"}``
``GET /bill``
    every movement
``POST /control`` ``{"next": […], "settle": true}``
    queues answers; settles what is processing

Answers that can be queued: ``accepted``, ``processing``, ``timeout`` (money moves, no answer), ``timeout:lost``
(nothing arrives, no answer), ``failed:NOT_ENOUGH`` (refused, the same number may come again), ``failed:CODE`` (final),
``abnormal``.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hil.acquirer.ledger import Ledger, LedgerLine, RefundStatus, RefusedError

_ANSWER = re.compile(r"accepted|processing|abnormal|timeout(:lost)?|failed:[A-Z_]{1,40}")
#: Refusals after which the same number may be tried again; nothing is kept (payments.md 2.1).
_RETRIABLE = frozenset({"NOT_ENOUGH", "SELLER_BALANCE_NOT_ENOUGH", "FREQUENCY_LIMITED"})


class RefundCall(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST /refunds``."""

    refund_no: str
    sale_ref: str
    amount_minor: int
    paid_minor: int
    currency: str = "CNY"


class ControlCall(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST /control``."""

    next: list[str] = []
    settle: bool = False


class Acquirer:
    """Answers by script, moves money by ledger."""

    def __init__(
        self, ledger: Ledger, *, now: Callable[[], datetime], processing_s: float = 30.0, hang_s: float = 30.0
    ) -> None:
        """Take a ledger.

        Args:
            ledger: The record.
            now: Wall time, UTC.
            processing_s: A ``processing`` refund succeeds after this by itself.
            hang_s: How long a ``timeout`` keeps the caller waiting.
        """
        self._ledger = ledger
        self._now = now
        self._processing = timedelta(seconds=processing_s)
        self._hang_s = hang_s
        self._next: deque[str] = deque()

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/refunds", self._post_refund, methods=["POST"]),
                Route("/refunds/{refund_no}", self._get_refund),
                Route("/sales/{sale_ref}", self._get_sale),
                Route("/bill", self._get_bill),
                Route("/control", self._post_control, methods=["POST"]),
            ]
        )

    async def _post_refund(self, request: Request) -> JSONResponse:
        try:
            call = msgspec.json.decode(await request.body(), type=RefundCall)
        except msgspec.DecodeError as error:
            return JSONResponse({"status": "refused", "code": "INVALID_REQUEST", "detail": str(error)}, 400)
        try:
            wait_s = self._take(call)
        except RefusedError as error:
            return JSONResponse({"status": "refused", "code": error.code, "detail": str(error)}, 403)
        if wait_s:
            await asyncio.sleep(wait_s)
            return JSONResponse({"status": "error"}, 504)
        return JSONResponse({"status": "accepted"})

    def _take(self, call: RefundCall) -> float:
        """Do what the next queued answer says; returns how long the caller is kept waiting without an answer."""
        line = LedgerLine(
            refund_no=call.refund_no,
            sale_ref=call.sale_ref,
            amount_minor=call.amount_minor,
            paid_minor=call.paid_minor,
            currency=call.currency,
            status=RefundStatus.SUCCEEDED,
            at=self._now(),
        )
        if self._ledger.check(line) is not None:
            return 0.0
        answer, _, detail = (self._next.popleft() if self._next else "accepted").partition(":")
        if answer == "timeout" and detail == "lost":
            return self._hang_s
        if answer == "failed":
            if detail not in _RETRIABLE:
                self._ledger.append(msgspec.structs.replace(line, status=RefundStatus.FAILED, code=detail))
            raise RefusedError(detail, "as queued")
        status = RefundStatus(answer) if answer in ("processing", "abnormal") else RefundStatus.SUCCEEDED
        self._ledger.append(msgspec.structs.replace(line, status=status))
        return self._hang_s if answer == "timeout" else 0.0

    async def _get_refund(self, request: Request) -> JSONResponse:
        line = self._ledger.find(request.path_params["refund_no"])
        if line is None:
            return JSONResponse({"status": "not_found"})
        if line.status is RefundStatus.PROCESSING and self._now() - line.at >= self._processing:
            line = self._settle(line)
        return JSONResponse({"status": line.status.value, "code": line.code})

    async def _get_sale(self, request: Request) -> JSONResponse:
        return JSONResponse({"refunded_minor": self._ledger.moved_minor(request.path_params["sale_ref"])})

    async def _get_bill(self, _request: Request) -> JSONResponse:
        return JSONResponse({"movements": msgspec.to_builtins(self._ledger.movements())})

    async def _post_control(self, request: Request) -> JSONResponse:
        try:
            call = msgspec.json.decode(await request.body(), type=ControlCall)
        except msgspec.DecodeError as error:
            return JSONResponse({"error": str(error)}, 400)
        unknown = [answer for answer in call.next if _ANSWER.fullmatch(answer) is None]
        if unknown:
            return JSONResponse({"error": f"unknown answers: {unknown}"}, 400)
        self._next.extend(call.next)
        if call.settle:
            for line in self._ledger.processing():
                self._settle(line)
        return JSONResponse({"queued": list(self._next)})

    def _settle(self, line: LedgerLine) -> LedgerLine:
        settled = msgspec.structs.replace(line, status=RefundStatus.SUCCEEDED, at=self._now())
        self._ledger.append(settled)
        return settled
