"""The adapter of the simulated acquirer: plain HTTP and JSON."""

from typing import Any

import httpx

from backoffice.config import AcquirerConfig
from backoffice.execution.contract import Answer, Outcome, RefundOrder


class SimulatedAdapter:
    """Speaks to ``hil.acquirer`` or anything with the same four calls."""

    def __init__(self, profile: AcquirerConfig, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        base = profile.url
        if base.startswith("unix:") and transport is None:
            transport, base = httpx.AsyncHTTPTransport(uds=base.removeprefix("unix:")), "http://acquirer"
        self._client = httpx.AsyncClient(
            base_url=base or "http://acquirer", timeout=profile.timeout_s, trust_env=False, transport=transport
        )

    async def refund(self, order: RefundOrder) -> Answer:
        """See `Adapter.refund`. Only a refused TCP connection proves that nothing was sent."""
        body = {
            "refund_no": order.refund_no,
            "sale_ref": order.sale_ref,
            "amount_minor": order.amount_minor,
            "paid_minor": order.paid_minor,
            "currency": order.currency,
        }
        try:
            response = await self._client.post("/refunds", json=body)
            answer = _object(response)
        except httpx.ConnectError as error:
            return Answer(Outcome.REFUSED, "CHANNEL_DOWN", str(error))
        except (httpx.HTTPError, ValueError) as error:
            return Answer(Outcome.UNKNOWN, detail=type(error).__name__)
        if response.status_code == httpx.codes.OK and answer.get("status") == "accepted":
            return Answer(Outcome.ACCEPTED)
        if 400 <= response.status_code < 500 and answer.get("status") == "refused":
            return Answer(Outcome.REFUSED, str(answer.get("code", "")), str(answer.get("detail", "")))
        return Answer(Outcome.UNKNOWN, detail=f"http={response.status_code}")

    async def query(self, refund_no: str) -> Answer:
        """See `Adapter.query`."""
        try:
            response = await self._client.get(f"/refunds/{refund_no}")
            answer = _object(response)
            if response.status_code != httpx.codes.OK:
                return Answer(Outcome.UNKNOWN, detail=f"http={response.status_code}")
            return Answer(Outcome(answer["status"]), str(answer.get("code", "")))
        except (httpx.HTTPError, ValueError, KeyError) as error:
            return Answer(Outcome.UNKNOWN, detail=type(error).__name__)

    async def refunded_minor(self, sale_ref: str) -> int | None:
        """See `Adapter.refunded_minor`."""
        try:
            response = await self._client.get(f"/sales/{sale_ref}")
            total = _object(response).get("refunded_minor")
        except (httpx.HTTPError, ValueError):
            return None
        # Anything but a whole number is no total: a rounded one could hide a refund.
        is_total = response.status_code == httpx.codes.OK and type(total) is int and total >= 0
        return total if is_total else None

    async def close(self) -> None:
        """See `Adapter.close`."""
        await self._client.aclose()


def _object(response: httpx.Response) -> dict[str, Any]:
    """Return the decoded answer.

    Raises:
        ValueError: Not a JSON object, whatever else the bytes are.
    """
    try:
        found = response.json()
    except RecursionError as error:
        raise ValueError("nested without end") from error
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def fetch_bill(profile: AcquirerConfig) -> object:
    """Return the decoded answer of ``GET /bill``.

    Raises:
        OSError: No answer, or none that can be read.
    """
    socket = profile.url.removeprefix("unix:") if profile.url.startswith("unix:") else None
    transport = httpx.HTTPTransport(uds=socket) if socket else None
    base = "http://acquirer" if socket else profile.url
    try:
        with httpx.Client(base_url=base, timeout=profile.timeout_s, trust_env=False, transport=transport) as client:
            return client.get("/bill").raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise OSError(f"{profile.url}: {error}") from error
