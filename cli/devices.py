"""`wayrate device` and `wayrate account`: who may upload, and who may look."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.accounts import ROLES, add_account
from cli.errors import NothingChosen, WrongLine
from cli.options import AsOf, DataDir, database_of, messages, moment
from ingest.devices import ROTATION_OVERLAP, Tier, declare_vin, revoke, rotate
from ingest.enrolment import CODE_LIFETIME, IMEI_PREFIX, allow, enrol_checked, enrol_without_token, forbid, make_code
from ingest.errors import BadImei, DeviceErased, DeviceExists
from pricing.device_links import assign_device
from pricing.errors import UnknownPolicy
from pricing.store import fetch_policy

VehicleClass = Annotated[str, typer.Option("--vehicle-class", help="Whose event thresholds to use.")]
TokenTier = Annotated[Tier, typer.Option("--tier", help="What the token proves of who sends it.")]

devices = typer.Typer(help="Devices and their credentials.", no_args_is_help=True)
accounts = typer.Typer(help="People who sign in.", no_args_is_help=True)


@devices.command("enrol")
def enrol_device(
    device: Annotated[str, typer.Argument(help="A name for the device: a-z, 0-9 and -, up to 64 characters.")],
    policy: Annotated[str | None, typer.Option("--policy", help="The policy whose driving it measures.")] = None,
    vehicle_class: VehicleClass = "car",
    tier: TokenTier = "tls",
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
            enrolled = enrol_checked(conn, device, now, tier=tier, vehicle_class=vehicle_class)
        if policy:
            assign_device(database, policy, device)
    messages.print(f"Enrolled {device}. Its token, shown this once:")
    typer.echo(enrolled.token)


@devices.command("code")
def code_for_device(
    device: Annotated[str, typer.Argument(help="The device: enrolled by this, when it is not yet.")],
    hours: Annotated[float, typer.Option("--hours", min=0.01, max=720, help="How long the code can be redeemed.")] = (
        CODE_LIFETIME / timedelta(hours=1)
    ),
    vehicle_class: VehicleClass = "car",
    tier: TokenTier = "tls",
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Print a one-time code that the device or its app exchanges for its token, once, over HTTP."""
    lifetime = timedelta(hours=hours)
    with database_of(data_dir) as database, database.role("telemetry") as conn:
        code = make_code(conn, device, moment(as_of), lifetime=lifetime, tier=tier, vehicle_class=vehicle_class)
    messages.print(f"A code for {device}, shown this once, good once until {code.expires_at:%Y-%m-%d %H:%M} UTC:")
    typer.echo(code.text)


@devices.command("admit")
def admit(
    imeis: Annotated[list[str] | None, typer.Argument(metavar="[IMEI]...", help="IMEIs of 15 digits.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", exists=True, dir_okay=False, help="A text file with an IMEI a line.")
    ] = None,
    vehicle_class: VehicleClass = "car",
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Put IMEIs on the list of those that the Teltonika gateways admit, all of them or none."""
    given = [("", imei) for imei in imeis or ()]
    if file is not None:
        lines = enumerate(file.read_text("utf-8").splitlines(), start=1)
        given += [(f"{file}, line {number}", line.strip()) for number, line in lines if line.strip()]
    if not given:
        raise NothingChosen("device admit", "name IMEIs, or a file of them by --file")
    admitted = 0
    with database_of(data_dir) as database, database.role("telemetry") as conn:
        for place, imei in given:
            try:
                enrol_without_token(conn, IMEI_PREFIX + imei, moment(as_of), vehicle_class=vehicle_class)
                admitted += 1
            except DeviceExists:
                messages.print(f"{imei} is on the list already.", markup=False)
            except DeviceErased:
                messages.print(f"{imei} was erased with the person whom it measured: not admitted.", markup=False)
            except BadImei as error:
                raise WrongLine(place, str(error)) from None
    messages.print(f"{admitted} IMEI(s) admitted.")


@devices.command("forward")
def forward(
    forwarder: Annotated[str, typer.Argument(help="The enrolled device whose token a forwarding server uses.")],
    of: Annotated[list[str], typer.Option("--of", help="A device whose positions it may bring; repeat for more.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take them off the list instead.")] = False,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Bind a forwarder's credential to a list of devices; what it brings of another is quarantined as bad_id."""
    with database_of(data_dir) as database, database.role("telemetry") as conn:
        if remove:
            forbid(conn, forwarder, of)
        else:
            allow(conn, forwarder, of, moment(as_of))
    messages.print(f"{forwarder} may {'no longer ' if remove else ''}bring the positions of {', '.join(of)}.")


@devices.command("rotate")
def rotate_token(
    device: Annotated[str, typer.Argument(help="The enrolled device.")],
    overlap_hours: Annotated[
        float, typer.Option("--overlap-hours", min=0, help="How long its earlier tokens stay good.")
    ] = (ROTATION_OVERLAP / timedelta(hours=1)),
    tier: TokenTier = "tls",
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Print another token for a device; its earlier ones end after an overlap, so that it can change over."""
    now, overlap = moment(as_of), timedelta(hours=overlap_hours)
    with database_of(data_dir) as database, database.role("telemetry") as conn:
        rotated = rotate(conn, device, now, tier=tier, overlap=overlap)
    messages.print(f"The new token of {device}, shown this once; earlier ones end {now + overlap:%Y-%m-%d %H:%M} UTC:")
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


@devices.command("vin")
def vin(
    device: Annotated[str, typer.Argument(help="The enrolled device.")],
    number: Annotated[str, typer.Argument(metavar="VIN", help="Its vehicle's number, of 17 letters and digits.")],
    data_dir: DataDir = None,
) -> None:
    """Declare which vehicle a device is in: trips that come with the number of another one do not count."""
    with database_of(data_dir) as database, database.role("telemetry") as conn:
        declare_vin(conn, device, number.strip().upper())
    messages.print(f"{device} is in the vehicle {number.strip().upper()}.", markup=False)


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
