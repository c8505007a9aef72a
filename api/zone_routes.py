"""Privacy zones: set by program, or on a trip's page by where it began or ended; taken away again."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import numpy as np
from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from api.errors import BadZone, NotFound
from api.forms import check_session_form
from api.paging import Page, by
from api.problems import PROBLEMS
from api.roles import Now, Policyholder, Store
from api.sight import Sight
from api.store import Account
from api.trip_file import own_trip_file
from api.zones import set_zone, take_away, zones_of
from portfolio.zone_store import Zone

router = APIRouter()


class ZoneIn(BaseModel):
    """A place that nobody should see."""

    model_config = ConfigDict(extra="forbid")

    latitude_deg: float = Field(allow_inf_nan=False, examples=[60.1699])
    longitude_deg: float = Field(allow_inf_nan=False, examples=[24.9384])
    radius_m: float = Field(default=400, allow_inf_nan=False)


class ZoneOut(BaseModel):
    """A zone as it is kept: larger than what was asked for, and round another middle."""

    zone_id: UUID
    latitude_deg: float
    longitude_deg: float
    radius_m: float
    set_at: datetime

    @classmethod
    def of(cls, zone: Zone) -> "ZoneOut":
        """From the stored one."""
        return cls(**{name: getattr(zone, name) for name in cls.model_fields})


@router.get("/api/v1/privacy-zones", responses=PROBLEMS)
def read_zones(reader: Policyholder, database: Store, paging: Page) -> list[ZoneOut]:
    """Your zones, the oldest first."""
    zones = zones_of(database, [_person(reader)])
    return [ZoneOut.of(zone) for zone in paging.cut(zones, by("zone_id"))]


@router.post("/api/v1/privacy-zones", status_code=201, responses=PROBLEMS)
def make_zone(wanted: ZoneIn, reader: Policyholder, database: Store, now: Now, response: Response) -> ZoneOut:
    """A zone that holds this circle; 200 and the one there is where one does so already."""
    zone, held = set_zone(
        database, _person(reader), wanted.latitude_deg, wanted.longitude_deg, wanted.radius_m, as_of=now
    )
    response.status_code = 200 if held else 201
    return ZoneOut.of(zone)


@router.delete("/api/v1/privacy-zones/{zone_id}", status_code=204, responses=PROBLEMS)
def delete_zone(zone_id: UUID, reader: Policyholder, database: Store) -> None:
    """Takes a zone away: what it hid is shown again."""
    take_away(database, _person(reader), zone_id)


@router.post("/trips/{trip_id}/zone", include_in_schema=False)
def make_by_form(
    trip_id: UUID,
    reader: Policyholder,
    database: Store,
    now: Now,
    *,
    end: Annotated[Literal["start", "end"], Form()],
    radius_m: Annotated[int, Form(ge=100, le=2000)],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """A zone round where a trip began or ended."""
    check_session_form(reader, form_token)
    file = own_trip_file(database, reader, trip_id)
    if file.sight is not Sight.ALL or file.track is None:
        raise NotFound("trip", str(trip_id))
    placed = np.flatnonzero(np.isfinite(file.track.latitude_deg) & np.isfinite(file.track.longitude_deg))
    if not len(placed):
        raise BadZone("end", "has no place on this trip")
    row = placed[0] if end == "start" else placed[-1]
    place = float(file.track.latitude_deg[row]), float(file.track.longitude_deg[row])
    set_zone(database, _person(reader), *place, float(radius_m), as_of=now)
    return RedirectResponse("/privacy#zones", status_code=303)


@router.post("/privacy/zones/{zone_id}", include_in_schema=False)
def delete_by_form(
    zone_id: UUID, reader: Policyholder, database: Store, form_token: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """Takes a zone away, and goes back to the page."""
    check_session_form(reader, form_token)
    take_away(database, _person(reader), zone_id)
    return RedirectResponse("/privacy#zones", status_code=303)


def _person(reader: Account) -> UUID:
    if reader.person_key is None:
        raise NotFound("person", reader.email)
    return reader.person_key
