"""A lapse model, and its check on later renewals, as tables for people."""

from rich.console import Console
from rich.table import Table

from portfolio.lapse import LapseModel
from portfolio.lapse_check import OutOfTime


def print_model(model: LapseModel) -> None:
    """Each coefficient of the logit of leaving, with its interval."""
    table = Table("Of the logit of leaving", "Coefficient", "95 %")
    for name, (mean, low, high) in model.intervals().items():
        table.add_row(name.replace("_", " "), f"{mean:+.3f}", f"{low:+.3f} to {high:+.3f}")
    console = Console()
    console.print(table)
    console.print(f"{model.renewals:,} renewals; {model.other_reason:.1%} of policies a year end beside a renewal.")


def print_check(found: OutOfTime) -> None:
    """The model, then the later renewals by tenths."""
    print_model(found.model)
    table = Table("Tenth", "Renewals", "Predicted", "Observed", "True")
    for number, one in enumerate(found.tenths, 1):
        figures = (f"{value:.3f}" for value in (one.predicted, one.observed, one.true))
        table.add_row(str(number), f"{one.renewals:,}", *figures)
    console = Console()
    console.print(table)
    console.print(
        f"Asked about {found.asked_about:,} later renewals: correlation with the true chances {found.correlation:.2f}; "
        f"deviance {found.deviance:.4f}, of one chance for all {found.deviance_of_mean:.4f}, of the truth "
        f"{found.deviance_of_truth:.4f}."
    )
