"""The audit finds the factor that stands in for a group, and only that; claims answer for a price or do not."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pricing.book_rating import compile_plan, rate_book
from pricing.policies import packaged_plan
from pricing.proxy_audit import audit, cramers_v, poisson_interval
from pricing.rating_book import read_claims, read_groups, read_rating_book
from pricing.rating_errors import BadRatingBook
from tests.pricing.rating_books import write_book

PLAN = compile_plan(packaged_plan())
ROWS = 4000


def book_with(folder: Path, groups: list[str], **columns: object) -> Path:
    path = folder / "book.parquet"
    write_book(path, packaged_plan(), ROWS, 5)
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table.append_column("group", pa.array(groups)), path)
    return path


def audited(path: Path, claims: np.ndarray | None = None) -> dict:  # type: ignore[type-arg]
    book = read_rating_book(path, PLAN)
    return audit(PLAN, book, read_groups(path, "group"), claims)


def test_a_group_that_lives_apart_is_priced_by_its_territory(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    group = rng.choice(["a", "b"], ROWS)
    territory = np.where(
        group == "a",
        rng.choice(["urban", "rural"], ROWS, p=[0.9, 0.1]),
        rng.choice(["urban", "rural"], ROWS, p=[0.1, 0.9]),
    )
    found = audited(book_with(tmp_path, group.tolist(), territory=territory.tolist()))
    assert found["flagged"] == ["territory"]
    row = next(one for one in found["factors"] if one["factor"] == "territory")
    assert row["association"] == pytest.approx(0.8, abs=0.03)
    # By hand: 0.8 of the two groups differ, by ln(1.10 / 0.88).
    assert row["price_ratio"]["a"] == pytest.approx((1.10 / 0.88) ** 0.8, rel=0.01)
    first = next(one for one in found["groups"] if one["group"] == "a")
    assert first["carried_by"][0] == "territory"
    assert first["price_ratio"] > 1.1


def test_a_group_that_is_drawn_by_lot_is_priced_by_nothing(tmp_path: Path) -> None:
    group = np.random.default_rng(4).choice(["a", "b", "c"], ROWS)
    found = audited(book_with(tmp_path, group.tolist()))
    assert found["flagged"] == []
    assert sum(row["policies"] for row in found["groups"]) == ROWS


def test_claims_answer_for_a_price_or_do_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    group = rng.choice(["a", "b"], ROWS)
    path = book_with(tmp_path, group.tolist())
    amount = rate_book(PLAN, read_rating_book(path, PLAN)).amount
    fair = rng.poisson(amount / amount.mean())
    assert audited(path, fair)["unexplained"] == []
    half = rng.poisson(np.where(group == "a", 0.5, 1.0) * amount / amount.mean())
    assert audited(path, half)["unexplained"] == ["a"]


def test_association_and_interval_by_hand() -> None:
    same = np.repeat([0, 1], 50)
    assert cramers_v(same, same) == pytest.approx(1.0, abs=0.02)
    assert cramers_v(same, np.tile([0, 1], 50)) == 0.0
    assert cramers_v(same, np.zeros(100, dtype=np.int64)) == 0.0
    # Garwood's interval of 10 events: 4.795 to 18.390; of none: 0 to 3.689.
    assert poisson_interval(10) == pytest.approx((4.795, 18.390), abs=0.001)
    assert poisson_interval(0) == pytest.approx((0.0, 3.689), abs=0.001)


def test_labels_and_claims_are_refused_by_field(tmp_path: Path) -> None:
    path = tmp_path / "book.parquet"
    pq.write_table(pa.table({"group": ["a", None], "claims": ["1", "-2"]}), path)
    with pytest.raises(BadRatingBook, match="missing in 1 rows"):
        read_groups(path, "group")
    with pytest.raises(BadRatingBook, match="-2"):
        read_claims(path, "claims")
    with pytest.raises(BadRatingBook, match="no such column"):
        read_groups(path, "religion")
    path.write_text("group,claims")
    with pytest.raises(BadRatingBook, match="cannot be read as Parquet"):
        read_groups(path, "group")
