"""The next step for a million customers within a contact budget: seconds, beside one pass over the same numbers.

Run `uv run python -m benchmarks.next_steps [--customers N]`. The plain pass is the least that any method does: the gain
of each action of each customer, and the largest of them.
"""

import argparse
import time

import numpy as np

from portfolio.litmus import next_steps

COST = np.array([0.0, 2.4, 1.1, 9.0, 18.0])
MINUTES = np.array([0.0, 0.0, 0.0, 6.0, 10.0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000)
    count = parser.parse_args().customers
    rng = np.random.default_rng(1)
    added = rng.normal(0.0, 0.03, (count, len(COST)))
    added[:, 0] = 0.0
    value = rng.gamma(2.0, 150.0, count) - 50.0
    alone = rng.random(count) < 0.1
    began = time.perf_counter()
    (added * value[:, None] - COST).argmax(axis=1)
    plain_s = time.perf_counter() - began
    for name, budget in (("no limit", np.inf), ("0.2 minutes a customer", 0.2 * count)):
        began = time.perf_counter()
        found = next_steps(added, value, COST, MINUTES, budget, alone)
        took_s = time.perf_counter() - began
        print(
            f"{count:,} customers, {name:<24} {took_s:6.2f} s  {took_s / plain_s:5.1f} of a plain pass; "
            f"{int((found.action > 0).sum()):,} treated, {found.used:,.0f} minutes"
        )


if __name__ == "__main__":
    main()
