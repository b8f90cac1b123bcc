from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fixtures_broker import Broker, broker, pki
from tests.integration.fleet.rig import FleetRig, running_rig

__all__ = ["broker", "pki"]


@pytest.fixture
async def rig(broker: Broker) -> AsyncIterator[FleetRig]:
    """A till that is not switched on yet; sockets need a short folder."""
    with TemporaryDirectory(prefix="pa", dir="/tmp") as folder:
        async with running_rig(FleetRig(Path(folder), broker)) as made:
            made.till.add_operator()
            yield made
