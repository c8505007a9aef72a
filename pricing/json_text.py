"""JSON that people write: an object that names a key twice is refused, as in TOML, for one of the two would be lost."""

import json
from typing import Any


def read_json(text: str) -> Any:
    """What a JSON text holds. Raises ValueError, also where a key stands twice."""
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError(f"an object names a key twice: {', '.join(name for name, _ in pairs)}")
    return dict(pairs)
