"""Small and odd books: fitted and judged as far as they go, else refused by what they lack, never with a traceback."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.errors import CannotWrite
from cli.main import app
from pricing.risk.errors import NothingToFit, WrongArtefact
from tests.pricing.risk_books import CONTRACT, claims_of, columns, write

type Columns = dict[str, np.ndarray]
MAY_LACK = CONTRACT.replace('name = "noise"', 'name = "noise"\nmissing = "level"')


def fit(folder: Path, policies: Columns, claims: Columns | None = None, content: str = CONTRACT) -> str:
    """What `wayrate fit` says on standard error of these files; the model is the file `model` beside them."""
    write(folder, policies, claims)
    (folder / "contract.toml").write_text(content)
    words = ["fit", str(folder), "--contract", str(folder / "contract.toml"), "--out", str(folder / "model")]
    answer = CliRunner().invoke(app, words, catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.stderr


def evaluate(folder: Path, *words: str, whole: bool = True) -> tuple[dict[str, object], str, str]:
    """The figures, read as JSON that every reader takes, the words of the page, and what is said beside."""
    page = folder / "report.html"
    command = ["evaluate", str(folder / "model"), str(folder), "--report", str(page), *words]
    answer = CliRunner().invoke(app, command, catch_exceptions=not whole)
    found = json.loads(answer.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return found, re.sub(r"<svg.*?</svg>", "", page.read_text(), flags=re.DOTALL), answer.stderr


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_test_part_without_claims_is_judged_by_nothing_and_says_so(tmp_path: Path) -> None:
    policies = columns(1000)
    policies["claims"][policies["policy"] % 5 == 0] = 0
    fit(tmp_path, policies)
    found, page, _ = evaluate(tmp_path)
    assert found["models"]["glm"]["gini"] is None  # type: ignore[index]
    assert found["models"]["glm"]["calibration"]["slope"] is None  # type: ignore[index]
    assert "None of these rows has a claim" in page
    assert "nan" not in page
    (tmp_path / "judged.json").write_text(json.dumps(found))
    words = ["--model", str(tmp_path / "model"), "--evaluation", str(tmp_path / "judged.json")]
    pack = ["plan", "filing", plan_of(tmp_path), "-o", str(tmp_path / "pack.html"), *words]
    CliRunner().invoke(app, pack, catch_exceptions=False)
    assert "None of these rows has a claim" in (tmp_path / "pack.html").read_text()


def plan_of(folder: Path) -> str:
    """A plan whose basis names the model."""
    text = Path("pricing/plans/wayrate-2026.toml").read_text()
    digest = json.loads((folder / "model").read_text())["sha256"]
    named = re.sub(r'^basis = ".*"$', f'basis = "model {digest[:16]}"', text, flags=re.MULTILINE)
    (folder / "plan.toml").write_text(named)
    return str(folder / "plan.toml")


def test_folds_of_too_few_claims_are_said_and_the_rest_is_printed(tmp_path: Path) -> None:
    fit(tmp_path, columns(60))
    found, page, said = evaluate(tmp_path, "--folds")
    assert "out_of_fold" not in found
    assert "Not judged out of fold: poisson model: 7 rows with claims, at least 10." in said
    assert "Out of fold" not in page


def test_a_factor_that_no_row_has_is_fitted_and_drawn_as_missing(tmp_path: Path) -> None:
    policies = columns(1000)
    some, none = (policies | {"noise": np.where(of, policies["noise"], np.nan)}
                  for of in (policies["policy"] % 5 != 0, np.zeros(1000, dtype=bool)))  # fmt: skip
    for number, rows in enumerate((some, none)):  # missing in the test part alone, and everywhere
        folder = tmp_path / str(number)
        folder.mkdir()
        fit(folder, rows, content=MAY_LACK)
        assert "noise: no row has a value, so there is no curve." in evaluate(folder)[1]


def test_amounts_that_are_all_alike_leave_the_frequency_to_be_fitted(tmp_path: Path) -> None:
    policies = columns(1000)
    rows = claims_of(policies)
    said = fit(tmp_path, policies, rows | {"amount": np.full(len(rows["amount"]), 1000.0)})
    assert "gamma model: cannot be estimated: No variation" in said
    assert "or all have the same" in evaluate(tmp_path)[1]


def test_rows_that_a_model_learned_from_are_not_called_unseen(tmp_path: Path) -> None:
    fit(tmp_path, columns(1000), content=CONTRACT.replace("[test]\nmodulus = 5\nremainder = 0\n", ""))
    assert "claims that it learned from, for the contract keeps no test part." in evaluate(tmp_path)[1]
    write(tmp_path, columns(500, seed=7))
    assert "claims that it did not see." in evaluate(tmp_path)[1]


DRIVEN = CONTRACT.replace('ends_on = "ends_on"\n', 'ends_on = "ends_on"\ndistance_km = "driven"\n').replace(
    "[boosting]", '[[factor]]\nname = "brakes"\nmissing = "leave_out"\ndriving = true\n[boosting]'
)


def test_a_book_that_drove_nothing_has_no_joint_refit(tmp_path: Path) -> None:
    policies = columns(1000) | {"driven": np.zeros(1000), "brakes": np.random.default_rng(3).random(1000)}
    said = fit(tmp_path, policies, content=DRIVEN)
    assert "joint refit: no policy has two terms of brakes" in said


@pytest.mark.parametrize(
    ("policies", "problem"),
    [(1, "there are too few policies to learn from the others"), (None, "No variation in `y`")],
)
def test_what_cannot_be_estimated_is_said(tmp_path: Path, policies: int | None, problem: str) -> None:
    rows = columns(600)
    if policies is None:
        rows["claims"][:] = 1
    else:
        rows["policy"] = rows["policy"] % policies + 1
        begin = np.arange(600) // policies * np.timedelta64(365, "D")
        rows |= {"starts_on": rows["starts_on"] + begin, "ends_on": rows["ends_on"] + begin}
    no_amounts = {name: column[:0] for name, column in claims_of(rows).items()}
    with pytest.raises(NothingToFit, match=problem):
        fit(tmp_path, rows, no_amounts)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    fit(tmp_path, columns(400))
    nowhere = tmp_path / "none"
    words = ["fit", str(tmp_path), "--contract", str(tmp_path / "contract.toml"), "--out", str(nowhere / "model")]
    lost = CliRunner().invoke(app, [*words, "--glm-only"])
    assert isinstance(lost.exception, WrongArtefact)
    judged = CliRunner().invoke(
        app, ["evaluate", str(tmp_path / "model"), str(tmp_path), "--report", str(nowhere / "page.html")]
    )
    assert isinstance(judged.exception, CannotWrite)
