from tests.fixtures_broker import broker, pki

__all__ = ["broker", "pki"]
