"""`wayrate plan fitted`, `balance`, `monitor`: a model's tables as a plan, its balance, and whether it still holds."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from cli.documents import write_file
from cli.errors import BadTime, NotFound
from cli.options import AsOf, DataDir, database_of, messages, moment
from cli.rate import plan_named

Out = Annotated[Path, typer.Option("-o", "--out", metavar="OUT.toml", help="The plan to write.", dir_okay=False)]
Version = Annotated[str, typer.Option("--version", help="The plan's version.")]


def fitted(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="The file that `wayrate fit` wrote.", exists=True, dir_okay=False)
    ],
    out: Out,
    version: Version,
    base: Annotated[str, typer.Option("--base", help="The plan whose rates, rules and other factors stay.")] = (
        "wayrate-2026"
    ),
    effective_from: Annotated[
        str | None, typer.Option("--effective-from", metavar="DATE", help="Default: the base plan's day.")
    ] = None,
    tables: Annotated[
        bool,
        typer.Option("--tables", help="The tables distilled from the trees, of one and two factors, not the GLM's."),
    ] = False,
    own_claims: Annotated[
        bool, typer.Option("--own-claims", help="Also a factor of the policy's own claims, by their credibility.")
    ] = False,
    score: Annotated[
        bool, typer.Option("--score", help="Also the weights and credibility of driving, as the plan's score model.")
    ] = False,
) -> None:
    """Write a model's relativities as a rate plan, and with them the score model that it prices driving by."""
    from pricing.counted_twice import charged_by_rates
    from pricing.risk.artefact import load
    from pricing.risk.plan_tables import fitted_plan
    from pricing.risk.score_weights import fitted_score_model
    from scoring.score import PRIOR_MODEL

    loaded, digest = load(model)
    begun = plan_named(base)
    charged = charged_by_rates(begun)
    weights = fitted_score_model(loaded, digest, charged) if score else None
    found = fitted_plan(
        loaded, digest, begun, version, _day(effective_from), own_claims=own_claims, surrogate=tables,
        score_model=weights,
    )  # fmt: skip
    write_file(out, found.plan.content.encode())
    kept = f"; still the base plan's: {', '.join(found.kept)}" if found.kept else ""
    messages.print(f"Fitted: {', '.join(found.fitted)}{kept}. Rates are not fitted: `wayrate plan balance`. The hash:")
    if weights is not None:
        written = found.plan.score_model
        names = ", ".join(f"{one.feature} (K {one.credibility_km:,.0f} km)" for one in written.weights)
        messages.print(f"Score model {written.version}: {names}.")
        priors = {one.feature: one.credibility_km for one in PRIOR_MODEL.weights}
        if eager := [one.feature for one in written.weights if one.credibility_km < priors[one.feature]]:
            messages.print(
                f"Believed sooner than by the priors: {', '.join(eager)}. K of terms of a year believes a first week "
                "too much: fit on months, or raise credibility_km in the file."
            )
        if left_out := sorted(charged & set(loaded.joint.signals if loaded.joint else ())):
            messages.print(f"Not in it, for the rates a km charge it already: {', '.join(left_out)}.")
    typer.echo(found.plan.plan_hash)


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise BadTime(text or "") from None


def balance(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="A TOML file, or the name of a plan that ships.")],
    out: Out,
    version: Version,
    old: Annotated[str, typer.Option("--old", help="The plan whose sum the book is to bring in.")],
    book: Annotated[
        Path,
        typer.Option("--book", metavar="BOOK.parquet", help="As `wayrate rate` reads it.", exists=True, dir_okay=False),
    ],
) -> None:
    """Scale a plan's rates so that a book brings in what it does by another plan: an off-balance of 1.000."""
    from pricing.balance import balanced
    from pricing.rating_book import read_rating_book

    found = balanced(plan_named(old), plan_named(plan), lambda compiled: read_rating_book(book, compiled), version)
    write_file(out, found.plan.content.encode())
    messages.print(f"Rates times {found.scale:.6f}; off-balance {found.off_balance:.6f}. The hash:")
    typer.echo(found.plan.plan_hash)


def monitor(
    by: Annotated[str, typer.Option("--by", help="month, quarter or year.")] = "quarter",
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Follow the fitted models that published plans name on what those plans posted, for the monitoring page."""
    import json

    import msgspec

    from pricing.live_model import Followed, follow_models
    from pricing.risk.monitoring import MONTHS

    if by not in MONTHS:
        raise NotFound("period", by, f"there are {', '.join(MONTHS)}")
    now = moment(as_of)
    with database_of(data_dir) as database:
        found = dict(follow_models(database, by, now))
    if not found:
        messages.print("No published plan names a fitted model that is here and posted anything.")
    followed = {digest: one for digest, one in found.items() if isinstance(one, Followed)}
    typer.echo(json.dumps({digest: msgspec.to_builtins(one) for digest, one in followed.items()}, indent=2))
    if len(followed) < len(found):
        for begin, one in found.items():
            if not isinstance(one, Followed):
                messages.print(f"Not followed: {begin}: {one}")
        raise typer.Exit(1)
