"""`wayrate plan`: is a rate plan whole, what differs between two, and what a change does to a book."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import plan_fitted, publishing
from cli.documents import read_evaluation, write_document
from cli.errors import NotFound, NothingChosen
from cli.options import messages
from cli.rate import plan_named

plans = typer.Typer(help="Rate plans as files.", no_args_is_help=True)
Named = Annotated[str, typer.Argument(metavar="PLAN", help="A TOML file, or the name of a plan that ships.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Book = Annotated[
    Path, typer.Argument(metavar="BOOK.parquet", help="As `wayrate rate` reads it.", exists=True, dir_okay=False)
]

plans.command("submit")(publishing.submit)
plans.command("publish")(publishing.publish)
plans.command("submissions")(publishing.submissions)
plans.command("fitted")(plan_fitted.fitted)
plans.command("balance")(plan_fitted.balance)
plans.command("monitor")(plan_fitted.monitor)


@plans.command("check")
def check(
    plan: Named,
    profile: Annotated[
        str | None, typer.Option("--profile", help="A jurisdiction profile to hold it to as well as its own.")
    ] = None,
) -> None:
    """Refuse a plan that is not whole or breaks its profile, naming the place; else say what it holds and its hash."""
    from pricing.counted_twice import warnings_of
    from pricing.plan import check_profile
    from pricing.products import catalogue_of

    found = plan_named(plan)
    if profile is not None:
        check_profile(found, _known_profile(profile), plan)
    held = catalogue_of(found)
    menu = "no menu" if held is None else f"a menu of {len(held.perils)} perils with {len(held.rules)} rules"
    messages.print(
        f"{found.name} version {found.version}, from {found.effective_from}, {found.currency}: "
        f"{len(found.covers)} covers, {len(found.pay_plans)} pay plans, {len(found.factors)} factors, "
        f"{len(found.tables)} tables of two, {menu}; jurisdiction {profile or found.jurisdiction or 'none'}; "
        f"score model {found.score_model.version}, of {len(found.score_model.weights)} weights. Its hash:"
    )
    for warning in warnings_of(found):
        messages.print(f"[bold]Look at[/] {escape(warning)}.")
    typer.echo(found.plan_hash)


@plans.command("diff")
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A TOML file, or the name of a plan that ships.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Likewise.")],
) -> None:
    """Every place that differs between two plans. Exit code 1 when any does."""
    from pricing.plan_change import differences

    found = differences(plan_named(old), plan_named(new))
    for one in found:
        typer.echo(f"{one.place}: {one.old or '(not there)'} -> {one.new or '(not there)'}")
    if found:
        raise typer.Exit(1)
    messages.print("No difference.")


@plans.command("impact")
def impact(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A TOML file, or the name of a plan that ships.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Likewise.")],
    book: Book,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it as a page (.html) or .pdf.", dir_okay=False)
    ] = None,
) -> None:
    """What a change of plan does to a book: who pays more, who less, by segment, and the off-balance."""
    found = _impact(old, new, book)
    if out is not None:
        from pricing.document import Heading
        from pricing.filing import dislocation

        title = (
            f"From {found['old']['name']} {found['old']['version']} to {found['new']['name']} {found['new']['version']}"
        )
        write_document(out, title, [Heading(1, title), *dislocation(found)])
        messages.print(f"The page is {out}.")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _show(found)


def _impact(old: str, new: str, book: Path) -> dict[str, Any]:
    from pricing.book_rating import compile_plan
    from pricing.plan_change import impact as impact_of
    from pricing.rating_book import read_rating_book

    compiled = [compile_plan(plan_named(name)) for name in (old, new)]
    books = [read_rating_book(book, plan) for plan in compiled]
    return impact_of(compiled[0], books[0], compiled[1], books[1])


@plans.command("filing")
def filing(
    plan: Named,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The page (.html) or .pdf to write.", dir_okay=False)
    ],
    model: Annotated[
        Path | None, typer.Option("--model", help="What `wayrate fit` wrote.", exists=True, dir_okay=False)
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option("--evaluation", help="What `wayrate evaluate` printed of the model.", exists=True, dir_okay=False),
    ] = None,
    old: Annotated[str | None, typer.Option("--old", help="The plan before this one; with --book.")] = None,
    book: Annotated[
        Path | None, typer.Option("--book", help="As `wayrate rate` reads it.", exists=True, dir_okay=False)
    ] = None,
    bias_test: Annotated[
        Path | None,
        typer.Option("--bias-test", help="What `wayrate plan audit --json` printed.", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Write the filing pack: variables, rates, rules, worked examples, and model, change and audit where given."""
    from pricing.filing import pack, title_of
    from pricing.publishing import check_bias_test
    from pricing.risk.artefact import load

    if (old is None) != (book is None):
        raise NothingChosen("plan filing", "--old and --book go together: a change is of a book")
    found = plan_named(plan)
    audit = None if bias_test is None else publishing.read_audit(bias_test)
    if audit is not None:
        check_bias_test(found, audit)
    change = _impact(old, plan, book) if old and book else None
    loaded = None if model is None else load(model)
    judged = None if evaluation is None else read_evaluation(evaluation, loaded)
    write_document(out, title_of(found), pack(found, loaded, judged, change, audit))
    messages.print(f"The pack is {out}.")


