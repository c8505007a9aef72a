"""Stage 3: features -> premium with its worksheet -> statement, adjustments."""
