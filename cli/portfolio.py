"""`wayrate portfolio`: the methods of the book of customers, each held to the truth of a simulated world."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cli.layers import Territory, TerritoryField
from cli.options import AsOf, DataDir, database_of, messages, moment
from cli.progress import progress_bar

portfolio = typer.Typer(help="Who is treated how, and whether it pays.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed, the same result.")]


@portfolio.command("litmus")
def litmus(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many simulated markets.")] = 8,
    customers: Annotated[int, typer.Option("--customers", min=4000, help="Customers of each market.")] = 20_000,
    pilot: Annotated[int, typer.Option("--pilot", min=4000, help="Renewals by lot to learn from.")] = 200_000,
    contacts: Annotated[
        int,
        typer.Option("--contacts", min=0, max=20, help="Earlier contacts of each, whose answers were written down."),
    ] = 0,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """The litmus test against all, nobody, and four oracles: from who knows all that can be known to who knows all."""
    from portfolio.comparison import interval
    from portfolio.litmus_check import ORACLES, check
    from portfolio.strategies import fit
    from simulator.book.behaviour import read_behaviour
    from simulator.book.competition import make_round
    from simulator.book.formula import read_formula

    checks = []
    with progress_bar("Markets") as advance:
        for number in range(seeds):
            made = make_round(seed + number, customers, 5, read_formula(), read_behaviour(), pilot, contacts)
            checks.append(check(made.market, fit(made.pilot)))
            advance(number + 1, seeds)
    found = {name: interval([getattr(one, name) for one in checks]) for name in asdict(checks[0])}
    found |= {f"share_of_{name}": interval([one.share_of(name) for one in checks]) for name in ORACLES}
    _say({"seeds": seeds, "customers": customers, "pilot": pilot, "contacts": contacts} | found, as_json)


@portfolio.command("value")
def value(
    book: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="A simulated book's folder, to check out of time. Default: a market."),
    ] = None,
    learn: Annotated[
        float, typer.Option("--learn", min=0.1, max=0.9, help="Of the folder's time, the part that is learned from.")
    ] = 0.4,
    customers: Annotated[int, typer.Option("--customers", min=4000, help="Customers of the market.")] = 20_000,
    pilot: Annotated[int, typer.Option("--pilot", min=4000, help="Renewals to learn from.")] = 50_000,
    years: Annotated[int, typer.Option("--years", min=1, max=20, help="Years that are looked at.")] = 6,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Lifetime value as predicted and as it is, by tenths: of a market from a pilot, or of a book's later terms.

    Out of time, what is known of service, claims and score moves it; beside it stands a prediction without them.
    """
    if book is not None:
        from cli.value_table import print_value
        from portfolio.value_out_of_time import check_value

        later = check_value(book, learn)
        if as_json:
            typer.echo(json.dumps(asdict(later), indent=2))
        else:
            print_value(later)
        return
    from portfolio.strategies import fit
    from portfolio.value_check import check
    from simulator.book.behaviour import read_behaviour
    from simulator.book.competition import make_round
    from simulator.book.formula import read_formula

    made = make_round(seed, customers, years, read_formula(), read_behaviour(), pilot)
    found = check(made.market, made.pilot, fit(made.pilot), years, seed)
    if as_json:
        _say({"customers": customers, "pilot": pilot, "years": years} | asdict(found), as_json)
        return
    for number, one in enumerate(found.deciles, 1):
        typer.echo(f"tenth {number:>2}: predicted {one.predicted:>8,.0f}, true {one.true:>8,.0f} euro")
    typer.echo(
        f"all: predicted {found.predicted:,.0f}, true {found.true:,.0f}; interval {found.interval_width:,.0f} wide"
    )


