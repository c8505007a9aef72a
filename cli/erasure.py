"""`wayrate erasure`: what privacy officers granted, done."""

from typing import Annotated

import typer

from cli.errors import NotFound
from cli.options import AsOf, DataDir, database_of, messages, moment

erasure = typer.Typer(help="People who asked to be erased.", no_args_is_help=True)


@erasure.command("run")
def run(data_dir: DataDir = None, as_of: AsOf = None) -> None:
    """Erase everybody whose request was granted and waits for nothing, and identities whose time is over. Run it daily.

    Says of each person (by a random key) what was done, or what it waits for: a policy in force, a month that is not
    posted (`wayrate close`), an adjustment or what is not scored of a shared device (`wayrate work`), an open contest.
    """
    from portfolio.erasure import run as erase

    with database_of(data_dir) as database:
        done = erase(database, moment(as_of))
    for one in done:
        if one.waits:
            typer.echo(f"{one.person_key} waits: {', '.join(one.waits)}")
        elif one.request_id is None:
            typer.echo(f"{one.person_key} identity erased")
        else:
            locked = f"; identity locked until {one.identity_until}" if one.identity_until else ""
            typer.echo(f"{one.person_key} erased with {one.devices} device(s){locked}")
    erased = sum(not one.waits for one in done)
    messages.print(f"{erased} erased, {len(done) - erased} waiting.")


@erasure.command("list")
def list_open(data_dir: DataDir = None, as_of: AsOf = None) -> None:
    """Requests that wait for a decision, or were granted and are not done."""
    from portfolio.erasure import waits_for
    from portfolio.erasure_store import fetch_open

    with database_of(data_dir) as database:
        with database.role("policy") as conn:
            found = fetch_open(conn)
        for one in found:
            waits = waits_for(database, one.person_key, moment(as_of).date())
            state = "granted" if one.granted else "to be decided"
            typer.echo(f"{one.request_id} {one.asked_at:%Y-%m-%d} {state:<14} {', '.join(waits)}")
    messages.print(f"{len(found)} open.")


@erasure.command("lift")
def lift(
    device: Annotated[str, typer.Argument(help="The id of a device that was erased with the person it measured.")],
    data_dir: DataDir = None,
) -> None:
    """Let a device be enrolled again that was erased with somebody: it is somebody else's now."""
    from portfolio.erasure import lift as lift_tombstone

    with database_of(data_dir) as database:
        if not lift_tombstone(database, device):
            raise NotFound("erased device", device, "only what was erased needs this")
    messages.print(f"{device} can be enrolled again.", markup=False)
