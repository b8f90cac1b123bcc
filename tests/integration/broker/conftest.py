import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.fixtures_broker import broker, pki

__all__ = ["broker", "pki"]


@pytest.fixture(autouse=True)
def allow_volatile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")


@pytest.fixture
def device_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def office_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()
