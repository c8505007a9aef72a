"""How small may a segment be and still pay? A segment's profit as a chance, the smallest size, and merging up to it.

Profit of n policies is n (premium x (1 - loss ratio) - cost) - fixed. The loss ratio is uncertain twice: what chance
does to n policies, which shrinks with n, and how well the segment's level is known, which does not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy.stats import norm


@dataclass(frozen=True, slots=True)
class Segment:
    """A year of a segment. Money is euro; `loss_sd` is of one policy's losses, `level_sd` of the loss ratio's level."""

    names: tuple[str, ...]
    policies: int
    premium: float
    loss_ratio: float
    loss_sd: float
    level_sd: float
    cost: float


@dataclass(frozen=True, slots=True)
class Demand:
    """What a segment has to earn: its own fixed cost a year, a share of premium on top, with what chance."""

    fixed: float
    margin: float = 0.0
    chance: float = 0.9


def chance_of_paying(segment: Segment, demand: Demand) -> float:
    """The chance that the year's profit reaches the demanded share of premium."""
    n = segment.policies
    expected = n * _margin(segment, demand) - demand.fixed
    spread = math.sqrt(n * segment.loss_sd**2 + (n * segment.premium * segment.level_sd) ** 2)
    if spread == 0.0:
        return float(expected >= 0.0)
    return float(norm.cdf(expected / spread))


def smallest_size(segment: Segment, demand: Demand) -> int | None:
    """The fewest policies like the segment's that pay with the demanded chance (1/2 or more); None: no number does."""
    z = float(norm.ppf(demand.chance))
    margin = _margin(segment, demand)
    level = z * segment.premium * segment.level_sd
    if margin <= level:
        return None
    # n margin - fixed = z sqrt(n sd^2 + n^2 level^2), squared; the larger root is the one with both sides positive.
    a = margin**2 - level**2
    b = 2.0 * margin * demand.fixed + (z * segment.loss_sd) ** 2
    root = (b + math.sqrt(max(b * b - 4.0 * a * demand.fixed**2, 0.0))) / (2.0 * a)
    n = max(1, math.floor(root))
    while chance_of_paying(replace(segment, policies=n), demand) < demand.chance:
        n += 1
    return n


def merged(first: Segment, second: Segment) -> Segment:
    """Both as one: policies add up, money is their mean by policies or premium, chance and levels as independent."""
    n = first.policies + second.policies
    premium = (first.policies * first.premium + second.policies * second.premium) / n
    shares = [one.policies * one.premium / (n * premium) for one in (first, second)]
    loss_ratio = shares[0] * first.loss_ratio + shares[1] * second.loss_ratio
    return Segment(
        names=first.names + second.names,
        policies=n,
        premium=premium,
        loss_ratio=loss_ratio,
        loss_sd=math.sqrt((first.policies * first.loss_sd**2 + second.policies * second.loss_sd**2) / n),
        level_sd=math.hypot(shares[0] * first.level_sd, shares[1] * second.level_sd),
        cost=(first.policies * first.cost + second.policies * second.cost) / n,
    )


def paying_segments(segments: Sequence[Segment], demand: Demand) -> tuple[Segment, ...]:
    """Segments merged until each pays with the demanded chance, or one is left.

    The one least likely to pay goes to the one whose loss ratio is nearest: those two are rated alike at least loss.
    """
    found = list(segments)
    while len(found) > 1:
        worst = min(found, key=lambda one: chance_of_paying(one, demand))
        if chance_of_paying(worst, demand) >= demand.chance:
            break
        found.remove(worst)
        nearest = min(found, key=lambda one: (abs(one.loss_ratio - worst.loss_ratio), one.names))
        found[found.index(nearest)] = merged(nearest, worst)
    return tuple(found)


def _margin(segment: Segment, demand: Demand) -> float:
    return segment.premium * (1.0 - segment.loss_ratio - demand.margin) - segment.cost
