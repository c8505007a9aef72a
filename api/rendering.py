"""Pages from Jinja templates: every value is escaped, and an unknown name in a template is an error.

Templates say everything by `{% trans %}` or `_()`, in English; `api.languages` says it as the reader reads.
"""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api import wording
from api.languages import LANGUAGES, current, say, say_plain_count
from api.store import Account

HERE = Path(__file__).parent
STATIC = HERE / "static"
SAID = (
    "money", "number", "percent", "km", "duration", "day", "long_day", "moment", "clock", "month", "words", "inside",
    "at_start", "event_name", "peak",
)  # fmt: skip


@cache  # one a process: a template is compiled once, for however many applications
def make_environment() -> Environment:
    """The template environment; static files carry a hash of their content, so a changed file is fetched anew."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(say, say_plain_count, newstyle=True)  # type: ignore[attr-defined]
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals["languages"] = LANGUAGES
    for word in SAID:
        environment.filters[word] = getattr(wording, word)
    for path in STATIC.iterdir():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        environment.globals[path.name.replace(".", "_").replace("-", "_")] = f"/static/{path.name}?{digest}"
    return environment


def page(
    request: Request, template: str, reader: Account | None, *, status: int = 200, **values: object
) -> HTMLResponse:
    """One page; `reader` (None: nobody is signed in) decides what the head of the page offers."""
    environment: Environment = request.app.state.templates
    here = request.url.path if request.method == "GET" else "/"
    query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
    html = environment.get_template(template).render(
        reader=reader, path=request.url.path, here=here + query, as_read=current(), **values
    )
    return HTMLResponse(html, status_code=status)
