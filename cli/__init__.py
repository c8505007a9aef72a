"""Stage 7: the `wayrate` command: the only place that wires the stages together."""
