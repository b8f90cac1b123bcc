"""Fleet people in memory: two keys, and what they sign."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from backoffice.desired import bundle as bundles
from backoffice.desired.bundle import Bundle, Plan, PlannedTill, Wish
from backoffice.desired.fleet_keys import FleetKey
from pos_agent.domain.desired import ConfigState
from pos_agent.protocol.desired import ConfigAttempt, ConfigReported, ConfigVersion
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
#: One signature is enough for it, and two are needed.
HARMLESS: dict[str, Any] = {"printing": {"result_slip": "always"}}
LIMITS: dict[str, Any] = {"policy": {"operator_limit_minor": 30_000}}


class Fleet:
    """Two persons with a key each."""

    def __init__(self) -> None:
        self.first = FleetKey("fleet-a", PrivateKey.generate())
        self.second = FleetKey("fleet-b", PrivateKey.generate())

    @property
    def pins(self) -> dict[str, PublicKey]:
        return {key.kid: key.public_key for key in (self.first, self.second)}

    def plan(self, *till_numbers: tuple[str, int]) -> Plan:
        tills = tuple(PlannedTill(terminal_id=terminal_id, version=number) for terminal_id, number in till_numbers)
        return Plan(made_at=NOW, tills=tills)

    def wish(self, rollout: str = "r1", change: dict[str, Any] | None = None, **fields: Any) -> Wish:
        return Wish(
            **{
                "rollout": rollout,
                "change": HARMLESS if change is None else change,
                "issued": NOW,
                "not_after": NOW + timedelta(days=30),
                "undo_not_after": NOW + timedelta(days=700),
                **fields,
            }
        )

    def sign(self, plan: Plan, wish: Wish | None = None, *, key: FleetKey | None = None) -> Bundle:
        return bundles.make(plan, wish or self.wish(), key or self.first, self.pins)

    def countersign(self, bundle: Bundle) -> Bundle:
        return bundles.countersign(bundle, self.second, self.pins)


def etags(bundle: Bundle, fleet: Fleet, terminal_id: str) -> tuple[str, str]:
    """Return the names of a till's configuration and of its undo."""
    pair = next(pair for pair in bundle.pairs if pair.terminal_id == terminal_id)
    config, undo = bundles.open_pair(pair, fleet.pins)
    return config.etag, undo.etag


def report(terminal_id: str, *, seq: int = 1, running: tuple[int, str] = (0, ""), **fields: Any) -> ConfigReported:
    """Return what a till says; `attempted` as (version, etag, state, reason)."""
    attempted = fields.pop("attempted", None)
    if attempted is not None:
        version, etag, state, reason = attempted
        fields["attempted"] = ConfigAttempt(version=version, etag=etag, state=ConfigState(state), at=NOW, reason=reason)
        fields.setdefault("highest_version", 0 if state == "rejected" else version)
    return ConfigReported(
        **{
            "terminal_id": terminal_id,
            "book_id": "book-1",
            "seq": seq,
            "running": ConfigVersion(version=running[0], etag=running[1]),
            "highest_version": running[0],
            "agent": "0.2.0",
            "at": NOW,
            **fields,
        }
    )


def tampered(raw: msgspec.Raw, old: bytes, new: bytes) -> msgspec.Raw:
    """Return an envelope whose text was changed on the way."""
    assert old in bytes(raw)
    return msgspec.Raw(bytes(raw).replace(old, new))
