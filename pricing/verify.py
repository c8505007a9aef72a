"""`verify`, the part about money: the digest of what was charged, and postings that do not add up."""

from pricing import verify_store
from scoring.verify import Part
from storage.pool import Database


def verify_statements(database: Database) -> tuple[Part, tuple[str, ...]]:
    """The sums of statements and adjustments as a part, and what is wrong with them in words.

    Systems that hold the same readings, policies and closed months have equal digests, whatever was adjusted when.
    """
    with database.role("policy") as conn:
        part = Part("statements", *verify_store.digest_totals(conn))
        unequal, missing = verify_store.fetch_unequal(conn), verify_store.fetch_missing(conn)
    return part, (
        *(f"policy {policy}, {period}, revision {n}: not the sum of its lines" for policy, period, n in unequal),
        *(f"policy {policy}, {period}: a posting is missing" for policy, period in missing),
    )
