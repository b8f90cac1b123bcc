"""The bench API over a bench in memory."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from hil.bench.app import make_app
from tests.fakes.bench import FakeRig


@pytest.fixture
def rig() -> FakeRig:
    """A bench without processes."""
    return FakeRig()


@pytest_asyncio.fixture
async def http(rig: FakeRig) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the bench API."""
    transport = httpx.ASGITransport(app=make_app(rig))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://bench/api/v1") as client:
        yield client
