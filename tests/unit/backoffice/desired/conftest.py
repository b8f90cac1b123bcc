"""The two fleet keys that tills pin."""

import pytest

from tests.fakes.fleet import Fleet


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()
