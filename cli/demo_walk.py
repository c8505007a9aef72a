"""`wayrate demo`: the whole path in one command, on a simulated month of real roads."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import uvicorn
from rich.console import Console
from rich.table import Table

from api.accounts import add_account
from api.app import create_api
from api.errors import AccountExists
from cli import demo_world as world
from cli.asgi import bind, combined, server
from cli.demo_book import add_book
from cli.drain import drain
from cli.options import data_folder, database_of, messages
from cli.progress import progress_bar
from ingest.devices import enrol, rotate
from ingest.errors import DeviceExists
from ingest.gateway import create_gateway
from pricing.close import close_period
from pricing.device_links import assign_device
from pricing.driving import policy_score
from pricing.policies import PolicyDocument, add_policy, plan_of_month
from pricing.store import fetch_policy, fetch_statement_of_period, fetch_trips
from scoring.extract import demo_extract, read_road_map
from scoring.match import HiddenMarkovMatcher
from scoring.roads import RoadMap
from simulator.drivers import CITY_CENTRE
from simulator.faults import hold_back
from simulator.surroundings import read_surroundings
from simulator.truth import write_truth
from simulator.upload import upload_fleet
from simulator.world import SimulatedTrip, simulate_month
from storage.pool import Database


def walk(leave: bool, port: int, data_dir: Path | None) -> None:
    """The whole of `wayrate demo`. Running it again repairs and continues; nothing is doubled."""
    listener = bind("127.0.0.1", port)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    clock = _Clock(world.UPLOADED_AT)
    roads = read_road_map(demo_extract())
    with database_of(data_dir, keep_running=True) as database:
        app = combined(create_gateway(database, clock), create_api(database, roads, clock))
        with _serving(server(app), listener):
            _walk_the_path(database, roads, clock, address, data_folder(data_dir) / "truth.jsonl")
            _print_statements(database)
            if not leave:
                _invite(address)
                _until_interrupted()


class _Clock:
    """The demo's time: it stands still until the story moves on, so that every run is the same."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def _walk_the_path(database: Database, roads: RoadMap, clock: _Clock, address: str, truth: Path) -> None:
    """In the order in which it happens: drive, upload, score, close, a late upload, an adjustment, driving on."""
    tokens = _people_and_devices(database)
    with progress_bar("Months before, of customers without a device") as advance:
        add_book(database, advance)
    matcher = HiddenMarkovMatcher(roads)
    trips = _simulated(roads, "Simulating the month", len(world.PARTICIPANTS), world.FIRST_DAY, world.DAYS)
    under_way = _simulated(
        roads, "Simulating the days since", world.DRIVERS_UNDER_WAY, world.UNDER_WAY, world.DAYS_UNDER_WAY
    )
    truth.parent.mkdir(parents=True, exist_ok=True)  # a server of one's own may be used without the folder
    write_truth(truth, [trip.truth for trip in (*trips, *under_way)])
    on_time, late = _split(trips)
    _upload(on_time, tokens, address)
    drain(database, matcher, roads, clock.now)
    clock.now = world.CLOSED_AT
    with progress_bar(f"Closing {world.PERIOD}") as advance:
        close_period(database, world.PERIOD, clock.now, progress=advance)
    clock.now = world.LATE_AT
    messages.print(
        f"One trip of {world.PARTICIPANTS[world.LATE_DRIVER].policy_id} comes late, after the month is closed."
    )
    _upload(late, tokens, address)
    messages.print(f"{world.DRIVERS_UNDER_WAY} of them have driven on since: their month is under way, not posted.")
    _upload(under_way, tokens, address)
    drain(database, matcher, roads, clock.now)


def _simulated(roads: RoadMap, title: str, drivers: int, first_day: date, days: int) -> list[SimulatedTrip]:
    with progress_bar(title) as advance:
        return simulate_month(
            roads,
            drivers=drivers,
            first_day=first_day,
            days=days,
            time_zone=world.TIME_ZONE,
            seed=world.SEED,
            population=CITY_CENTRE,
            surroundings=read_surroundings(demo_extract(), roads),
            progress=advance,
        )


