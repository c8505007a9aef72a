"""`wayrate plan submit | publish | submissions`: two people put a rate plan into the book."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import NotAllowed, WrongLine
from cli.options import AsOf, DataDir, database_of, messages, moment
from cli.rate import plan_named

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from storage.pool import Database


Named = Annotated[str, typer.Argument(metavar="PLAN", help="A TOML file, or the name of a plan that ships.")]
As = Annotated[
    str, typer.Option("--as", metavar="EMAIL", help="Your account; the password is asked for.", prompt="E-mail")
]
Password = Annotated[str, typer.Option("--password", envvar="WAYRATE_PASSWORD", prompt=True, hide_input=True)]
SIGN = ("actuary",)  # for both: the second one is another person, as docs/security.md says


def submit(
    plan: Named,
    author: As,
    password: Password,
    bias_test: Annotated[
        Path | None,
        typer.Option("--bias-test", help="What `wayrate plan audit --json` printed.", exists=True, dir_okay=False),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", help="The fitted model that the plan names, to be followed.", exists=True, dir_okay=False
        ),
    ] = None,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Let a plan wait for a second person. Only an actuary submits."""
    from pricing.live_model import keep_model
    from pricing.publishing import submit as submit_plan

    found, audit = plan_named(plan), None if bias_test is None else read_audit(bias_test)
    now = moment(as_of)
    with database_of(data_dir) as database:
        who = _who(database, author, password, SIGN, now)
        with database.role("policy") as conn:
            submit_plan(conn, found, who, audit, now)
            if model is not None:
                keep_model(conn, found, model.read_bytes(), now)
    messages.print(f"{found.name} version {found.version} waits for its approval by somebody else. Its hash:")
    typer.echo(found.plan_hash)


def publish(plan: Named, approver: As, password: Password, data_dir: DataDir = None, as_of: AsOf = None) -> None:
    """Approve the very plan that another person submitted, and put it into the book for good."""
    from pricing.errors import PricingError
    from pricing.publishing import approve_and_publish, keep_refusal

    found, now = plan_named(plan), moment(as_of)
    with database_of(data_dir) as database:
        who = _who(database, approver, password, SIGN, now)
        try:
            with database.role("policy") as conn:
                held = approve_and_publish(conn, found, who, now)
        except PricingError as problem:
            with database.role("policy") as conn:
                keep_refusal(conn, found, who, problem, now)
            raise
    messages.print(
        f"{found.name} version {found.version} is published, in effect from {found.effective_from}: submitted by "
        f"{held.author_email}, approved by {held.approver_email}. Its hash:"
    )
    typer.echo(found.plan_hash)


def submissions(data_dir: DataDir = None) -> None:
    """Every plan that was submitted, by whom, and who approved it."""
    from pricing.publishing_store import fetch_submissions

    with database_of(data_dir) as database, database.role("policy") as conn:
        found = fetch_submissions(conn)
    for one in found:
        approved = f"approved by {one.approver_email}" if one.approver_email else "waits"
        typer.echo(
            f"{one.submitted_at:%Y-%m-%d %H:%M}Z  {one.name} {one.version}  {one.plan_hash[:12]}  "
            f"by {one.author_email}  {approved}{'  bias test' if one.has_bias_test else ''}"
        )
    if not found:
        messages.print("Nothing was submitted.")


def _who(database: "Database", email: str, password: str, roles: tuple[str, ...], now: "datetime") -> "UUID":
    """The key of the account that signs for this. Raises WrongCredentials, TooManyAttempts, NotAllowed."""
    from api.accounts import known_account

    account = known_account(database, email, password, now)
    if account.role not in roles:
        raise NotAllowed(email, account.role, roles)
    return account.account_key


def read_audit(path: Path) -> dict[str, Any]:
    """The audit in a file. Raises WrongLine."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise WrongLine(path.name, f"is not JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("plan"), dict):
        raise WrongLine(path.name, "is not what `wayrate plan audit --json` prints")
    return found
