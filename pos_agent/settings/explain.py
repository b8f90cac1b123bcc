"""Show the effective configuration with the origin of each value; secrets masked."""

from collections.abc import Iterator
from functools import reduce
from typing import Any

import msgspec

from pos_agent.settings.load import LoadedConfig, schema_fields

#: Values whose very content would be a secret. Paths of key files are no secrets and are shown.
SECRET_WORDS = ("password", "pin", "secret", "token")


class ExplainedValue(msgspec.Struct, frozen=True):
    """One value: key, what is in effect, where it came from."""

    key: str
    value: Any
    origin: str


def explain(loaded: LoadedConfig) -> Iterator[ExplainedValue]:
    """Yield every value of the schema in order."""
    for key, _ in schema_fields():
        value = reduce(getattr, key.split("."), loaded.config)
        origin = loaded.origins.get(key)
        if origin is None:
            origin = next((o for k, o in loaded.origins.items() if k.startswith(key + ".")), "default")
        is_secret = any(word in key.rsplit(".", 1)[-1].split("_") for word in SECRET_WORDS)
        yield ExplainedValue(key, "***" if is_secret and value else value, origin)
