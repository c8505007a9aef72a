"""A fitted model as a file: its content, the hash of it, the digest of what it was fitted on, the seed, and a card."""

import hashlib
from pathlib import Path

import msgspec

from pricing.risk.boosting import Boosted
from pricing.risk.contract import Contract
from pricing.risk.credibility import GammaPoisson
from pricing.risk.errors import WrongArtefact
from pricing.risk.glm import Glm
from pricing.risk.joint import Joint
from pricing.risk.reference import Reference
from pricing.risk.tables import Tariff

FORMAT = "wayrate-risk-2"
NAMED_DIGITS = 16  # of a model's hash, where the basis of a plan names it


class Card(msgspec.Struct, frozen=True):
    """What a reader must know before using the model."""

    contract: str
    data_digest: str
    seed: int
    learn_rows: int
    learn_years: float
    learn_claims: float
    claims_without_amount: int
    large_claims: int
    large_loading: float
    metrics: dict[str, float]
    libraries: dict[str, str]
    limits: tuple[str, ...]


class RiskModel(msgspec.Struct, frozen=True):
    """Everything one fit made; a part that was not asked for is None."""

    contract: Contract
    levels: dict[str, tuple[str, ...]]
    card: Card
    glm: Glm | None = None
    boosted: Boosted | None = None
    tariff: Tariff | None = None
    severity: Glm | None = None
    severity_trees: Boosted | None = None
    credibility: GammaPoisson | None = None
    joint: Joint | None = None
    reference: Reference | None = None


class _Envelope(msgspec.Struct, frozen=True):
    format: str
    sha256: str
    model: msgspec.Raw


def save(model: RiskModel, path: Path) -> str:
    """Write the model; returns its content hash. Raises WrongArtefact where the file cannot be written."""
    content = msgspec.json.encode(model, order="deterministic")
    digest = hashlib.sha256(content).hexdigest()
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(msgspec.json.encode(_Envelope(FORMAT, digest, msgspec.Raw(content))))
        part.replace(path)
    except OSError as error:
        raise WrongArtefact(path, f"cannot be written: {error.strerror or error}") from None
    return digest


def load(path: Path) -> tuple[RiskModel, str]:
    """Read a model and its hash; refused when the content is not that of the hash."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WrongArtefact(path, f"cannot be read: {error}") from None
    return decode(content, path)


def decode(file: bytes, path: Path) -> tuple[RiskModel, str]:
    """The model of a file's bytes and its hash, likewise; a refusal names `path`."""
    try:
        envelope = msgspec.json.decode(file, type=_Envelope)
    except msgspec.DecodeError as error:
        raise WrongArtefact(path, f"cannot be read: {error}") from None
    content = bytes(envelope.model)
    digest = hashlib.sha256(content).hexdigest()
    if envelope.format != FORMAT:
        raise WrongArtefact(path, f"format {envelope.format!r}: this version reads {FORMAT!r}; fit it again")
    if digest != envelope.sha256:
        raise WrongArtefact(path, f"its content has the hash {digest[:12]}, it says {envelope.sha256[:12]}")
    try:
        return msgspec.json.decode(content, type=RiskModel), digest
    except msgspec.ValidationError as error:
        raise WrongArtefact(path, str(error)) from None
