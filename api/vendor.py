"""MapLibre's browser files, found inside the installed `maplibre` wheel without importing that package."""

from importlib.util import find_spec
from pathlib import Path

from api.errors import MissingBrowserLibrary

FILES = {"maplibre-gl.js": "text/javascript", "maplibre-gl.css": "text/css"}


def browser_files() -> dict[str, Path]:
    """Where each of FILES is installed. Raises MissingBrowserLibrary."""
    spec = find_spec("maplibre")
    folders = [Path(place) / "srcjs" for place in (spec.submodule_search_locations or ())] if spec else []
    found = {}
    for name in FILES:
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if path is None:
            raise MissingBrowserLibrary(name)
        found[name] = path
    return found
