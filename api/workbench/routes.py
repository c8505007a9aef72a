"""Every page of the workbench, and what it is for programs."""

from api.workbench import (
    audit_pages,
    book_routes,
    book_sum_routes,
    contact_routes,
    contest_pages,
    desk_routes,
    experiment_pages,
    plan_routes,
    portfolio_routes,
    quarantine_pages,
    quote_routes,
    rate_plan_routes,
    risk_quote_routes,
    security_pages,
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
    contest_pages,
    experiment_pages,
    quarantine_pages,
    security_pages,
    system_pages,
    audit_pages,
)
