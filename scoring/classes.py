"""The names that exposure is counted by. They import nothing: a rate plan is read without the numeric core."""

ROAD_CLASSES = ("motorway", "trunk", "primary", "secondary", "tertiary", "residential", "service")
UNMATCHED = len(ROAD_CLASSES)
EXPOSURE_CLASSES = (*ROAD_CLASSES, "unmatched")
HOUR_BANDS = ("night", "morning", "day", "evening")
OVER_LIMIT_BANDS = ("within", "over_0_10", "over_10_20", "over_20", "unknown")
