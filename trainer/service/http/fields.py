"""GET /fields: what a form needs to know of all that can be asked for."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from ..catalogue import catalogue
from .errors import problems
from .shown import finite


class Field(BaseModel):
    """A field of the config; `kinds` are the options of its group that have it, none where all have."""

    name: str
    type: str
    nullable: bool
    default: Any
    per_run: bool
    kinds: list[str]
    choices: list[str]
    suggested: list[str]
    comment: str


class Option(BaseModel):
    """An option of a choice, and the values it gives to fields of its group."""

    name: str
    comment: str
    values: dict[str, Any]


class Choice(BaseModel):
    """A choice, as optimizer=adam."""

    name: str
    default: str
    options: list[Option]
    kinds: list[str]


class Experiment(BaseModel):
    """A complete named run."""

    name: str
    comment: str


class Catalogue(BaseModel):
    """All that can be asked for."""

    fields: list[Field]
    choices: list[Choice]
    experiments: list[Experiment]


def field_routes() -> APIRouter:
    """GET /fields.

    >>> [route.path for route in field_routes().routes]
    ['/fields']
    """
    router = APIRouter(tags=["fields"])

    @router.get("/fields", response_model=None, responses={200: {"model": Catalogue}, **problems()})
    async def fields() -> Response:
        """Every field of the config, every choice and its options, every experiment."""
        return JSONResponse(finite(catalogue()), headers={"Cache-Control": "private, max-age=300"})

    return router