def _people_and_devices(database: Database) -> dict[int, str]:
    """Accounts, policies and devices, whatever of them is there already; each device's token, fresh."""
    tokens = {}
    for index, participant in enumerate(world.PARTICIPANTS):
        add_policy(database, PolicyDocument("demo", participant.policy()), world.UPLOADED_AT)
        _add_account(database, participant.email, "policyholder", participant.name)
        with database.role("telemetry") as conn:
            try:
                tokens[index] = enrol(conn, participant.device_id, world.UPLOADED_AT).token
            except DeviceExists:
                tokens[index] = rotate(conn, participant.device_id, world.UPLOADED_AT).token
        assign_device(database, participant.policy_id, participant.device_id)
    _add_account(database, world.UNDERWRITER, "underwriter", "Demo underwriter")
    _add_account(database, world.SUPPORT, "support", "Demo support")
    _add_account(database, world.ACTUARY, "actuary", "Demo actuary")
    _add_account(database, world.SECOND_ACTUARY, "actuary", "Demo second actuary")
    _add_account(database, world.PRIVACY_OFFICER, "privacy_officer", "Demo privacy officer")
    _add_account(database, world.ADMIN, "admin", "Demo administrator")
    return tokens


def _add_account(database: Database, email: str, role: str, name: str) -> None:
    try:
        with database.role("policy") as conn:
            add_account(conn, email, world.PASSWORD, role, created_at=world.UPLOADED_AT, name=name)
    except AccountExists:
        pass  # a run before this one made it


def _split(trips: list[SimulatedTrip]) -> tuple[list[SimulatedTrip], list[SimulatedTrip]]:
    """What is uploaded in time, and the one trip that is held back until the month is closed."""
    own = [trip for trip in trips if trip.driver == world.LATE_DRIVER]
    late = own[len(own) // 2]
    return hold_back(trips, lambda trip: trip is late)


def _upload(trips: list[SimulatedTrip], tokens: dict[int, str], address: str) -> None:
    with progress_bar("Uploading over HTTP") as advance:
        done = upload_fleet(address, tokens, trips, progress=advance)
    messages.print(
        f"Uploaded {done.sent:,} readings of {len(trips)} trip(s): {done.accepted:,} stored, "
        f"{done.duplicate:,} there already, {done.quarantined:,} quarantined."
    )


def _print_statements(database: Database) -> None:
    """One row a policyholder: what was driven and charged, the score it led to, the premium and its correction."""
    title = f"Statements of {world.PERIOD}, EUR"
    table = Table(
        "policy", "policyholder", "pay plan", "trips", "km", "score", "premium", "of it adjusted", title=title
    )
    for column in table.columns[3:]:
        column.justify = "right"
    with database.role("policy") as conn:
        for participant in world.PARTICIPANTS:
            policy = fetch_policy(conn, participant.policy_id)
            statement = fetch_statement_of_period(conn, participant.policy_id, world.PERIOD)
            assert policy is not None
            assert statement is not None
            trips = fetch_trips(conn, policy.policy_key, world.PERIOD, world.PERIOD)
            score = policy_score(trips, policy, plan_of_month(conn, policy, world.PERIOD).score_model)
            adjusted = statement.total - statement.postings[0].amount
            table.add_row(
                policy.policy_id,
                policy.name,
                policy.pay_plan,
                str(len(trips)),
                f"{sum(trip.distance_m for trip in trips) / 1000:.1f}",
                f"{score.value:.0f}" if score else "",
                str(statement.total),
                f"{adjusted:+}" if adjusted else "",
            )
    Console(width=110).print(table)


def _invite(address: str) -> None:
    messages.print(f"\nPages at [bold]{address}[/] (this machine only). Sign in as")
    messages.print(f"  {world.PARTICIPANTS[0].email}, policyholder, or {world.UNDERWRITER}, underwriter")
    messages.print(f"  {world.SUPPORT}, support (customer cards), or {world.ACTUARY}, actuary (experiments)")
    messages.print(f"  {world.SECOND_ACTUARY}, actuary (the second one for a rate plan)")
    messages.print(f"  {world.ADMIN}, admin (quarantine, devices), or {world.PRIVACY_OFFICER}, privacy officer")
    messages.print(f"  password: {world.PASSWORD}   Ctrl-C stops.")


@contextmanager
def _serving(web: uvicorn.Server, listener: object) -> Iterator[None]:
    """The web server in a thread of this process, up before the body runs and stopped after it."""
    thread = threading.Thread(target=web.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not web.started and thread.is_alive():
        time.sleep(0.02)
    try:
        yield
    finally:
        web.should_exit = True
        thread.join(timeout=10)


def _until_interrupted() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        messages.print("Stopped.")
