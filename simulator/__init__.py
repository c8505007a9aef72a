"""Stage 6: a world with known truth. Talks to the system only through device protocols and the public API."""
