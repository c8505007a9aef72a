"""What the command line loads before it knows what is wanted."""

import subprocess
import sys

HEAVY = ("fastapi", "numba", "pandas", "pyarrow", "scipy", "scoring.match", "uvicorn")


def test_listing_the_commands_loads_neither_the_numeric_core_nor_a_server() -> None:
    listing = f"import sys; import cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
