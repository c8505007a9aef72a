"""Documents for others, written as a page or as PDF by the file's name; and a model's evaluation read back."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import CannotWrite, NotFound, WrongLine

if TYPE_CHECKING:
    from pricing.document import Block
    from pricing.risk.artefact import RiskModel


def write_document(path: Path, title: str, blocks: Iterable["Block"]) -> None:
    """Write `blocks` as HTML or PDF. Raises NotFound for any other kind of file, CannotWrite."""
    from pricing.document import as_html, as_pdf

    if path.suffix not in (".pdf", ".html"):
        raise NotFound("kind of document", path.name, "its name must end with .html or .pdf")
    content = as_pdf(title, blocks) if path.suffix == ".pdf" else as_html(title, blocks).encode()
    write_file(path, content)


def write_file(path: Path, content: bytes) -> None:
    """Write what a command was asked for. Raises CannotWrite."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CannotWrite(path, error.strerror or str(error)) from None


def read_evaluation(path: Path, model: "tuple[RiskModel, str] | None") -> dict[str, Any]:
    """What `wayrate evaluate` printed of the model. Raises WrongLine where it is another's."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise WrongLine(path.name, f"is not JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("models"), dict):
        raise WrongLine(path.name, "is not what `wayrate evaluate` prints")
    if model is None or found.get("sha256") != model[1]:
        raise WrongLine(path.name, "is of another model than --model names: evaluate that one")
    return found
