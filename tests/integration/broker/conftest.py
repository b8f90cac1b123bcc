import pytest

from pos_agent.protocol.ed25519 import PrivateKey
from tests.fixtures_broker import broker, pki

__all__ = ["broker", "pki"]


@pytest.fixture(autouse=True)
def allow_volatile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")


@pytest.fixture
def device_key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture
def office_key() -> PrivateKey:
    return PrivateKey.generate()
