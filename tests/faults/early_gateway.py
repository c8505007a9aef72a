"""`wayrate`, but its gateway acknowledges before it stores: a negative control, run by the fault suite alone."""

from cli.main import main
from ingest.coalesce import Coalescer

assert Coalescer.__init__.__kwdefaults__ is not None
Coalescer.__init__.__kwdefaults__["acknowledge_before_commit"] = True

if __name__ == "__main__":
    main()
