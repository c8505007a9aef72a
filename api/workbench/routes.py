"""Every page of the workbench, and what it is for programs."""

from api.workbench import (
    audit_pages,
    book_routes,
    book_sum_routes,
    contact_routes,
    desk_routes,
    plan_routes,
    portfolio_routes,
    quarantine_pages,
    quote_routes,
    rate_plan_routes,
    risk_quote_routes,
    system_pages,
)

ALL = (
    desk_routes,
    book_routes,
    quote_routes,
    risk_quote_routes,
    plan_routes,
    rate_plan_routes,
    portfolio_routes,
    book_sum_routes,
    contact_routes,
    quarantine_pages,
    system_pages,
    audit_pages,
)
