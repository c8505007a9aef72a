"""A book that breaks its contract is refused with file, policy and field; nothing is fitted."""

from pathlib import Path

import numpy as np
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
    ],
)
def test_a_contract_that_cannot_be_names_its_place(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "contract.toml"
    path.write_text(CONTRACT.replace("[boosting]", f"{line}\n[boosting]"))
    with pytest.raises(BadContract, match=problem):
        read_contract(path)


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
