"""Values of actions as JSON: dataclasses by their fields' names, lists as `items`, times in UTC with a Z."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Response, json


def plain(value: Any) -> Any:
    """The value made of what JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def text(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def response(value: Any, status: int) -> Response:
    """The answer; nothing is 204."""
    if isinstance(value, Response):
        return value
    if value is None:
        return Response(status=204)
    body = {"items": value} if isinstance(value, (list, tuple)) else value
    return Response(text(body) + "\n", status, mimetype="application/json")
