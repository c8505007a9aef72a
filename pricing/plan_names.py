"""The names that a plan gives: what is charged, and what it is charged by, must not be taken for something else.

A statement has one line a name, and a book one column: two of the same would be added up, or written over.
"""

from pricing.plan_reader import Reader

MOST_CHARACTERS = 64
CHARGES = ("minimum premium", "fee")  # lines of every statement; the tax's line has the name that the plan gives it
# Columns of a rated book beside one a cover.
PREMIUM_COLUMNS = ("policy", "minimum_premium", "fee", "tax", "amount", "plan_hash")
# Columns of a book to be rated beside one a factor.
BOOK_COLUMNS = (
    "policy", "pay_plan", "days", "covers", "declared_km_per_year", "distance_m", "gap_m", "minutes", "unmeasured_days",
    "tier", "totals", "claims_per_100000_km", "claims_per_100000_km_low", "claims_per_100000_km_high",
)  # fmt: skip
BOOK_PREFIXES = ("m_", "expiring_")  # of the metres by road and hour, and of what the term before cost by cover


def check_names(reader: Reader) -> None:
    """Raises BadPlan at the first name of the plan that cannot stand for itself alone."""
    for kind in ("covers", "pay_plans", "factors", "tables"):
        if kind not in reader.values:
            continue
        table = reader.table(kind)
        for name in table.values:
            if not name.isprintable() or name.strip() != name or not 0 < len(name) <= MOST_CHARACTERS:
                raise table.refuse(repr(name), f"is no name: up to {MOST_CHARACTERS} characters that can be printed")
    tax_name = reader.text("tax_name")
    if tax_name in CHARGES:
        raise reader.refuse("tax_name", f"{tax_name!r} is a line of every statement: the tax needs a name of its own")
    covers = reader.table("covers")
    for name in covers.values:
        if name in (*CHARGES, tax_name):
            raise covers.refuse(name, "is a line of every statement: the cover needs a name of its own")
        if name in PREMIUM_COLUMNS:
            raise covers.refuse(name, "is a column of every rated book: the cover needs a name of its own")
    factors = reader.table("factors")
    for name in factors.values:
        if name in BOOK_COLUMNS or name.startswith(BOOK_PREFIXES):
            raise factors.refuse(name, "is what a book's own column is called: the factor needs a name of its own")
