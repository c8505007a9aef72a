"""`wayrate`: every command, in the order in which the path is walked."""

import signal
import sys

import typer
from rich.markup import escape

from api.errors import ApiError
from cli import (
    audit,
    book,
    decode,
    demo,
    devices,
    erasure,
    expire,
    files,
    load,
    mqtt,
    plan,
    policies,
    portfolio,
    quarantine,
    rate,
    risk,
    roads,
    security,
    serve,
    show,
    simulate,
    strategies,
    verify,
    work,
)
from cli.errors import CliError
from cli.options import messages
from ingest.errors import IngestError
from portfolio.errors import PortfolioError
from pricing.errors import PricingError
from scoring.errors import ScoringError
from simulator.errors import SimulatorError
from storage.errors import StorageError

REFUSALS = (CliError, StorageError, IngestError, ScoringError, PricingError, PortfolioError, SimulatorError, ApiError)

app = typer.Typer(
    name="wayrate",
    help="Usage-based insurance, open: vehicle telemetry in, an explained premium out.\n\n"
    "Start with `wayrate demo`. The database is an embedded PostgreSQL; set WAYRATE_DSN to use your own server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
START, DRIVING, BOOK, OPERATIONS = (
    "Start here",
    "From device bytes to a score",
    "From a score to a statement",
    "Operations",
)

app.command("demo", rich_help_panel=START)(demo.demo)
app.command("serve", rich_help_panel=START)(serve.serve)

app.command("decode", rich_help_panel=DRIVING)(decode.decode)
app.command("ingest", rich_help_panel=DRIVING)(files.ingest)
app.command("work", rich_help_panel=DRIVING)(work.work)
app.command("score", rich_help_panel=DRIVING)(files.score)
app.command("show", rich_help_panel=DRIVING)(show.show)
app.add_typer(roads.roads, name="roads", rich_help_panel=DRIVING)

app.command("close", rich_help_panel=BOOK)(book.close)
app.command("statement", rich_help_panel=BOOK)(book.statement)
app.add_typer(policies.policies, name="policy", rich_help_panel=BOOK)
app.add_typer(plan.plans, name="plan", rich_help_panel=BOOK)
app.command("quote", rich_help_panel=BOOK)(rate.quote)
app.command("rate", rich_help_panel=BOOK)(rate.rate)
app.command("fit", rich_help_panel=BOOK)(risk.fit)
app.command("evaluate", rich_help_panel=BOOK)(risk.evaluate)
app.command("monitor", rich_help_panel=BOOK)(risk.monitor)
app.command("strategies", rich_help_panel=BOOK)(strategies.strategies)
app.add_typer(portfolio.portfolio, name="portfolio", rich_help_panel=BOOK)

app.add_typer(devices.devices, name="device", rich_help_panel=OPERATIONS)
app.add_typer(devices.accounts, name="account", rich_help_panel=OPERATIONS)
app.add_typer(mqtt.mqtt, name="mqtt", rich_help_panel=OPERATIONS)
app.add_typer(quarantine.quarantine, name="quarantine", rich_help_panel=OPERATIONS)
app.command("expire", rich_help_panel=OPERATIONS)(expire.expire)
app.add_typer(erasure.erasure, name="erasure", rich_help_panel=OPERATIONS)
app.command("security", rich_help_panel=OPERATIONS)(security.security)
app.command("load", rich_help_panel=OPERATIONS)(load.load)
app.command("verify", rich_help_panel=OPERATIONS)(verify.verify)
app.add_typer(audit.audit, name="audit", rich_help_panel=OPERATIONS)
app.add_typer(simulate.simulate, name="simulate", rich_help_panel=OPERATIONS)


def main() -> None:
    """Run the command; a refusal is one line on standard error and exit code 1. SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except REFUSALS as refusal:
        messages.print(f"[bold red]wayrate:[/] {escape(' '.join(str(refusal).split()))}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
