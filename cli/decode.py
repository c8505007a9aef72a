"""`wayrate decode`: what a device's frames say, without a database."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Protocol(StrEnum):
    """The protocols that have a decoder."""

    TELTONIKA = "teltonika"
    OSMAND = "osmand"
    OWNTRACKS = "owntracks"
    TRACCAR = "traccar"
    WAYRATE = "wayrate"


def decode(
    protocol: Annotated[Protocol, typer.Argument(help="The protocol the device speaks.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="One hexadecimal frame, or one request (its query or body), a line. Default: standard input.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Show frames decoded: one JSON object a record, then one with what the gateway answers."""
    import msgspec

    from cli.frame_lines import frames_of, lines_of

    content = file.read_bytes() if file else sys.stdin.buffer.read()
    for frame in frames_of(content.decode("utf-8", "surrogateescape")):
        for line in lines_of(protocol.value, frame):
            typer.echo(msgspec.json.encode(line))
