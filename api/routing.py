"""Routes by the segments of their path: a request asks the one or two that could be meant, not each of all in turn."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts
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
    _paths: Mapping[int, str] = {}

    def include_each(self, routers: Iterable[APIRouter]) -> None:
        """Includes every route by itself, so that the index leads to it alone. None of the routers has a lifespan.

        Their paths are kept: FastAPI would build all that it needs to serve a route before it says its path, and so
        the first request would wait for every route of the application.
        """
        lifespan = self.lifespan_context
        paths = dict(self._paths)
        for router in routers:
            for route in router.routes:
                assert isinstance(route, APIRoute)
                paths[len(self.routes)] = route.path
                self.include_router(APIRouter(routes=[route]))
        self._paths = paths
        self.lifespan_context = lifespan  # else one is wound round the other for each route

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request to its route."""
        if scope["type"] == "http":
            if self._indexed != len(self.routes):
                self._root, self._indexed = _index(self.routes, self._paths), len(self.routes)
            for route in _candidates(self._root, scope["path"]):
                match, child_scope = route.matches(scope)
                if match is Match.FULL:
                    scope.setdefault("router", self)
                    scope.update(child_scope)
                    await route.handle(scope, receive, send)
                    return
        await super().app(scope, receive, send)


def _index(routes: Iterable[BaseRoute], paths: Mapping[int, str]) -> _Segment:
    """The routes by their segments; `paths` of those whose path is known by their number."""
    root = _Segment()
    for number, route in enumerate(routes):
        if number in paths:
            _segment(root, paths[number]).here.append((number, route))
            continue
        for context in iter_route_contexts([route]):
            at = _segment(root, context.path or "")
            (at.below if isinstance(context.original_route, Mount) else at.here).append((number, route))
    return root


def _segment(root: _Segment, path: str) -> _Segment:
    """Where a path ends; what is not there yet is made."""
    at = root
    for name in path.split("/"):
        if "{" not in name:
            at = at.named.setdefault(name, _Segment())
        else:
            at.anything = at.anything or _Segment()
            at = at.anything
    return at


def _candidates(root: _Segment, path: str) -> list[BaseRoute]:
    """The routes whose segments these could be, in the order they were included."""
    at, found = [root], list[Numbered]()
    for name in path.split("/"):
        at = [after for before in at for after in (before.named.get(name), before.anything) if after is not None]
        found += [route for one in at for route in one.below]
    found += [route for one in at for route in one.here]
    return [route for _, route in (found if len(found) < 2 else sorted(found, key=lambda one: one[0]))]
