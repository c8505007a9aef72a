"""An offer as one customer would read it: what its words may be made of, and the guard's verdict on them."""

from collections.abc import Collection
from datetime import datetime

from api.customer_card import best_change, driven_km_per_year_of, open_card, person_of
from api.home_view import pay_plan_name
from api.menu_view import policy_menu
from api.wording import money
from portfolio import customer_store
from portfolio.customer_store import HeldPolicy
from portfolio.offers import OWN_PAGES, Preview, preview
from pricing.store import fetch_policy
from storage.pool import Database


def preview_of(
    database: Database, places: Collection[str], policy_id: str, template: str, now: datetime, channel: str = OWN_PAGES
) -> Preview:
    """An offer as this customer would see it, and the guard's verdict. Raises NotFound, UnknownWord, NothingToOffer."""
    person_key, _ = person_of(database, policy_id)
    values = offer_values(database, policy_id, now)
    with database.role("policy") as conn:
        return preview(conn, person_key, template, values, now, channel=channel, places=places)


def offer_values(database: Database, text: str, now: datetime) -> dict[str, str]:
    """What the words of an offer may be made of, as far as it is known; the guard decides what may be used."""
    card = open_card(database, text, now)
    if not card.policies:
        return {}
    policy = card.policies[0]
    values = {"declared_km": f"{policy.declared_km_per_year:,}"}
    if (driven := driven_km_per_year_of(card.scores)) is not None:
        values["driven_km"] = f"{round(driven, -3):,.0f}"
    with database.role("policy") as conn:
        change = best_change(conn, policy, now)
    if change is not None:
        values["coaching"] = change
    if (saving := _saving(database, policy)) is not None:
        values["pay_plan"], values["saving"] = saving
    return values


def _saving(database: Database, policy: HeldPolicy) -> tuple[str, str] | None:
    """The pay plan that would have cost least in the latest posted month with the same covers, and how much less."""
    with database.role("policy") as conn:
        held = fetch_policy(conn, policy.policy_id)
        months = customer_store.fetch_months(conn, policy.policy_key, 1)
    if held is None or not months:
        return None
    found = policy_menu(database, held, months[-1].period)
    same = [one for one in found.menu.offers if set(one.covers) == set(found.chosen.covers)]
    best = min(same, key=lambda one: one.amount, default=None)
    if best is None or best.amount >= found.chosen.amount:
        return None
    name = pay_plan_name(found.plan, best.pay_plan)
    return name, money(found.chosen.amount - best.amount, found.menu.currency)
