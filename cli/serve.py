"""`wayrate serve`: the gateway that devices upload to, and the API with its pages."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import NobodySignsIn, WorkersWithGateway
from cli.options import AsOf, DataDir, Part, Roads, data_folder, database_of, messages, running_clock

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from api.oidc import OidcSettings
    from storage.pool import Database


MOST_WORKERS = 8
CONNECTIONS = 24  # to the database, of all workers together and of each of four kinds: the embedded one takes 97

TcpPort = Annotated[
    int | None, typer.Option("--tcp-port", help="Port for Teltonika devices over TCP; 0 takes any free one.")
]
UdpPort = Annotated[
    int | None, typer.Option("--udp-port", help="Port for Teltonika devices over UDP; 0 takes any free one.")
]
Broker = Annotated[
    str | None,
    typer.Option(
        "--mqtt", metavar="URL", help="Broker to take devices' messages from: mqtt://HOST:PORT, mqtts:// for TLS."
    ),
]
BrokerSecret = Annotated[
    Path | None,
    typer.Option(
        "--mqtt-secret",
        envvar="WAYRATE_MQTT_SECRET",
        help="File with our password at the broker. Default: where `wayrate mqtt config` writes it.",
    ),
]
Issuer = Annotated[
    str | None,
    typer.Option(
        "--oidc-issuer", envvar="WAYRATE_OIDC_ISSUER", metavar="URL", help="Identity provider for people's sign-in."
    ),
]
Client = Annotated[
    str, typer.Option("--oidc-client", envvar="WAYRATE_OIDC_CLIENT", help="What the provider knows us by.")
]
ClientSecret = Annotated[
    Path | None,
    typer.Option("--oidc-secret", envvar="WAYRATE_OIDC_SECRET", help="File with our secret at the provider."),
]
WorkerCount = Annotated[
    int, typer.Option("--workers", min=1, max=MOST_WORKERS, help="Processes that serve the pages, with --only api.")
]
Passwords = Annotated[
    bool,
    typer.Option(
        "--passwords/--no-passwords",
        envvar="WAYRATE_PASSWORDS",
        help="Whether local accounts sign in by password; without, --oidc-issuer is needed.",
    ),
]
MostAMinute = Annotated[
    int,
    typer.Option(
        "--most-a-minute", envvar="WAYRATE_MOST_A_MINUTE", min=0, help="Requests of one session or address; 0: any."
    ),
]
PublicUrl = Annotated[
    str | None,
    typer.Option("--public-url", envvar="WAYRATE_PUBLIC_URL", metavar="URL", help="Our address in browsers."),
]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one.")] = 8080,
    only: Annotated[Part, typer.Option(help="Serve the device gateway or the API with its pages alone.")] = "all",
    workers: WorkerCount = 1,
    tcp_port: TcpPort = None,
    udp_port: UdpPort = None,
    mqtt: Broker = None,
    mqtt_secret: BrokerSecret = None,
    oidc_issuer: Issuer = None,
    oidc_client: Client = "wayrate",
    oidc_secret: ClientSecret = None,
    public_url: PublicUrl = None,
    passwords: Passwords = True,
    most_a_minute: MostAMinute = 1_200,
    roads: Roads = None,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Serve the device gateway and the pages until Ctrl-C."""
    from cli.asgi import PAGE_THREADS, bind, bind_udp, combined, keep_loaded, server
    from cli.logs import log_as_json
    from ingest.broker_files import SECRET_FILE, read_secret
    from ingest.coalesce import Coalescer
    from ingest.device_routes import add_device_routes
    from ingest.gateway import create_gateway
    from ingest.mqtt_gateway import parse_broker, serving_mqtt
    from ingest.operations_routes import add_metrics_route
    from ingest.tcp_gateway import serving_tcp
    from ingest.udp_gateway import serving_udp

    log_as_json()
    listeners = [bind(host, port)] if workers == 1 else _listeners(host, port, workers, only)
    address = f"http://{host}:{listeners[0].getsockname()[1]}"
    if not passwords and oidc_issuer is None:
        raise NobodySignsIn
    oidc = _oidc(oidc_issuer, oidc_client, oidc_secret, public_url or address)
    pages = Pages(roads, oidc, passwords, most_a_minute or None)
    if workers > 1:
        _serve_by_workers(listeners, address, data_dir, as_of, pages)
        return
    tcp_listener = None if tcp_port is None else bind(host, tcp_port)
    udp_socket = None if udp_port is None else bind_udp(host, udp_port)
    broker = None
    if mqtt is not None:
        secret = mqtt_secret or data_folder(data_dir) / "mosquitto" / SECRET_FILE
        broker = parse_broker(mqtt, read_secret(secret))
    clock = running_clock(as_of)
    with database_of(data_dir, keep_running=True) as database, Coalescer(database) as coalescer, ExitStack() as running:
        gateway = create_gateway(database, clock, coalescer=coalescer)
        add_device_routes(gateway, database, clock)
        add_metrics_route(gateway)
        app: ASGIApp = gateway
        if only != "gateway":
            api = pages.api(database, clock)
            app = api if only == "api" else combined(gateway, api)
        messages.print(f"Serving on {address} — devices post to {address}/v1/readings. Ctrl-C stops.")
        if tcp_listener is not None:
            running.enter_context(serving_tcp(database, clock, tcp_listener, coalescer))
            messages.print(f"Teltonika devices connect to {host}, port {tcp_listener.getsockname()[1]}.")
        if udp_socket is not None:
            running.enter_context(serving_udp(database, clock, udp_socket, coalescer))
            messages.print(f"Teltonika devices send datagrams to {host}, port {udp_socket.getsockname()[1]}.")
        if broker is not None:
            running.enter_context(serving_mqtt(database, coalescer, clock, broker))
            messages.print(f"Messages of devices are taken from the broker at {broker.host}, port {broker.port}.")
        keep_loaded()
        server(app, threads=PAGE_THREADS if only == "api" else None).run(sockets=listeners)


