"""`wayrate mqtt`: the broker that stands in front of us."""

import os
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import HalfACertificate
from cli.options import AsOf, DataDir, data_folder, database_of, messages, running_clock

mqtt = typer.Typer(help="The MQTT broker in front of Wayrate.", no_args_is_help=True)
FOLDER = "mosquitto"
_WATCH_S = 20.0


@mqtt.callback()
def _several() -> None:
    """The MQTT broker in front of Wayrate."""


@mqtt.command("config")
def config(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to. Default: `mosquitto` in the data folder.")
    ] = None,
    bind: Annotated[str, typer.Option(help="Address that the broker listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port that the broker listens on.", min=1, max=65535)] = 1883,
    certificate: Annotated[
        Path | None, typer.Option(help="Certificate chain (PEM) to listen with TLS.", exists=True, dir_okay=False)
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's key (PEM).", exists=True, dir_okay=False)] = None,
    memory_mib: Annotated[
        int, typer.Option("--memory-mib", help="Memory the broker may fill while Wayrate is away.", min=16)
    ] = 1024,
    watch: Annotated[bool, typer.Option("--watch", help="Go on: keep the passwords up to date until Ctrl-C.")] = False,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Write Mosquitto's configuration, access list and the passwords of the enrolled devices."""
    from ingest.broker_files import Listener, write_configuration, write_passwords

    if (certificate is None) != (key is None):
        raise HalfACertificate
    folder = (out or data_folder(data_dir) / FOLDER).absolute()
    write_configuration(folder, Listener(bind, port, certificate, key), memory_bytes=memory_mib * 1024 * 1024)
    clock = running_clock(as_of)
    first = True
    with database_of(data_dir, keep_running=watch) as database:
        while True:
            passwords = write_passwords(database, folder, clock())
            if first:
                messages.print(
                    f"{passwords.devices:,} device(s) may send. Start the broker: mosquitto -c {folder}/mosquitto.conf"
                )
                if passwords.without:
                    messages.print(
                        f"{passwords.without:,} have a token from before; `wayrate device rotate` gives another."
                    )
            if passwords.changed:
                _tell_broker(folder / "mosquitto.pid")
            if not watch:
                return
            first = False
            time.sleep(_WATCH_S)


def _tell_broker(pid_file: Path) -> None:
    """Let the broker of this folder read its passwords again: it then ends the connections of who may not send."""
    try:
        pid = int(pid_file.read_text())
        if b"mosquitto" in Path(f"/proc/{pid}/comm").read_bytes():
            os.kill(pid, signal.SIGHUP)
            messages.print("The running broker was told.")
    except (OSError, ValueError):
        return  # none runs here
