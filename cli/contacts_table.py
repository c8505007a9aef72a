"""A list of contacts for people: sums, why not the others, the first rows; and as CSV with everybody near a renewal."""

import csv
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from portfolio.contacts import Contact, ContactList

SHOWN = 20
HEAD = ("policy", "renewal_on", "action", "gain_euro", "low", "high", "cost_euro", "minutes", "experiment", "why")


def print_contacts(found: ContactList) -> None:
    """The first SHOWN, then the sums."""
    table = Table("Policy", "Ends on", "What", "Gain, euro", "Cost")
    for one in found.contacts[:SHOWN]:
        table.add_row(
            one.near.policy_id, str(one.near.ends_on), one.action.replace("_", " "), _gain(one), f"{one.cost:.2f}"
        )
    console, sums = Console(), found.sums()
    console.print(table)
    console.print(
        f"{sums['contacts']:,} of {sums['customers']:,} customers ({sums['for_experiments']:,} by an experiment): "
        f"{sums['cost']:,.0f} euro and {sums['minutes']:,.0f} minutes; expected gain {sums['gain']:,.0f} euro."
    )
    for reason, count in sums["why_not"].items():
        if count:
            console.print(f"{count:>11,}  {reason}")
    for missing in sums["missing"]:
        console.print(f"Not known. {missing}.")


def write_contacts(found: ContactList, path: Path) -> None:
    """A row a contact, then one of each whose renewal is near and who is not contacted, with the reason."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        writer.writerows(_row(one) for one in found.contacts)
        writer.writerows((policy, "", "nothing", *("",) * 6, why) for policy, why in found.why_each.items())


def _row(one: Contact) -> Sequence[object]:
    figures = ("" if value is None else f"{value:.2f}" for value in (one.gain, one.low, one.high, one.cost))
    return (one.near.policy_id, one.near.ends_on, one.action, *figures, one.minutes, one.experiment or "", one.why)


def _gain(one: Contact) -> str:
    return "by lot" if one.gain is None else f"{one.gain:+,.2f} ({one.low:+,.0f} to {one.high:+,.0f})"
