"""The comparison of strategies over many seeds, on several processes; the seeds alone decide what comes out."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from portfolio.comparison import Played, play_round
from portfolio.strategies import Costs
from simulator.book.behaviour import read_behaviour
from simulator.book.competition import make_round
from simulator.book.formula import read_formula


def run(
    seeds: Iterable[int],
    customers: int,
    years: int,
    costs: Costs,
    processes: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Played]:
    """Every seed's round, in the order of the seeds. Raises TooFewRows. `progress` is told (rounds done, all)."""
    wanted = list(seeds)
    one = partial(play_seed, customers=customers, years=years, costs=costs)
    found: list[Played] = []
    # Spawned, for a fork beside threads of numpy may hang.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for played in pool.map(one, wanted):
            found.append(played)
            if progress is not None:
                progress(len(found), len(wanted))
    return found


def play_seed(seed: int, customers: int, years: int, costs: Costs) -> Played:
    """One seed's round."""
    return play_round(seed, make_round(seed, customers, years, read_formula(), read_behaviour()), costs)
