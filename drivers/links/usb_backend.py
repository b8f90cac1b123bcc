"""Which pyusb backend is used: libusb, or on the bench a simulated one.

The one dynamic import of the daemon: ``POS_AGENT_USB_BACKEND=module:function`` names a function that returns a pyusb
backend. A production config refuses it.
"""

import os
from importlib import import_module
from typing import Any

from pos_agent.errors import ConfigValueError

VARIABLE = "POS_AGENT_USB_BACKEND"


def is_overridden() -> bool:
    """Return whether the environment names a backend."""
    return bool(os.environ.get(VARIABLE))


def check_override(*, is_allowed: bool) -> None:
    """Refuse a backend override where it is not allowed.

    Raises:
        ConfigValueError: The variable is set although the config says ``production = true``.
    """
    if os.environ.get(VARIABLE) and not is_allowed:
        raise ConfigValueError(
            "a simulated USB backend is refused in production", key=VARIABLE, origin="environment", hint="unset it"
        )


def load_backend(*, is_allowed: bool) -> Any:
    """Return the backend that the environment names, None for pyusb's own choice (libusb).

    Raises:
        ConfigValueError: Not allowed, malformed, or it cannot be imported.
    """
    check_override(is_allowed=is_allowed)
    target = os.environ.get(VARIABLE, "")
    if not target:
        return None
    module_name, _, function_name = target.partition(":")
    try:
        return getattr(import_module(module_name), function_name)()
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigValueError(
            f"no such backend: {error}", key=VARIABLE, origin="environment", hint="module:function"
        ) from error