@plans.command("notices")
def notices(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A TOML file, or the name of a plan that ships.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Likewise.")],
    book: Book,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT.parquet", help="The file to write.", dir_okay=False)],
) -> None:
    """Who has to be told that a change raises their premium: both amounts, why, and by when their profile says so."""
    from pricing.book_rating import compile_plan
    from pricing.notices import notices as notices_of
    from pricing.premiums_file import write_notices
    from pricing.rating_book import read_rating_book

    compiled = [compile_plan(plan_named(name)) for name in (old, new)]
    books = [read_rating_book(book, plan) for plan in compiled]
    found = notices_of(compiled[0], books[0], compiled[1], books[1])
    write_notices(out, compiled[1], books[1], found)
    by = f"; send them by {found.send_by}" if found.send_by else "; its profile names no number of days"
    messages.print(f"{len(found.rows):,} of {len(books[1]):,} policies pay more{by}: {out}.")


@plans.command("audit")
def audit(
    plan: Named,
    book: Book,
    group: Annotated[str, typer.Option("--group", help="The book's column of labels that no plan may read.")] = "group",
    claims: Annotated[
        str | None, typer.Option("--claims", help="The book's column of claim counts, to hold prices to.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Does the plan price groups of people apart: which factor stands in for a label, and do claims answer for it."""
    from pricing.book_rating import compile_plan
    from pricing.proxy_audit import audit as audit_of
    from pricing.rating_book import read_claims, read_groups, read_rating_book

    compiled = compile_plan(plan_named(plan))
    labels, counts = read_groups(book, group), None if claims is None else read_claims(book, claims)
    found = audit_of(compiled, read_rating_book(book, compiled), labels, counts)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _show_audit(found)


@plans.command("profiles")
def profiles(
    name: Annotated[str | None, typer.Argument(metavar="[PROFILE]", help="One of them, whole.")] = None,
) -> None:
    """The jurisdiction profiles that ship: what a plan may read and must do there. Not legal advice."""
    from pricing.profile import profile_named, profile_names

    for one in [_known_profile(name)] if name else profile_names():
        profile = profile_named(one)
        typer.echo(f"{one}: {profile.title}. {profile.because}")
        if name:
            typer.echo(f"  a plan may read: {', '.join(sorted(profile.uses)) if profile.uses else 'everything'}")
            typer.echo(f"  never a factor: {', '.join(profile.refuses) or '-'}")
            for duty, meaning in profile.duties.items():
                typer.echo(f"  duties.{duty}: {meaning}")
            kept = profile.identity
            typer.echo(f"  who somebody was is kept {kept.years} years after the cover: {kept.because}")
            for source in profile.sources:
                typer.echo(f"  source: {source}")


def _known_profile(name: str) -> str:
    from pricing.profile import profile_names

    if name not in profile_names():
        raise NotFound("profile", name, f"there are {', '.join(profile_names())}")
    return name


def _show_audit(found: dict[str, Any]) -> None:
    for row in found["groups"]:
        held = ""
        if "claims" in row:
            lowest, highest = row["claims_ratio_interval"]
            held = (
                f"  claims {row['claims']:,} of {row['claims_paid_for']:,.1f} paid for ({lowest:.2f} to {highest:.2f})"
            )
        ratio = "-" if row["price_ratio"] is None else f"{row['price_ratio']:.3f}"
        carried = f"  carried by {', '.join(row['carried_by'])}" if row["carried_by"] else ""
        typer.echo(f"{row['group']:<24} {row['policies']:>9,} policies  {ratio} of the others' price{held}{carried}")
    for row in found["factors"]:
        stands_in = "  stands in for the group" if row["flagged"] else ""
        typer.echo(f"{row['factor']:<24} association {row['association']:.3f}{stands_in}")
    for name in found["unexplained"]:
        messages.print(f"[bold red]{name}[/] pays more than its claims answer for.")


def _show(found: dict[str, Any]) -> None:
    off = "-" if found["off_balance"] is None else f"{found['off_balance']:.4f}"
    typer.echo(
        f"{found['policies']:,} policies: {found['old_amount']} -> {found['new_amount']} {found['currency']} "
        f"({_percent(found['change'])}); off-balance {off}"
    )
    typer.echo(f"{found['pay_less']:,} pay less, {found['pay_the_same']:,} the same, {found['pay_more']:,} more")
    typer.echo("change at " + ", ".join(f"{at} %: {change:+.1%}" for at, change in found["change_quantiles"].items()))
    for name, rows in found["segments"].items():
        for row in rows:
            sums = f"{row['policies']:>9,} {row['old_amount']:>16} {row['new_amount']:>16} {_percent(row['change']):>8}"
            typer.echo(
                f"{name + ': ' + row['level']:<36} {sums}  less {row['pay_less']:>8,}  more {row['pay_more']:>8,}"
            )


def _percent(change: float | None) -> str:
    """A change as text; there is none of nothing."""
    return "-" if change is None else f"{change:+.2%}"
