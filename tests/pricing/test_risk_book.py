"""A book that breaks its contract is refused with file, policy and field; nothing is fitted."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from pricing.risk import artefact
from pricing.risk.book import read_book
from pricing.risk.contract import read_contract
from pricing.risk.errors import BadBook, BadContract, WrongArtefact
from pricing.risk.fitting import fit, is_test
from tests.pricing.risk_books import CONTRACT, book, claims_of, columns, write


def changed(field: str, value: object, row: int = 3) -> dict[str, np.ndarray]:
    policies = columns(rows=20)
    if field == "town":
        policies[field] = policies[field].astype(object)
    policies[field][row] = value
    return policies


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("years", -0.5, "negative"),
        ("years", np.nan, "missing"),
        ("years", 0.0, "zero"),
        ("years", 1.01, "more than the days of the period"),
        ("claims", 0.5, "whole number"),
        ("claims", -1.0, "whole number"),
        ("km", 0.0, "logarithm"),
        ("km", np.inf, "infinite"),
        ("km", np.nan, "missing"),
        ("town", "moon", "no level 'moon'"),
        ("town", None, "missing"),
        ("ends_on", np.datetime64("2024-12-31"), "not after the begin"),
        ("policy", 2, "overlap"),
    ],
)
def test_a_policy_that_breaks_the_contract_is_named(tmp_path: Path, field: str, value: object, problem: str) -> None:
    contract = write(tmp_path, changed(field, value))
    with pytest.raises(BadBook, match=problem) as refused:
        read_book(tmp_path, contract)
    assert refused.value.source == "policies.parquet"
    assert refused.value.policy in {"2", "3"}
    assert refused.value.field in {field, "starts_on"}


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("occurred_on", np.datetime64("2024-12-31"), "before inception"),
        ("occurred_on", np.datetime64("2026-06-01"), "after the cover's end"),
        ("amount", -5.0, "negative"),
        ("policy", 999, "not in the book"),
    ],
)
def test_a_claim_that_cannot_be_is_named(tmp_path: Path, field: str, value: object, problem: str) -> None:
    policies = columns(rows=200)
    claims = claims_of(policies)
    claims[field][0] = value
    contract = write(tmp_path, policies, claims)
    with pytest.raises(BadBook, match=problem) as refused:
        read_book(tmp_path, contract)
    assert refused.value.source == "claims.parquet"


def test_a_claim_stands_once_and_a_policy_counts_all_of_its_claims(tmp_path: Path) -> None:
    policies = columns(rows=200)
    rows = claims_of(policies) | {"number": np.array([f"C-{one}" for one in range(int(policies["claims"].sum()))])}
    write(tmp_path, policies, rows)
    (tmp_path / "contract.toml").write_text(
        CONTRACT.replace('amount = "amount"', 'amount = "amount"\nclaim = "number"')
    )
    contract = read_contract(tmp_path / "contract.toml")
    whole = read_book(tmp_path, contract)
    assert whole.amounts is not None
    assert len(whole.amounts.amount) == policies["claims"].sum()
    twice = {name: np.append(values, values[-1]) for name, values in rows.items()}
    write(tmp_path, policies, twice)
    with pytest.raises(BadBook, match="stands in a row before") as refused:
        read_book(tmp_path, contract)
    last = str(rows["policy"][-1])
    assert (refused.value.source, refused.value.field, refused.value.policy) == ("claims.parquet", "number", last)
    without = read_contract(write_contract(tmp_path))
    with pytest.raises(BadBook, match=r"says fewer claims than claims.parquet has of the row") as refused:
        read_book(tmp_path, without)
    assert (refused.value.source, refused.value.field, refused.value.policy) == ("policies.parquet", "claims", last)


def write_contract(folder: Path) -> Path:
    """The contract as it is, whose claims have no numbers."""
    (folder / "contract.toml").write_text(CONTRACT)
    return folder / "contract.toml"


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    policies = columns(rows=20)
    del policies["km"]
    with pytest.raises(BadBook, match=r"km: no such column .*town"):
        read_book(tmp_path, write(tmp_path, policies))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('[[factor]]\nname = "km"', "each name once"),
        ('[[factor]]\nname = "a"\nbands = [3, 2]', "factor a: bands must rise"),
        ('[[factor]]\nname = "a"\nbands = [1]\nknots = 2', "bands or knots"),
        ('[[factor]]\nname = "a"\nkind = "categorical"\nknots = 2', "numeric factors"),
        ('[[factor]]\nname = "a"\nknot = 2', "knot"),
        ('[[factor]]\nname = "a"\nbands = [nan]', "factor a: bands must rise, and be numbers"),
        ('[[factor]]\nname = "a"\nlowest = 2.0\nhighest = 1.0', "factor a: lowest must not be above highest"),
        ('[[factor]]\nname = "a"\nkind = "categorical"\nlevels = ["x", "x"]', "factor a: levels must be texts"),
        ('[[factor]]\nname = ""', "it has no name"),
        ('[[factor]]\nname = "a"\nknots = -1', r"knots"),
        ("[tables]\nprior_claims = 0.0", r"> 0.0 - at `\$.tables.prior_claims`"),
        ("[tables]\nprior_claims = inf", r"\$.tables.prior_claims"),
    ],
)
def test_a_contract_that_cannot_be_names_its_place(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "contract.toml"
    path.write_text(CONTRACT.replace("[boosting]", f"{line}\n[boosting]"))
    with pytest.raises(BadContract, match=problem):
        read_contract(path)


@pytest.mark.parametrize(
    ("line", "instead", "place"),
    [
        ("folds = 2", "folds = 1", "boosting.folds"),
        ("rounds = 40", "rounds = -3", "boosting.rounds"),
        ("leaves = 6", "leaves = 1", "boosting.leaves"),
        ("leaves = 6", "bag = 0", "boosting.bag"),
        ("leaves = 6", "rows_share = 1.5", "boosting.rows_share"),
        ("leaves = 6", "ridge = -1.0", "boosting.ridge"),
        ("leaves = 6", "learning_rate = 0.0", "boosting.learning_rate"),
        ("large_above = 50000", "large_above = -5", "claims.large_above"),
        ("large_above = 50000", "amount_unit = nan", "claims.amount_unit"),
        ('claims = "claims"', 'claims = "claims"\nexposure_at_most = -1.0', "policies.exposure_at_most"),
        ('name = "test"', 'name = "test"\ninteractions = [["km", "town"], ["town", "km"]]', "interactions: each"),
        ('name = "test"', 'name = "test"\ninteractions = [["km", "km"]]', "interactions: each"),
    ],
)
def test_a_setting_out_of_its_bounds_names_its_place(tmp_path: Path, line: str, instead: str, place: str) -> None:
    path = tmp_path / "contract.toml"
    assert line in CONTRACT
    path.write_text(CONTRACT.replace(line, instead, 1))
    with pytest.raises(BadContract, match=place):
        read_contract(path)


@pytest.mark.parametrize(
    ("file", "field", "value", "problem"),
    [
        ("policies", "years", [1.0], "holds no numbers"),
        ("policies", "years", datetime(2025, 1, 1, tzinfo=UTC), "holds no numbers"),
        ("policies", "town", ["city"], "holds no texts"),
        ("policies", "policy", 1e300, "is no policy number"),
        ("policies", "km", 1e300, "beyond"),
        ("claims", "amount", [1.0], "holds no numbers"),
        ("claims", "amount", float("inf"), "is infinite"),
        ("claims", "number", None, "is missing"),
        ("claims", "number", ["C"], "holds no texts"),
    ],
)
def test_a_column_of_an_odd_type_or_size_is_named(
    tmp_path: Path, file: str, field: str, value: object, problem: str
) -> None:
    policies = columns(rows=200)
    claims = claims_of(policies)
    write(tmp_path, policies, claims | {"number": np.arange(len(claims["policy"]))})
    (tmp_path / "contract.toml").write_text(
        CONTRACT.replace('amount = "amount"', 'amount = "amount"\nclaim = "number"')
    )
    path = tmp_path / f"{file}.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index(field), field, pa.array([value] * len(table))), path)
    with pytest.raises(BadBook, match=problem) as refused:
        read_book(tmp_path, read_contract(tmp_path / "contract.toml"))
    assert (refused.value.source, refused.value.field) == (path.name, field)


def test_a_column_that_stands_twice_is_named(tmp_path: Path) -> None:
    contract = write(tmp_path, columns(rows=20))
    pa.csv.write_csv(pq.read_table(tmp_path / "policies.parquet"), tmp_path / "policies.csv")
    path = tmp_path / "policies.csv"
    path.write_text(path.read_text().replace('"noise"', '"km"'))
    with pytest.raises(BadBook, match="km: several columns have this name"):
        read_book(path, contract)


def test_a_book_without_a_row_is_refused(tmp_path: Path) -> None:
    policies = columns(rows=20)
    contract = write(tmp_path, {name: column[:0] for name, column in policies.items()}, claims_of(policies))
    with pytest.raises(BadBook, match="the file has no row"):
        read_book(tmp_path, contract)
    write(tmp_path, policies | {"noise": np.full(20, np.nan)})
    (tmp_path / "contract.toml").write_text(CONTRACT.replace('name = "noise"', 'name = "noise"\nmissing = "leave_out"'))
    with pytest.raises(BadBook, match="every row is left out"):
        read_book(tmp_path, read_contract(tmp_path / "contract.toml"))


def test_a_model_is_what_its_hash_says(tmp_path: Path) -> None:
    whole, contract = book(tmp_path, rows=2000)
    model = fit(contract, whole.only(~is_test(contract, whole)), 1, frozenset({"glm"}), lambda _: None)
    path = tmp_path / "model"
    digest = artefact.save(model, path)
    assert artefact.load(path) == (model, digest)
    assert model.card.data_digest == whole.digest
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"seed":1', b'"seed":2'))
    with pytest.raises(WrongArtefact, match="its content has the hash"):
        artefact.load(path)
    path.write_bytes(content[:-20])
    with pytest.raises(WrongArtefact, match="cannot be read"):
        artefact.load(path)
    path.write_bytes(content.replace(artefact.FORMAT.encode(), b"wayrate-risk-0"))
    with pytest.raises(WrongArtefact, match="fit it again"):
        artefact.load(path)
