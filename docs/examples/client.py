"""A client made of the description: each operation of /openapi.json is a method under its operationId.

client = Client(httpx.Client(base_url="http://127.0.0.1:8080"), "you@example.org", "your password")
client.read_menu(policy_id="W-1001", period="2026-10")
client.cancel_policy(policy_id="W-1001", body={"ends_on": "2026-12-15"})
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx


class Client:
    """Signs in as a person does, and asks what the description offers."""

    def __init__(self, http: httpx.Client, email: str, password: str) -> None:
        self.http = http
        self.http.get("/")
        form = {"email": email, "password": password, "form_token": self.http.cookies["wayrate_form"]}
        self.http.post("/sign-in", data=form, follow_redirects=True).raise_for_status()
        self.operations = {
            operation["operationId"]: (method, path, operation)
            for path, item in self.http.get("/openapi.json").json()["paths"].items()
            for method, operation in item.items()
        }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The operation of that name; `AttributeError` where there is none."""
        if name not in self.operations:
            raise AttributeError(name)
        return lambda **given: self.ask(name, **given)

    def ask(self, name: str, *, body: object = None, **given: Any) -> Any:
        """The answer's JSON. Raises httpx.HTTPStatusError, whose response holds the problem."""
        method, path, operation = self.operations[name]
        query = {one["name"]: given[one["name"]] for one in operation.get("parameters", [])
                 if one["in"] == "query" and one["name"] in given}  # fmt: skip
        headers = {"Idempotency-Key": uuid4().hex} if method == "post" else {}
        answer = self.http.request(method, path.format_map(given), params=query, json=body, headers=headers)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def pages(self, name: str, **given: Any) -> Iterator[Any]:
        """Every row of a list, page after page."""
        _, path, _ = self.operations[name]
        url: str | None = path.format_map(given)
        while url:
            answer = self.http.get(url).raise_for_status()
            yield from answer.json()
            url = answer.links.get("next", {}).get("url")
