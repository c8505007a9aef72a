"""Progress bars on standard error; only the bar is silent when it is piped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.options import messages

type Advance = Callable[[int, int], None]


@contextmanager
def progress_bar(task: str) -> Iterator[Advance]:
    """A bar for `task`; the body calls the yielded `advance(done, total)` as it goes."""
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as bar:
        row = bar.add_task(task, total=None)
        yield lambda done, total: bar.update(row, completed=done, total=total)
