"""Columns survive the way to PostgreSQL and back, bit by bit."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from psycopg import sql

from storage.binary import BLOCK_ROWS, FIRST_TIME_US, LAST_TIME_US, Column, SqlType, copy_in, copy_out, encode
from storage.errors import UnexpectedNull, ValueOutOfRange
from storage.pool import Conn, Database

COLUMNS = (
    Column("key", "bigint"),
    Column("at", "timestamptz"),
    Column("flags", "integer"),
    Column("wide", "double precision", nullable=True),
    Column("narrow", "real", nullable=True),
    Column("small", "smallint", nullable=True),
)
type Batch = dict[str, np.ndarray]


def round_trip(conn: Conn, arrays: Batch) -> Batch:
    conn.execute(
        "create temp table t (n bigint generated always as identity, key bigint, at timestamptz, flags integer, "
        "wide double precision, narrow real, small smallint) on commit drop"
    )
    copy_in(conn, "t", COLUMNS, arrays)
    return copy_out(conn, sql.SQL("from t order by n"), COLUMNS)


def assert_same(found: Batch, sent: Batch) -> None:
    for name, values in sent.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    count = draw(st.integers(0, 30))
    small = draw(hnp.arrays(np.float32, count, elements=st.one_of(st.just(np.nan), st.integers(-32768, 32767))))
    return {
        "key": draw(hnp.arrays(np.int64, count)),
        "at": draw(hnp.arrays(np.int64, count, elements=st.integers(FIRST_TIME_US, LAST_TIME_US))),
        "flags": draw(hnp.arrays(np.int32, count)),
        "wide": draw(hnp.arrays(np.float64, count, elements=st.floats(allow_infinity=True))),
        "narrow": draw(hnp.arrays(np.float32, count, elements=st.floats(width=32))),
        "small": small,
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays=batches())
def test_columns_survive_the_round_trip(database: Database, arrays: Batch) -> None:
    with database.role("owner") as conn:
        assert_same(round_trip(conn, arrays), arrays)


def test_rows_keep_their_order_over_several_blocks(database: Database) -> None:
    rng = np.random.default_rng(7)
    count = 2 * BLOCK_ROWS + 5
    arrays: Batch = {
        "key": np.arange(count, dtype=np.int64),
        "at": rng.integers(0, 2 * 10**15, count),
        "flags": rng.integers(0, 512, count).astype(np.int32),
        "wide": np.where(rng.random(count) < 0.3, np.nan, rng.normal(size=count)),
        "narrow": np.where(rng.random(count) < 0.3, np.nan, rng.normal(size=count)).astype(np.float32),
        "small": np.where(rng.random(count) < 0.3, np.nan, 7).astype(np.float32),
    }
    with database.role("owner") as conn:
        assert_same(round_trip(conn, arrays), arrays)


def test_not_reported_is_null_and_not_nan_in_the_table(database: Database) -> None:
    with database.role("owner") as conn:
        conn.execute("create temp table t (wide float8) on commit drop")
        copy_in(conn, "t", (Column("wide", "double precision", nullable=True),), {"wide": np.array([1.5, np.nan])})
        assert conn.execute("select wide from t order by wide nulls last").fetchall() == [(1.5,), (None,)]


def test_a_time_is_the_same_instant_in_the_table(database: Database) -> None:
    instant = datetime(2019, 9, 3, 12, 34, 56, 789012, tzinfo=UTC)
    sent = {"at": np.array([1_567_514_096_789_012], dtype=np.int64)}
    with database.role("owner") as conn:
        conn.execute("create temp table t (at timestamptz) on commit drop")
        copy_in(conn, "t", (Column("at", "timestamptz"),), sent)
        assert conn.execute("select at from t").fetchall() == [(instant,)]


@pytest.mark.parametrize(
    ("sql_type", "nullable", "values"),
    [
        ("smallint", True, np.array([1, 40_000], dtype=np.float32)),
        ("smallint", True, np.array([0.5, np.nan], dtype=np.float32)),
        ("smallint", True, np.array([np.inf], dtype=np.float32)),
        ("integer", False, np.array([2**31], dtype=np.int64)),
        ("timestamptz", False, np.array([np.iinfo(np.int64).min], dtype=np.int64)),
        ("real", True, np.array([1e300])),
    ],
)
def test_a_value_the_column_cannot_hold_is_refused_not_wrapped(
    sql_type: SqlType, nullable: bool, values: np.ndarray
) -> None:
    with pytest.raises(ValueOutOfRange, match="column c "):
        encode((Column("c", sql_type, nullable),), {"c": values})


def test_a_null_where_none_may_be_is_an_error_not_a_shifted_row(database: Database) -> None:
    with database.role("owner") as conn:
        conn.execute("create temp table t (a bigint, b bigint) on commit drop")
        conn.execute("insert into t values (1, 2), (3, null), (5, null), (7, 8)")
        with pytest.raises(UnexpectedNull, match="a, b"):
            copy_out(conn, sql.SQL("from t"), (Column("a", "bigint"), Column("b", "bigint")))
