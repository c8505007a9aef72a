"""The security matrix, asked: every route, every caller, every owner of the object. No route is left out."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from api import accounts, store
from api.app import create_api
from api.roles import SESSION_COOKIE
from ingest.accept import accept
from ingest.decoders import wayrate
from ingest.devices import enrol, find_device
from pricing.plan import parse_plan
from pricing.policies import packaged_plan
from pricing.publishing import submit
from scoring.roads import RoadMap
from storage.pool import Database
from tests.api.conftest import copied
from tests.api.matrix import (
    ALSO_FOR_NOBODY,
    MAKES_WHAT_IS_NOT_THERE,
    OF_A_PERSON,
    ONLY_STAFF,
    PUBLIC,
    ROW_OF,
    STAFF,
    request_of,
    rows,
)
from tests.api.test_routes import api_routes, roles_of
from tests.api.world import ANNA, BEN, NOW, PASSWORD, POLICY_OF, World

NOBODY, DEVICE = "nobody", "a device's token"
PERIOD = "2026-10"
PLACE = {"latitude_deg": 60.3, "longitude_deg": 25.1, "radius_m": 400}
DONE = {200, 201, 204, 303}
IN_THE_WAY = {404, 409, 422}  # what this caller may do, another cell has done already


@dataclass(frozen=True)
class Caller:
    """Who asks: `family` is whose objects are own (None: nobody's)."""

    name: str
    role: str | None
    family: str | None
    headers: dict[str, str]
    form_token: str = ""


@dataclass
class Asking:
    """The application, who may ask, and the objects of the two families."""

    client: TestClient
    callers: list[Caller]
    objects: dict[str, dict[str, str]]

    def answer(self, caller: Caller, operation: str, owner: str) -> Response:
        method, path = operation.split(" ")
        asked = request_of(operation)
        headers = dict(caller.headers)
        if method != "GET":
            headers["Idempotency-Key"] = uuid4().hex
        form = asked.form
        if form is not None:
            form = {**self._about(owner, form), "form_token": caller.form_token} | (
                {"key": uuid4().hex} if "key" in form else {}
            )
        return self.client.request(
            method,
            path.format_map(self.objects[owner]),
            params=asked.query,
            data=form,
            json=self.json_of(operation, owner),
            files=asked.file,
            headers=headers,
            follow_redirects=False,
        )

    def json_of(self, operation: str, owner: str) -> dict[str, object] | list[object] | None:
        """What it holds as JSON, about this owner's objects."""
        wanted = request_of(operation).json
        if not isinstance(wanted, dict):
            return wanted
        return self._about(owner, wanted)

    def _about[V](self, owner: str, wanted: dict[str, V]) -> dict[str, V | str]:
        """What is asked for, with the ids of this owner in the places of their names."""
        own = {f"{{{name}}}": value for name, value in self.objects[owner].items()}
        return {name: own.get(value, value) if isinstance(value, str) else value for name, value in wanted.items()}


def operations(database: Database) -> dict[str, set[str] | None]:
    """Every `METHOD /path` of the application, pages and API, with the roles in its signature."""
    app = create_api(database, None, lambda: NOW)
    found = {
        f"{method} {route.path}": roles_of(route)
        for route in api_routes(app.routes)
        for method in route.methods - {"HEAD"}
    }
    described = {
        f"{method.upper()} {path}" for path, item in app.openapi()["paths"].items() for method in item
    }  # what the document says is there is among what is asked
    assert described <= found.keys()
    return found


def session_of(database: Database, email: str, role: str, person_of: str | None) -> tuple[str, str]:
    """An account of that role, tied to the person of another account, and a session: its token and its form's."""
    with database.role("policy") as conn:
        account = store.fetch_stored_account(conn, email)
        if account is None:
            person = store.fetch_person_key(conn, person_of) if person_of else None
            account = store.StoredAccount(uuid4(), email, "no password", role, person)
            assert store.insert_account(conn, account, NOW)
        token, form_token = uuid4().hex, uuid4().hex
        store.insert_session(
            conn, accounts.token_hash(token), account.account_key, csrf_token=form_token, created_at=NOW,
            expires_at=NOW + accounts.SESSION_LENGTH,
        )  # fmt: skip
    return token, form_token


@pytest.fixture(scope="module")
def asking(world: World, server_dsn: str) -> Iterator[Asking]:
    with copied(world, server_dsn) as own, made_asking(own.database, own.roads) as made:
        yield made


@contextmanager
def made_asking(database: Database, roads: RoadMap) -> Iterator[Asking]:
    """Accounts and sessions of everybody, and the objects of the two families, in the small book."""
    with ExitStack() as running:
        with database.role("telemetry") as conn:
            device_token = enrol(conn, "car-matrix", NOW).token
            device = find_device(conn, "car-anna")
        batch = b'{"readings": [{"fix_time": "2026-11-03T10:00:01Z", "latitude_deg": "60.1", "longitude_deg": 24.9}]}'
        accept(database, device, batch, wayrate.decode, received_at=NOW, channel="http",
               decoder_version=wayrate.VERSION)  # fmt: skip
        callers = [
            Caller(NOBODY, None, None, {}),
            Caller(DEVICE, None, None, {"Authorization": f"Bearer {device_token}"}),
        ]
        people = [(f"{role} of {person}", role, person) for person in (ANNA, BEN) for role in OF_A_PERSON]
        for name, role, person in [*people, *((role, role, None) for role in STAFF)]:
            email = person if role == "policyholder" and person else f"{name.replace(' ', '-').replace('@', '.')}@x.org"
            token, form_token = session_of(database, email, role, person)
            headers = {"Cookie": f"{SESSION_COOKIE}={token}"}
            callers.append(Caller(name, role, person, headers, form_token))
        client = running.enter_context(
            TestClient(create_api(database, roads, lambda: NOW), base_url="http://127.0.0.1")
        )
        objects = {person: _objects(client, callers, person) for person in (ANNA, BEN)}
        objects[NOBODY] = {
            "policy_id": "T-0000", "trip_id": str(uuid4()), "contest_id": str(uuid4()), "device_id": "car-nobody",
            "quarantine_id": "999999999", "period": PERIOD, "purpose": "coaching", "name": "another",
            "offer_id": str(uuid4()), "zone_id": str(uuid4()), "request_id": str(uuid4()), "driver_id": str(uuid4()),
            "link_code": "0000-0000-0000",
        }  # fmt: skip
        plan_hash = draft_of_another(database)
        objects = {owner: {**names, "plan_hash": plan_hash} for owner, names in objects.items()}
        yield Asking(client, callers, objects)


def draft_of_another(database: Database) -> str:
    """The hash of a rate plan that an actuary submitted who does not ask here."""
    text = packaged_plan().content.replace('version = "1"', 'version = "2"')
    text = text.replace("effective_from = 2019-01-01", "effective_from = 2026-12-01")
    with database.role("policy") as conn:
        author = accounts.add_account(conn, "author@x.org", PASSWORD, "actuary", created_at=NOW)
        draft = parse_plan(text, "draft.toml")
        submit(conn, draft, author, None, NOW)
    return draft.plan_hash


def _objects(client: TestClient, callers: list[Caller], person: str) -> dict[str, str]:
    """Ids of this family's: a policy, a trip, a contest of another trip, a device, a kept record."""
    caller = next(one for one in callers if one.name == f"policyholder of {person}")
    admin = next(one for one in callers if one.name == "admin")
    policy = POLICY_OF[person]
    trips = client.get(f"/api/v1/policies/{policy}/trips", headers=caller.headers).json()
    contest = client.post(
        f"/api/v1/trips/{trips[1]['trip_id']}/contests",
        json={"reason": "bad_data", "words": "A tunnel."},
        headers={**caller.headers, "Idempotency-Key": uuid4().hex},
    )
    assert contest.status_code == 201, contest.text
    kept = client.get("/api/v1/quarantine", headers=admin.headers).json()
    support = next(one for one in callers if one.name == "support")
    words = {one["purpose"]: one["text_hash"] for one in client.get("/api/v1/consents", headers=caller.headers).json()}
    agreed = {"granted": True, "text_hash": words["coaching"]}
    assert client.put("/api/v1/consents/coaching", json=agreed, headers=caller.headers).status_code == 200
    offer = client.post(
        f"/api/v1/customers/{policy}/offers",
        json={"template": "coaching"},
        headers={**support.headers, "Idempotency-Key": uuid4().hex},
    )
    assert offer.status_code == 201, offer.text
    linked = client.post(f"/api/v1/devices/car-more-{policy.lower()}/code",
                         headers={**admin.headers, "Idempotency-Key": uuid4().hex})  # fmt: skip
    assert linked.status_code == 201, linked.text
    lee = {"name": "Lee", "email": f"lee-of-{policy.lower()}@example.net"}
    (driver,) = client.post(f"/api/v1/policies/{policy}/drivers", json=lee, headers=caller.headers).json()
    return {
        "policy_id": policy,
        "driver_id": driver["driver_id"],
        "link_code": linked.json()["code"],
        "trip_id": trips[0]["trip_id"],
        "contest_id": contest.json()["contest_id"],
        "device_id": "car-anna" if person == ANNA else "car-ben",
        "quarantine_id": str(kept[0]["quarantine_id"]),
        "period": PERIOD,
        "purpose": "coaching",
        "name": "another",
        "offer_id": offer.json()["offer_id"],
        "zone_id": client.post("/api/v1/privacy-zones", json=PLACE, headers=caller.headers).json()["zone_id"],
        "request_id": client.post("/api/v1/erasures", headers=caller.headers).json()["request_id"],
    }


def is_owned(path: str) -> bool:
    """Whether it names an object of a family's: purposes, experiments and rate plans are nobody's."""
    return "{" in re.sub(r"{(purpose|name|plan_hash)}", "", path)


def right_answer(operation: str, roles: set[str], caller: Caller, owner: str) -> set[int]:
    """The statuses that the matrix allows in this cell."""
    method, path = operation.split(" ")
    if caller.role is None and operation in ALSO_FOR_NOBODY:
        return DONE
    if caller.role is None:
        return {401} if path.startswith("/api/") else {303}
    if caller.role not in roles:
        return {403}
    names_an_object = is_owned(path)
    foreign = caller.role in OF_A_PERSON and owner != caller.family
    if names_an_object and (foreign or owner == NOBODY) and operation not in MAKES_WHAT_IS_NOT_THERE:
        return {404}
    if method == "GET":
        return {200}
    return DONE


def test_every_route_has_a_row_and_no_role_that_the_row_does_not_allow(world: World) -> None:
    found = operations(world.database)
    assert found.keys() - PUBLIC == ROW_OF.keys(), "give the route its row in tests/api/matrix.py"
    for operation, roles in found.items():
        if operation in PUBLIC:
            assert roles is None, operation
            continue
        allowed = rows()[ROW_OF[operation]] - (set(OF_A_PERSON) if operation in ONLY_STAFF else set())
        assert roles, f"{operation} names no role in its signature"
        assert roles <= allowed, f"{operation} lets in {roles - allowed}, its row does not"


def test_every_cell_of_the_matrix_answers_as_it_says(asking: Asking, world: World) -> None:
    wrong, crossings, cells = [], [], Counter[str]()
    done = set()
    found = {name: roles for name, roles in operations(world.database).items() if name not in PUBLIC}
    for operation in in_order(found):
        owners = (NOBODY, ANNA, BEN) if is_owned(operation) else (NOBODY,)
        pairs = [(caller, owner) for caller in asking.callers for owner in owners]
        for caller, owner in sorted(pairs, key=lambda pair: pair[0].family == pair[1]):
            answer = asking.answer(caller, operation, owner)
            right = right_answer(operation, found[operation] or set(), caller, owner)
            if right == DONE:
                right = DONE | IN_THE_WAY if (ROW_OF[operation], owner) in done else DONE
                done.add((ROW_OF[operation], owner))
            cells[str(answer.status_code)] += 1
            if answer.status_code not in right:
                wrong.append(
                    f"{caller.name}: {operation} of {owner}: {answer.status_code}, not {right}: {answer.text[:300]}"
                )
            crossings += [
                f"{caller.name}: {operation} of {owner}: names {word}" for word in named(asking, caller, owner, answer)
            ]
    print(f"{sum(cells.values())} cells of {len(found)} routes: {dict(cells)}; {len(crossings)} crossings")
    assert wrong == []
    assert crossings == []
    assert sum(cells.values()) > 1000


def in_order(found: Iterable[str]) -> list[str]:
    """Operations so that none finds another's work in its way but as a 409: what reads first, then what writes."""
    late = ("cancellation", "/revoke", "/end", "/code", "/sign-out")  # what ends or makes things, after what needs them
    return sorted(
        found, key=lambda name: (not name.startswith("GET "), *(name.endswith(word) for word in reversed(late)))
    )


def named(asking: Asking, caller: Caller, owner: str, answer: Response) -> list[str]:
    """Words of an answer to a person (or to nobody) that are another family's and were not in the question."""
    if caller.role in STAFF:
        return []
    others = [person for person in (ANNA, BEN) if person != caller.family]
    secrets = [word for person in others for word in (person, *_telling(asking.objects[person]))]
    asked = set(_telling(asking.objects[owner])) if owner in asking.objects else set()
    return [word for word in secrets if word not in asked and re.search(rf"\b{re.escape(word)}\b", answer.text)]


def _telling(objects: dict[str, str]) -> list[str]:
    return [objects[name] for name in ("policy_id", "trip_id", "contest_id", "device_id")]
