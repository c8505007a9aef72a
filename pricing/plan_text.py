"""A plan's content written as TOML again, to the letter of its numbers: what a fitted or balanced plan is kept as."""

from datetime import date
from typing import Any


def toml_text(content: dict[str, Any]) -> str:
    """TOML of a plan's content: plain values, then a section a table; a table of plain values stays on its line."""
    lines = [f"{key} = {_value(value)}" for key, value in content.items() if not isinstance(value, dict)]
    for key, value in content.items():
        if isinstance(value, dict):
            lines += _section(key, value)
    return "\n".join(lines) + "\n"


def _section(place: str, table: dict[str, Any]) -> list[str]:
    plain = {key: value for key, value in table.items() if not _is_deep(value)}
    lines = ["", f"[{place}]", *(f"{_key(key)} = {_value(value)}" for key, value in plain.items())] if plain else []
    for key, value in table.items():
        if _is_deep(value):
            lines += _section(f"{place}.{_key(key)}", value)
    return lines


def _is_deep(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(part, dict | list) for part in value.values())


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
            return f'"{escaped}"'
        case date():
            return value.isoformat()
        case dict():
            return "{ " + ", ".join(f"{_key(key)} = {_value(part)}" for key, part in value.items()) + " }"
        case list():
            broken = any(isinstance(part, dict | list) for part in value)
            inner = (",\n    " if broken else ", ").join(map(_value, value))
            return f"[\n    {inner},\n]" if broken else f"[{inner}]"
    return str(value)
