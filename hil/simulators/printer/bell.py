"""Waiting for "something changed": every waiter wakes, looks, and waits again if it must."""

import asyncio


class Bell:
    """An event that everyone hears who waits when it rings."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Return at the next ring."""
        await self._event.wait()
