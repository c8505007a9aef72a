"""One seed, many independent generators: each part of a world draws from its own, whatever else is simulated."""

import numpy as np

# Purposes: the last number of a spawn key. Days are (driver, DAY, day), so a longer month keeps the days of a shorter.
POPULATION, PLACES, DAY, STREETS, HABIT, DEPARTURE = range(6)
BOOK = 100  # blocks of a book of policies are (BOOK, block)


def generator(seed: int, *key: int) -> np.random.Generator:
    """The generator that belongs to `key` in the world of `seed`: the same in every process, on every machine."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
