"""Stage 1: device bytes -> readings. Decode, validate, store in one transaction, commit, then acknowledge."""
