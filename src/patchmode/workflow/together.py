"""Several coroutines at once, ending together: the first failure cancels the rest and is raised as itself.

Must not: swallow a failure, or leave anything running.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def all_of(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines at once and wait for all of them.

    Returns:
        Their results, in the order given.

    Raises:
        Exception: whatever the first of them raised, not wrapped in a group; the others are cancelled and awaited.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as failures:
        raise _first(failures) from failures
    return [task.result() for task in tasks]


async def unless(asking: Coroutine[Any, Any, T], event: asyncio.Event, *, otherwise: T) -> T:
    """What a coroutine answers, or `otherwise` where an event comes first; the coroutine is then cancelled.

    Raises:
        Exception: whatever the coroutine raised.
    """
    answering, coming = asyncio.ensure_future(asking), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({answering, coming}, return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else otherwise
    finally:
        answering.cancel()
        coming.cancel()


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
