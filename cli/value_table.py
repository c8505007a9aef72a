"""Values predicted out of time beside what came, as a table for people."""

from rich.console import Console
from rich.table import Table

from portfolio.value_out_of_time import ValueOutOfTime


def print_value(found: ValueOutOfTime) -> None:
    """By tenths of the predicted value, with what service, claims and score add to it."""
    table = Table("Tenth", "Predicted", "True", "Without service and score", "True")
    for number, (one, plain) in enumerate(zip(found.tenths, found.without_service_and_score, strict=True), 1):
        table.add_row(
            str(number), *(f"{value:,.0f}" for value in (one.predicted, one.true, plain.predicted, plain.true))
        )
    console = Console()
    console.print(table)
    console.print(
        f"Learned from {found.learned_from:,} renewals, asked about {found.asked_about:,} later terms, {found.years} "
        f"years: predicted {found.predicted:,.0f} euro each, true {found.true:,.0f}; correlation with what came "
        f"{found.correlation:.2f}, without service and score {found.correlation_without:.2f}."
    )
