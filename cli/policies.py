"""`wayrate policy`: what is agreed with a policyholder, from the first day to the last."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.errors import WrongSetting
from cli.options import AsOf, DataDir, database_of, messages, moment, output
from pricing.agreements import Agreed, Asked, assess_claim, cancel, endorse, history, keep_claim, renew
from pricing.money import read_amount
from pricing.policies import add_policy, read_policy_file
from pricing.terms import AT_THE_HOST, TERM_FIELDS
from storage.pool import Database

policies = typer.Typer(help="Policies.", no_args_is_help=True)

PolicyId = Annotated[str, typer.Argument(metavar="POLICY", help="The policy's id.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="TERM=VALUE", help="A term that changes: pay_plan=flat, covers=a,b, factors.territory=rural."
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, kept with the change.")]


@policies.command("add")
def add(
    file: Annotated[
        Path, typer.Argument(help="A policy as TOML or JSON; docs/examples/policy.toml is one.", dir_okay=False)
    ],
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Bind the policy a file describes; the same file again changes nothing."""
    document = read_policy_file(file)
    with database_of(data_dir) as database:
        added = add_policy(database, document, moment(as_of))
    messages.print(f"Policy {added.policy_id} is in the book.")


@policies.command("endorse")
def endorse_policy(
    policy: PolicyId,
    *,
    from_day: Annotated[
        datetime,
        typer.Option("--from", help="The first day of the new terms.", metavar="YYYY-MM-DD", formats=["%Y-%m-%d"]),
    ],
    settings: Settings = None,
    reason: Reason = "endorsed",
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Change terms from a day on; posted months since are adjusted by the day. The same again changes nothing."""
    terms = read_settings(settings or [])
    with database_of(data_dir) as database:
        asked = _asked(database, as_of, reason, "endorse", policy, from_day.date(), terms)
        _say(endorse(database, policy, from_day.date(), terms, asked))


@policies.command("cancel")
def cancel_policy(
    policy: PolicyId,
    *,
    on: Annotated[
        datetime, typer.Option("--on", help="The first day without cover.", metavar="YYYY-MM-DD", formats=["%Y-%m-%d"])
    ],
    reason: Reason = "cancelled",
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """End the cover before a day; posted months since are adjusted by the day. The same again changes nothing."""
    with database_of(data_dir) as database:
        asked = _asked(database, as_of, reason, "cancel", policy, on.date())
        _say(cancel(database, policy, on.date(), asked))


@policies.command("renew")
def renew_policy(
    policy: PolicyId,
    *,
    from_day: Annotated[
        datetime,
        typer.Option("--from", help="The day on which the last term ends.", metavar="YYYY-MM-DD", formats=["%Y-%m-%d"]),
    ],
    until: Annotated[
        datetime,
        typer.Option("--until", help="The first day after the next term.", metavar="YYYY-MM-DD", formats=["%Y-%m-%d"]),
    ],
    settings: Settings = None,
    claims_record: Annotated[
        Path | None,
        typer.Option(help="TOML or JSON of insured_since and claims, where the plan asks for it.", dir_okay=False),
    ] = None,
    reason: Reason = "renewed",
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Add the next term. The same again changes nothing."""
    terms, days = read_settings(settings or []), (from_day.date(), until.date())
    if claims_record is not None:
        terms["claims_record"] = dict(read_policy_file(claims_record).fields)
    with database_of(data_dir) as database:
        asked = _asked(database, as_of, reason, "renew", policy, *days, terms)
        _say(renew(database, policy, *days, terms, asked))


@policies.command("changes")
def changes(
    policy: PolicyId,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Show everything that was agreed, in the order in which it was entered."""
    with database_of(data_dir) as database, database.role("policy") as conn:
        found, _ = history(conn, policy)
    if as_json:
        typer.echo(json.dumps([change.as_dict() for change in found], indent=2, ensure_ascii=False))
        return
    table = Table("what", "from", "term ends", "terms", "entered", "why")
    for change in found:
        terms = ", ".join(f"{name} {value}" for name, value in change.terms.items())
        ends_on = change.ends_on.isoformat() if change.ends_on else ""
        table.add_row(
            change.kind, str(change.effective_on), ends_on, terms, f"{change.made_at:%Y-%m-%d}", change.reason
        )
    output.print(table)


@policies.command("claim")
def claim(
    policy: PolicyId,
    claim_id: Annotated[str, typer.Argument(metavar="CLAIM", help="The claim's id.")],
    *,
    cover: Annotated[str, typer.Option("--cover", help="The cover it falls under.")],
    on: Annotated[
        datetime, typer.Option("--on", help="The day on which it occurred.", metavar="YYYY-MM-DD", formats=["%Y-%m-%d"])
    ],
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Keep a claim; refused where the policy did not give that cover on that day. The same again changes nothing."""
    with database_of(data_dir) as database:
        keep_claim(database, policy, claim_id, cover, on.date(), moment(as_of))
    messages.print(f"Claim {claim_id} of {on:%Y-%m-%d} is kept for policy {policy}.")


@policies.command("assess")
def assess(
    claim_id: Annotated[str, typer.Argument(metavar="CLAIM", help="The claim's id.")],
    incurred: Annotated[
        str, typer.Argument(metavar="AMOUNT", help="Paid and reserved so far, in the currency of the policy's plan.")
    ],
    *,
    settled: Annotated[bool, typer.Option("--settled", help="Nothing more is expected: the claim is closed.")] = False,
    at_fault: Annotated[
        int | None,
        typer.Option("--at-fault", help="The insured driver's share of the fault in percent.", min=0, max=100),
    ] = None,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Keep what a claim costs and whose fault it was; the latest stands. The same again changes nothing."""
    amount = read_amount(incurred)
    if amount is None:
        raise typer.BadParameter(f"AMOUNT {incurred!r} is no amount such as 1234.50")
    with database_of(data_dir) as database:
        kept = assess_claim(database, claim_id, amount, settled, moment(as_of), at_fault)
    messages.print(f"Claim {claim_id} {'stands at' if kept else 'stood already at'} {amount}.")


def read_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`term=value` as terms; several of `factors.` come together. Raises WrongSetting."""
    terms: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        term, dot, factor = name.partition(".")
        if not equals or not value or term not in TERM_FIELDS or (term == "factors") != bool(dot and factor):
            raise WrongSetting(setting, ", ".join("factors.NAME" if one == "factors" else one for one in TERM_FIELDS))
        number: str | int = int(value) if value.isascii() and value.lstrip("-").isdigit() else value
        if term == "factors":
            terms.setdefault("factors", {})[factor] = number
        else:
            terms[term] = value.split(",") if term == "covers" else number
    return terms


def _asked(database: Database, as_of: str | None, reason: str, kind: str, policy: str, *request: object) -> Asked:
    """The same command again, right after, is the same request; later it may well mean something, as to put a term back
    that was changed in between. So the key is the request and its place among the changes. Raises UnknownPolicy.
    """
    digest = hashlib.sha256(json.dumps([str(part) for part in (kind, policy, *request, reason)]).encode()).hexdigest()
    with database.role("policy") as conn:
        changes, _ = history(conn, policy)
    latest = changes[-1]
    again = latest.made_by == AT_THE_HOST and latest.idempotency_key == f"{digest} {latest.sequence}"
    key = latest.idempotency_key if again else f"{digest} {len(changes)}"
    return Asked(AT_THE_HOST, key, moment(as_of), may_backdate=True, reason=reason)


def _say(agreed: Agreed) -> None:
    done = "was agreed before" if agreed.repeated else "is agreed"
    messages.print(f"Policy {agreed.policy_id}: {agreed.change.kind} from {agreed.change.effective_on} {done}.")
    for posting in agreed.adjustments:
        messages.print(f"Adjusted {posting.period}: {posting.amount:+} {posting.currency}.")
