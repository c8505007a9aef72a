"""`/metrics` on a gateway: for who scrapes from the same machine, and for nobody else."""

from ipaddress import ip_address

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from ingest.gateway import problem
from ingest.metrics import exposition

# A proxy on this machine comes from it too; what it passes on says so.
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


def add_metrics_route(app: FastAPI) -> None:
    """Add `/metrics`; whoever comes by the network, or through a proxy, finds nothing there."""

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Prometheus' text format."""
        if not _is_local(request):
            return problem(404, "Not Found", "see the documentation of the gateway")
        return Response(exposition(), media_type=CONTENT_TYPE_LATEST)


def _is_local(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _PASSED_ON):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
