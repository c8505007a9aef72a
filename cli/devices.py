"""`wayrate device` and `wayrate account`: who may upload, and who may look."""

from typing import Annotated

import typer

from api.accounts import ROLES, add_account
from cli.options import AsOf, DataDir, database_of, messages, moment
from ingest.devices import enrol, revoke, rotate
from pricing.errors import UnknownPolicy
from pricing.policies import assign_device
from pricing.store import fetch_policy

devices = typer.Typer(help="Devices and their credentials.", no_args_is_help=True)
accounts = typer.Typer(help="People who sign in.", no_args_is_help=True)


@devices.command("enrol")
def enrol_device(
    device: Annotated[str, typer.Argument(help="A name for the device: a-z, 0-9 and -, up to 64 characters.")],
    policy: Annotated[str | None, typer.Option("--policy", help="The policy whose driving it measures.")] = None,
    vehicle_class: Annotated[str, typer.Option("--vehicle-class", help="Whose event thresholds to use.")] = "car",
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Enrol a device and print its token: the only time it can be seen, for only its hash is stored."""
    now = moment(as_of)
    with database_of(data_dir) as database:
        if policy:
            with database.role("policy") as conn:
                if fetch_policy(conn, policy) is None:
                    raise UnknownPolicy(policy)
        with database.role("telemetry") as conn:
            enrolled = enrol(conn, device, now, vehicle_class=vehicle_class)
        if policy:
            assign_device(database, policy, device)
    messages.print(f"Enrolled {device}. Its token, shown this once:")
    typer.echo(enrolled.token)


@devices.command("rotate")
def rotate_token(
    device: Annotated[str, typer.Argument(help="The enrolled device.")],
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Print another token for a device; its earlier ones end after an overlap, so that it can change over."""
    with database_of(data_dir) as database, database.role("telemetry") as conn:
        rotated = rotate(conn, device, moment(as_of))
    messages.print(f"The new token of {device}, shown this once:")
    typer.echo(rotated.token)


@devices.command("revoke")
def revoke_device(
    device: Annotated[str, typer.Argument(help="The enrolled device.")],
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """End a device and all of its tokens now."""
    with database_of(data_dir) as database, database.role("telemetry") as conn:
        revoke(conn, device, moment(as_of))
    messages.print(f"{device} is revoked: nothing it sends is taken any more.")


@devices.command("assign")
def assign(
    device: Annotated[str, typer.Argument(help="The enrolled device.")],
    policy: Annotated[str, typer.Option("--policy", help="The policy whose driving it measures, from its first day.")],
    data_dir: DataDir = None,
) -> None:
    """Let a device measure a policy."""
    with database_of(data_dir) as database:
        assign_device(database, policy, device)
    messages.print(f"{device} measures {policy}.")


@accounts.command("add")
def add(
    email: Annotated[str, typer.Argument(help="The address to sign in with.")],
    role: Annotated[str, typer.Option("--role", help=f"What the person may do: {', '.join(ROLES)}.")] = "policyholder",
    name: Annotated[
        str | None, typer.Option("--name", help="The person's name, where no policy names them yet.")
    ] = None,
    password: Annotated[
        str,
        typer.Option("--password", envvar="WAYRATE_PASSWORD", prompt=True, hide_input=True, confirmation_prompt=True),
    ] = "",
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Add a person who signs in. A policyholder sees the policies that name the same e-mail address."""
    with database_of(data_dir) as database, database.role("policy") as conn:
        add_account(conn, email, password, role, created_at=moment(as_of), name=name)
    messages.print(f"{email} can sign in as {role}.")