@portfolio.command("elasticity")
def elasticity(
    renewals: Annotated[int, typer.Option("--renewals", min=1000, help="How many renewals.")] = 100_000,
    hidden: Annotated[
        float, typer.Option("--hidden", min=0.0, max=1.0, help="Share of loyalty that stands in no data.")
    ] = 0.0,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """How price moves leaving where increases went to the loyal: at face value, corrected, and the truth."""
    from portfolio.elasticity import CAVEAT, corrected_slope, raw_slope
    from simulator.book.loyalty import draw_renewals

    drawn = draw_renewals(renewals, seed, hidden_share=hidden)
    corrected = corrected_slope(drawn.log_change, drawn.left, drawn.known, seed)
    found = {
        "renewals": renewals,
        "at_face_value": asdict(raw_slope(drawn.log_change, drawn.left)),
        "corrected": asdict(corrected),
        "truth": drawn.truth,
        "caveat": CAVEAT,
    }
    _say(found, as_json)


@portfolio.command("smallest")
def smallest(
    premium: Annotated[float, typer.Option("--premium", min=0.01, help="Mean premium of a policy, euro a year.")],
    loss_ratio: Annotated[float, typer.Option("--loss-ratio", min=0.0, help="Expected loss ratio.")],
    loss_sd: Annotated[float, typer.Option("--loss-sd", min=0.0, help="Of one policy's losses, euro a year.")],
    fixed: Annotated[float, typer.Option("--fixed", min=0.0, help="The segment's own cost, euro a year.")],
    cost: Annotated[float, typer.Option("--cost", min=0.0, help="Other costs of a policy, euro a year.")] = 0.0,
    level_sd: Annotated[
        float, typer.Option("--level-sd", min=0.0, help="How well the loss ratio's level is known: its deviation.")
    ] = 0.0,
    margin: Annotated[float, typer.Option("--margin", help="Profit that is asked for, a share of premium.")] = 0.0,
    chance: Annotated[float, typer.Option("--chance", min=0.5, max=0.9999, help="With this probability.")] = 0.9,
    as_json: AsJson = False,
) -> None:
    """The fewest policies of a segment that pay for an offer of their own; one alone when one pays."""
    from portfolio.smallest_segment import Demand, Segment, chance_of_paying, smallest_size

    segment = Segment(("asked",), 1, premium, loss_ratio, loss_sd, level_sd, cost)
    demand = Demand(fixed, margin, chance)
    size = smallest_size(segment, demand)
    _say({"policies": size, "chance_of_one": chance_of_paying(segment, demand)}, as_json)


@portfolio.command("aa")
def aa(
    runs: Annotated[int, typer.Option("--runs", min=10, help="Experiments in which nothing differs.")] = 1000,
    customers: Annotated[int, typer.Option("--customers", min=400, help="Of each experiment.")] = 5000,
    every: Annotated[int, typer.Option("--every", min=1, help="Customers between two looks.")] = 50,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """How often an experiment without a difference is called one, when it is looked at again and again."""
    from portfolio.experiments import Plan, false_alarms

    plan = Plan("a/a", "nothing differs", "stays", 0.5, customers, 0.01)
    with progress_bar("Experiments") as advance:
        found = false_alarms(plan, runs, every, 0.9, seed, advance)
    _say({"runs": runs, "stated": plan.level} | found, as_json)


@portfolio.command("rehearse")
def rehearse(
    action: Annotated[str, typer.Option("--action", help="letter, coaching, call or personal_offer.")] = "call",
    customers: Annotated[int, typer.Option("--customers", min=1000, help="Renewals that may come.")] = 50_000,
    share: Annotated[float, typer.Option("--share", help="Share treated, between 0 and 1.")] = 0.5,
    least_effect: Annotated[float, typer.Option("--least-effect", help="The smallest effect that matters.")] = 0.01,
    every: Annotated[int, typer.Option("--every", min=50, help="Customers between two looks.")] = 500,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """An experiment run on a simulated market before it is run on people: when it would end, and how."""
    from portfolio.experiments import Plan
    from portfolio.rehearsal import rehearse as run
    from simulator.book.behaviour import read_behaviour
    from simulator.book.competition import make_round
    from simulator.book.formula import read_formula

    formula = read_formula()
    if action not in formula.actions or action == "nothing":
        raise typer.BadParameter(
            f"{action!r}; use one of {', '.join(name for name in formula.actions if name != 'nothing')}"
        )
    if not 0.0 < share < 1.0 or least_effect <= 0.0:
        raise typer.BadParameter("--share lies between 0 and 1, --least-effect above 0")
    plan = Plan(f"rehearsal-{action}", f"{action} keeps customers", "stays", share, customers, least_effect)
    market = make_round(seed, customers, 2, formula, read_behaviour(), 4000).market
    found = run(market, list(formula.actions).index(action), plan, every, seed)
    last = found.looks[-1]
    _say(
        {
            "verdict": found.verdict,
            "ended_after_customers": found.stopped_at or customers,
            "looks": len(found.looks),
            "effect": {"value": last.effect, "low": last.low, "high": last.high},
            "true_effect": found.true_effect,
            "cost_euro": found.cost,
        },
        as_json,
    )


@portfolio.command("segments")
def segments(
    book: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="A book's folder of Parquet files. Default: the database's book."),
    ] = None,
    most: Annotated[int, typer.Option("--most", min=2, max=50, help="So many segments at most.")] = 8,
    least: Annotated[int, typer.Option("--least", min=20, help="Customers that a segment must have.")] = 500,
    fixed: Annotated[float, typer.Option("--fixed", min=0, help="A year's cost of an offer of its own, euro.")] = 5000,
    cost: Annotated[float, typer.Option("--cost", min=0, help="A policy's cost a year, euro.")] = 60,
    territory: Territory = None,
    territory_field: TerritoryField = None,
    seed: Seed = 1,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Groups to plan for: who they are, what they need and bring, and which pay for an offer of their own.

    Of the database's book they are kept as a version that the page /segments shows.
    """
    from cli.segments_table import print_segments
    from portfolio.customers_file import read_customers
    from portfolio.planning import Wanted, found_as_json, plan_segments
    from portfolio.planning_store import fetch_result

    wanted = Wanted(most, least, fixed, cost, seed)
    if book is None:
        with database_of(data_dir) as database:
            version = plan_segments(database, wanted, moment(as_of), territories=territory, field=territory_field)
            with database.role("policy") as conn:
                kept = fetch_result(conn, "segments", version)
        assert kept is not None, "it was kept just now"
        messages.print(f"Kept as version {version}, which the page /segments shows.")
        content = kept.found
    else:
        _, content = found_as_json(*read_customers(book), wanted)
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        print_segments(content)


@portfolio.command("leaving")
def leaving(
    book: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="A simulated book's folder, to check on. Default: the database's book."),
    ] = None,
    learn: Annotated[
        float, typer.Option("--learn", min=0.1, max=0.9, help="Of the folder's time, the part that is learned from.")
    ] = 0.6,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """How price, service, claims, the score and time with us move leaving at a renewal.

    Of the database's book it is kept, and customer cards show values by it; of a simulated book it is held to the truth
    of later renewals than those it learned from.
    """
    from cli.leaving_table import print_check, print_model
    from portfolio.lapse_check import check_out_of_time
    from portfolio.planning import plan_leaving
    from portfolio.renewals_file import other_ends, read_renewals, true_chances

    if book is None:
        with database_of(data_dir) as database:
            version, model = plan_leaving(database, moment(as_of))
        messages.print(f"Kept as version {version}, which customer cards use.")
        if as_json:
            typer.echo(json.dumps(model.as_json(), indent=2))
        else:
            print_model(model)
        return
    read = read_renewals(book)
    first, last = read.renewals.day.min(), read.renewals.day.max()
    cut = first + np.timedelta64(int(learn * (last - first).astype(int)), "D")
    found = check_out_of_time(read, true_chances(book, read), cut, other_ends(book))
    if as_json:
        shown = {name: getattr(found, name) for name in found.__dataclass_fields__ if name not in ("model", "tenths")}
        tenths = [asdict(one) for one in found.tenths]
        typer.echo(json.dumps(shown | {"tenths": tenths, "model": found.model.as_json()}, indent=2))
    else:
        print_check(found)


@portfolio.command("contacts")
def contacts(
    most: Annotated[int | None, typer.Option("--most", min=0, help="So many contacts at most. Default: all.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0, help="So many minutes of somebody's work at most instead.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write a CSV: contacts, and why not of the others near a renewal.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Whom to contact before their renewal, within a budget: what pays, what experiments owe, and why not the others.

    It is kept, and the page /contacts shows it until the next.
    """
    from cli.contacts_table import print_contacts, write_contacts
    from portfolio.contacts import keep_contacts, list_contacts

    if most is not None and minutes is not None:
        raise typer.BadParameter("a budget counts contacts (--most) or minutes (--minutes), not both")
    now = moment(as_of)
    with database_of(data_dir) as database, database.role("policy") as conn:
        found = list_contacts(conn, now, most=most, minutes=minutes)
        keep_contacts(conn, found, now)
    if out is not None:
        write_contacts(found, out)
    if as_json:
        typer.echo(json.dumps(found.sums(), indent=2))
    else:
        print_contacts(found)


def _say(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        text = value
        if isinstance(value, dict):
            middle, low, high = value.get("mean", value.get("value")), value["low"], value["high"]
            text = f"{middle:,.4g} ({low:,.4g} to {high:,.4g})"
        elif isinstance(value, float):
            text = f"{value:,.4g}"
        typer.echo(f"{name.replace('_', ' '):<22} {'none: no number pays' if value is None else text}")
