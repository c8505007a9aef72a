"""`wayrate fit` and `wayrate evaluate`: risk models of a book by its data contract."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.options import messages

Book = Annotated[
    Path, typer.Argument(metavar="BOOK", help="Folder of the contract's files, or its policy file.", exists=True)
]


def fit(
    book: Book,
    contract: Annotated[
        Path, typer.Option("--contract", help="The data contract (TOML).", exists=True, dir_okay=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="MODEL", help="The model file to write.", dir_okay=False)],
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same model.")] = 1,
    glm_only: Annotated[bool, typer.Option("--glm-only", help="No trees, and no tables distilled from them.")] = False,
) -> None:
    """Fit frequency, severity and credibility on the learn part of a book; print what was learned as JSON."""
    from pricing.risk import artefact, fitting
    from pricing.risk.book import read_book
    from pricing.risk.contract import read_contract

    read = read_contract(contract)
    whole = read_book(book, read)
    learn = whole.only(~fitting.is_test(read, whole))
    wanted: frozenset[fitting.Model] = frozenset({"glm"} if glm_only else {"glm", "boosted", "tables"})
    model = fitting.fit(read, learn, seed, wanted, lambda step: messages.print(f"{step} ..."))
    digest = artefact.save(model, out)
    typer.echo(json.dumps(fitting.described(model, digest), indent=2))


def evaluate(
    model: Annotated[
        Path, typer.Argument(help="The model file that `wayrate fit` wrote.", exists=True, dir_okay=False)
    ],
    book: Book,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a page with plots.")] = None,
    folds: Annotated[
        bool, typer.Option("--folds", help="Also judge the learn part, by models that have not seen the policy.")
    ] = False,
) -> None:
    """Judge a model on the part of the book that it has not seen; print the figures as JSON."""
    import numpy as np

    from pricing.risk import artefact, fitting
    from pricing.risk.book import read_book

    fitted, digest = artefact.load(model)
    whole = read_book(book, fitted.contract, fitted.levels)
    is_test = fitting.is_test(fitted.contract, whole)
    unseen = whole.only(is_test) if is_test.any() else whole
    rates = fitting.frequency_rates(fitted, unseen)
    found = fitting.evaluation(fitted, digest, unseen, rates)
    if folds:
        learn = whole.only(~is_test)
        told = fitting.out_of_fold(fitted, learn, lambda step: messages.print(f"{step} ..."))
        found["out_of_fold"] = {name: fitting.summary(learn, rate) for name, rate in told.items()}
    if report is not None:
        from pricing.risk.report import page

        summaries = {name: fitting.summary(unseen, rate) for name, rate in rates.items()}
        report.write_text(
            page(fitted, digest, unseen, rates, summaries, unseen.take(np.zeros(1, dtype=np.intp))), encoding="utf-8"
        )
    typer.echo(json.dumps(found, indent=2))
