"""`wayrate demo`: the command; what it does is `cli/demo_walk.py`."""

from typing import Annotated

import typer

from cli.options import DataDir


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End when the statements are printed; serve no pages.")] = False,
    port: Annotated[int, typer.Option(help="Port of the gateway and the pages; 0 takes any free one.")] = 8080,
    data_dir: DataDir = None,
) -> None:
    """A simulated month of fourteen policyholders in Helsinki, from device bytes to statements, then its pages.

    Running it again repairs and continues; nothing is doubled.
    """
    from cli.demo_walk import walk

    walk(leave, port, data_dir)
