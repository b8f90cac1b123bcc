"""The keys of the envelope (D15)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pos_agent.protocol.ed25519 import PrivateKey, PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncKeys:
    """What signs and what is believed.

    Attributes:
        device_key, device_key_id: Signs everything that goes up.
        back_office: Pinned keys by kid; nothing else is believed.
    """

    device_key: PrivateKey = field(repr=False)
    device_key_id: str
    back_office: Mapping[str, PublicKey]
