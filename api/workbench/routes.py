"""Every page of the workbench."""

from fastapi import APIRouter

from api.workbench import book_routes, plan_routes

router = APIRouter()
for routes in (book_routes, plan_routes):
    router.include_router(routes.router)
