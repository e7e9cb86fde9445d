"""The paths, queries and bodies that several nouns share. Unknown fields are refused: a typing error must not pass."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_NUMBER = 2**31 - 1
Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
Number = Annotated[int, Field(ge=1, le=MAX_NUMBER)]


class Given(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid")


class ProjectPath(Given):
    project: Name


class AppPath(ProjectPath):
    app: Name


class NumberPath(AppPath):
    number: Number


class Paging(Given):
    before: Number | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
