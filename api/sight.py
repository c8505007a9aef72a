"""How much of a trip somebody is shown: all of it, its numbers without a place, or its kilometres and score alone."""

from enum import IntEnum


class Sight(IntEnum):
    """In rising order."""

    KM = 1  # somebody else drove, and shows no map
    NUMBERS = 2  # nobody knows yet who drove
    ALL = 3  # the driver, and the policyholder whom the driver lets see it
