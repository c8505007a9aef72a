"""`wayrate fit`, `wayrate evaluate`, `wayrate monitor`: risk models of a book by its data contract."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli.documents import write_document
from cli.errors import NotFound
from cli.options import messages

Book = Annotated[
    Path, typer.Argument(metavar="BOOK", help="Folder of the contract's files, or its policy file.", exists=True)
]

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="The file that `wayrate fit` wrote.", exists=True, dir_okay=False)
]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write a page with plots (.html), or its tables as .pdf."),
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
    from pricing.risk import artefact, fitting, judging
    from pricing.risk.book import read_book
    from pricing.risk.contract import read_contract

    read = read_contract(contract)
    whole = read_book(book, read)
    learn = whole.only(~fitting.is_test(read, whole))
    wanted: frozenset[fitting.Model] = frozenset({"glm"} if glm_only else {"glm", "boosted", "tables"})
    model = fitting.fit(read, learn, seed, wanted, lambda step: messages.print(f"{step} ..."))
    digest = artefact.save(model, out)
    _print_json(judging.described(model, digest))


def evaluate(
    model: Model,
    book: Book,
    report: Report = None,
    folds: Annotated[
        bool, typer.Option("--folds", help="Also judge the learn part, by models that have not seen the policy.")
    ] = False,
) -> None:
    """Judge a model on the part of the book that it has not seen; print the figures as JSON."""
    from pricing.risk import artefact, fitting, judging
    from pricing.risk.book import read_book
    from pricing.risk.errors import NothingToFit

    fitted, digest = artefact.load(model)
    whole = read_book(book, fitted.contract, fitted.levels)
    is_test = fitting.is_test(fitted.contract, whole)
    unseen = whole.only(is_test) if is_test.any() else whole
    rates = judging.frequency_rates(fitted, unseen)
    found = judging.evaluation(fitted, digest, unseen, rates)
    learn = whole.only(~is_test)
    if is_test.any():
        found["by_likeness"] = judging.by_likeness(learn, unseen, rates)
    if folds:
        try:
            told = judging.out_of_fold(fitted, learn, lambda step: messages.print(f"{step} ..."))
            found["out_of_fold"] = {name: judging.judged(learn, rate) for name, rate in told.items()}
        except NothingToFit as refusal:
            messages.print(f"Not judged out of fold: {escape(str(refusal))}.")
    _print_json(found)
    if report is not None:
        from pricing.risk.report import report as blocks

        write_document(report, fitted.contract.name, blocks(fitted, digest, unseen, rates, found))


def monitor(
    model: Model,
    book: Book,
    by: Annotated[str, typer.Option("--by", help="month, quarter or year.")] = "quarter",
    contract: Annotated[
        Path | None,
        typer.Option(
            "--contract", help="Where this book's columns stand; default: as fitted.", exists=True, dir_okay=False
        ),
    ] = None,
    report: Report = None,
) -> None:
    """Follow a model over time on a book: A/E, calibration, drift by period; print the series as JSON."""
    from pricing.risk import artefact, fitting, judging, monitoring
    from pricing.risk.book import read_book
    from pricing.risk.contract import read_contract_for

    if by not in monitoring.MONTHS:
        raise NotFound("period", by, f"there are {', '.join(monitoring.MONTHS)}")
    fitted, digest = artefact.load(model)
    whole = read_book(
        book, fitted.contract if contract is None else read_contract_for(fitted.contract, contract), fitted.levels
    )
    seen = whole.digest == fitted.card.data_digest
    is_test = fitting.is_test(fitted.contract, whole)
    unseen = whole.only(is_test) if seen and is_test.any() else whole
    rate = next(iter(judging.frequency_rates(fitted, unseen).values()))
    found = monitoring.monitor(fitted, digest, unseen, rate, by)
    _print_json(found)
    if report is not None:
        from pricing.risk.monitoring_page import report as blocks

        write_document(report, f"Monitoring: {fitted.contract.name}", blocks(fitted.contract.name, found))


def _print_json(found: Any) -> None:
    """What is not known, and no number, is null."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
