"""A thread for one piece of work that must not hold the loop (D1): a PIN to compare, a record to flush."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_JOIN_S = 2.0


async def in_own_thread(work: Callable[[], _T], *, name: str) -> _T:
    """Run in a thread of its own that ends with the answer: no pool stays behind with its stack and arena.

    Raises:
        Exception: What `work` raised.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # set together with no error

    def run() -> None:
        result: _T | None = None
        error: BaseException | None = None
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001 - handed to the caller, who sees it raised
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        return await future
    finally:
        thread.join(timeout=_JOIN_S)
