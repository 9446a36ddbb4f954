"""Several streams of pages as one.

Must not: know what a page is, or read further ahead than one page of each stream.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

T = TypeVar("T")


async def merged(streams: Sequence[AsyncIterator[T]]) -> AsyncIterator[T]:
    """The pages of all streams, each stream's in its order, and among the streams as they come.

    The next page of a stream is asked for before the present one is handed on, so that all go on at the same time. A
    single stream is handed through, and nothing is read ahead.

    Args:
        streams: read from here on by this function alone.

    Raises:
        Exception: whatever a stream raises; the others are ended then.
    """
    if len(streams) == 1:
        async for only in streams[0]:
            yield only
        return
    reading = {asyncio.create_task(_next(stream)): stream for stream in streams}
    try:
        while reading:
            done, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                stream = reading.pop(task)
                page = task.result()
                if page is not None:
                    reading[asyncio.create_task(_next(stream))] = stream
                    yield page
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _next(stream: AsyncIterator[T]) -> T | None:
    """The next page; None: there is none."""
    return await anext(stream, None)
