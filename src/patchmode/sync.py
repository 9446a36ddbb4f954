"""The functions that read, without `await`: for a script, and for a notebook whose own loop runs already.

Must not: write. A run is stopped cleanly by whoever owns its loop, and nobody owns the one of a call here.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import patchmode
from patchmode.workflow.inventory.audit import DEFAULT_WANTED

_T = TypeVar("_T")


def audit(
    scope: patchmode.Scope, *, cloud: str = "AzureCloud", wanted: patchmode.WantedSettings = DEFAULT_WANTED
) -> patchmode.AuditReport:
    """As `patchmode.audit`; `cloud` as `patchmode.connect` takes it, as in each function here."""
    return _read(cloud, lambda azure: patchmode.audit(azure, scope, wanted=wanted, clock=patchmode.SystemClock()))


def explain(
    machine: str, *, cloud: str = "AzureCloud", wanted: patchmode.WantedSettings = DEFAULT_WANTED
) -> patchmode.Explanation:
    """As `patchmode.explain`."""
    return _read(cloud, lambda azure: patchmode.explain(azure, machine, wanted=wanted, clock=patchmode.SystemClock()))


def make_plan(
    scope: patchmode.Scope, *, cloud: str = "AzureCloud", wanted: patchmode.WantedSettings = DEFAULT_WANTED
) -> patchmode.Plan:
    """As `patchmode.make_plan`; the plan is in memory only until `patchmode.write_plan` writes it."""
    return _read(cloud, lambda azure: patchmode.make_plan(azure, scope, wanted, clock=patchmode.SystemClock()))


def _read(cloud: str, work: Callable[[patchmode.Azure], Coroutine[Any, Any, _T]]) -> _T:
    async def connected() -> _T:
        async with patchmode.connect(cloud, read_only=True) as azure:
            return await work(azure)

    loop = asyncio.new_event_loop()
    task = loop.create_task(connected())
    with ThreadPoolExecutor(1, "patchmode") as thread:
        try:
            return thread.submit(_finish, loop, task).result()
        except BaseException:  # whoever stops waiting, stops the reading: else leaving the block waits for it
            with suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(task.cancel)
            raise


def _finish(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[_T]") -> _T:
    try:
        return loop.run_until_complete(task)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
