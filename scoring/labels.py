"""What a person can say of a trip: that somebody else drove, or that it was no car. It imports nothing."""

DRIVER = "driver"  # takes back whatever was said before: the trip is again what scoring made of it
LABELS = (DRIVER, "passenger", "taxi", "bus", "train", "ferry", "bicycle", "walk", "other")
EXCLUSION = "relabelled_"  # with the label, the reason for which a trip does not count
