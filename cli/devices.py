"""`wayrate device` and `wayrate account`: who may upload, and who may look."""

from typing import Annotated

import typer

from api.accounts import ROLES, add_account
from cli.options import AsOf, DataDir, database_of, messages, moment
from ingest.devices import enrol
from pricing.policies import assign_device

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
        with database.role("telemetry") as conn:
            enrolled = enrol(conn, device, now, vehicle_class=vehicle_class)
        if policy:
            assign_device(database, policy, device)
    messages.print(f"Enrolled {device}. Its token, shown this once:")
    typer.echo(enrolled.token)


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