@dataclass(frozen=True, slots=True)
class Pages:
    """What the API and its pages are started with."""

    roads: Path | None
    oidc: "OidcSettings | None"
    passwords: bool
    most_a_minute: int | None

    def api(self, database: "Database", clock: Callable[[], datetime]) -> "FastAPI":
        """What they need is loaded here, for a gateway that is killed is soon back without it."""
        from api.app import create_api
        from scoring.extract import read_road_map

        map_drawn = read_road_map(self.roads) if self.roads else None
        return create_api(
            database, map_drawn, clock, self.oidc, passwords=self.passwords, most_a_minute=self.most_a_minute
        )


@dataclass(frozen=True, slots=True)
class PagesServer:
    """The pages as one of several processes serves them, on a database that is open and migrated already."""

    dsn: str
    pages: Pages
    as_of: str | None
    connections: int  # at most, of each kind

    def __call__(self, listener: "socket.socket") -> None:
        """Serves on that socket until SIGTERM."""
        from cli.asgi import PAGE_THREADS, keep_loaded, server
        from cli.logs import log_as_json
        from storage.pool import Database

        log_as_json()
        with Database(self.dsn, max_connections=self.connections) as database:
            app = self.pages.api(database, running_clock(self.as_of))
            keep_loaded()
            server(app, threads=PAGE_THREADS).run(sockets=[listener])


def _listeners(host: str, port: int, workers: int, only: str) -> "list[socket.socket]":
    from cli.workers import bind_each

    if only != "api":
        raise WorkersWithGateway
    return bind_each(host, port, workers)


def _serve_by_workers(
    listeners: "list[socket.socket]", address: str, data_dir: Path | None, as_of: str | None, pages: Pages
) -> None:
    from cli.workers import run_until_told

    with database_of(data_dir, keep_running=True) as database:
        messages.print(f"Serving on {address} by {len(listeners)} processes. Ctrl-C stops.")
        run_until_told(listeners, PagesServer(database.dsn, pages, as_of, CONNECTIONS // len(listeners)))


def _oidc(issuer: str | None, client: str, secret: Path | None, public_url: str) -> "OidcSettings | None":
    """The identity provider, where one is named."""
    from api.oidc import OidcSettings

    if issuer is None:
        return None
    return OidcSettings(issuer, client, secret.read_text("utf-8").strip() if secret else "", public_url)
