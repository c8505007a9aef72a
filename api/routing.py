"""Routes by the segments of their path: a request asks the one or two that could be meant, not each of all in turn."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Receive, Scope, Send

type Numbered = tuple[int, BaseRoute]


@dataclass(slots=True)
class _Segment:
    """What may follow: by its name, or anything at all. `here` ends here, `below` takes whatever follows."""

    named: "dict[str, _Segment]" = field(default_factory=dict)
    anything: "_Segment | None" = None
    here: list[Numbered] = field(default_factory=list)
    below: list[Numbered] = field(default_factory=list)


class IndexedRouter(APIRouter):
    """A router for many routes; where two fit, the first that was included wins, as everywhere in FastAPI.

    What the index does not find (another method, no such path) is left to FastAPI.
    """

    _root = _Segment()
    _indexed = 0

    def include_each(self, routers: Iterable[APIRouter]) -> None:
        """Includes every route by itself, so that the index leads to it alone. None of the routers has a lifespan."""
        lifespan = self.lifespan_context
        for router in routers:
            for route in router.routes:
                self.include_router(APIRouter(routes=[route]))
        self.lifespan_context = lifespan  # else one is wound round the other for each route

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request to its route."""
        if scope["type"] == "http":
            if self._indexed != len(self.routes):
                self._root, self._indexed = _index(self.routes), len(self.routes)
            for route in _candidates(self._root, scope["path"]):
                match, child_scope = route.matches(scope)
                if match is Match.FULL:
                    scope.setdefault("router", self)
                    scope.update(child_scope)
                    await route.handle(scope, receive, send)
                    return
        await super().app(scope, receive, send)


def _index(routes: Iterable[BaseRoute]) -> _Segment:
    root = _Segment()
    for number, route in enumerate(routes):
        for context in iter_route_contexts([route]):
            at = root
            for name in (context.path or "").split("/"):
                if "{" not in name:
                    at = at.named.setdefault(name, _Segment())
                else:
                    at.anything = at.anything or _Segment()
                    at = at.anything
            (at.below if isinstance(context.original_route, Mount) else at.here).append((number, route))
    return root


def _candidates(root: _Segment, path: str) -> list[BaseRoute]:
    """The routes whose segments these could be, in the order they were included."""
    at, found = [root], list[Numbered]()
    for name in path.split("/"):
        at = [after for before in at for after in (before.named.get(name), before.anything) if after is not None]
        found += [route for one in at for route in one.below]
    found += [route for one in at for route in one.here]
    return [route for _, route in (found if len(found) < 2 else sorted(found, key=lambda one: one[0]))]
