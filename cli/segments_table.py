"""Planning segments as a table for people."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def print_segments(found: Mapping[str, Any]) -> None:
    """Prints who they are, and which pay for an offer of their own; `found` as it is kept."""
    table = Table("Segment", "Customers", "km", "Premium", "Loss ratio", "Z", "Value", "Needs", "Agreed", "Take-up")
    for one in found["segments"]:
        table.add_row(
            one["name"],
            f"{one['customers']:,}",
            f"{one['km_per_year']:,.0f}",
            f"{one['premium']:,.0f}",
            _interval(one["loss_ratio"], 2),
            f"{one['credibility']:.2f}",
            _interval(one["value"], 0),
            _needs(one["needs"]),
            f"{one['reachable']:.0%}",
            "no quotes" if one["take_up"] is None else _interval(one["take_up"], 2),
        )
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    stability = _interval(found["stability"], 2)
    console.print(f"Re-run on resampled customers they come out alike by {stability} (1: the same, 0: by chance).")
    for group in found["paying"]:
        merged = " + ".join(group["names"])
        console.print(f"Pays for an offer of its own: {merged} ({group['policies']:,} policies)")


def _interval(one: Mapping[str, float], digits: int) -> str:
    return f"{one['value']:,.{digits}f} ({one['low']:,.{digits}f} to {one['high']:,.{digits}f})"


def _needs(needs: Mapping[str, float]) -> str:
    largest = sorted(needs.items(), key=lambda need: -need[1])[:2]
    return ", ".join(f"{name} {share:.0%}" for name, share in largest if share >= 0.1)
