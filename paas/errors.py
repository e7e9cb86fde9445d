"""The tree of errors, each with an HTTP status and an exit code.

Adapters translate their library's errors into these at their door; three
boundaries (web, cli, worker) turn them into words. A message says what happened,
the hint says what to do. `Unavailable` is the only class worth a retry.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PaasError(Exception):
    """The platform could not do what was asked."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "internal"

    def __init__(self, message: str = "", *, hint: str = "", **facts: Any) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.hint = hint
        self.facts = facts
        super().__init__(self.message)


class InvalidInput(PaasError):
    """The request has a field that is not valid."""

    status, exit_code, code = 400, 2, "invalid_input"

    def __init__(self, message: str = "", *, field: str = "", hint: str = "", **facts: Any) -> None:
        super().__init__(message, hint=hint, **({"field": field} if field else {}), **facts)


class Unauthenticated(PaasError):
    """No valid token was sent."""

    status, exit_code, code = 401, 5, "unauthenticated"


class Forbidden(PaasError):
    """Your role does not allow this."""

    status, exit_code, code = 403, 5, "forbidden"


class NotFound(PaasError):
    """There is no such thing, or you may not see it."""

    status, exit_code, code = 404, 3, "not_found"


class Conflict(PaasError):
    """The present state does not allow this."""

    status, exit_code, code = 409, 4, "conflict"


class QuotaExceeded(PaasError):
    """A limit is reached."""

    status, exit_code, code = 422, 6, "quota_exceeded"


class Failed(PaasError):
    """Work on an app ended badly: `reason` is a fixed code, `stage` the step it happened in."""

    status, exit_code, code = 422, 70, "failed"

    def __init__(self, message: str = "", *, reason: str, stage: str, hint: str = "", **facts: Any) -> None:
        super().__init__(message, hint=hint, **facts)
        self.reason = reason
        self.stage = stage


class BuildFailed(Failed):
    """The build failed. Reasons are those of S2I and OpenShift builds (docs/reference/failures.md)."""

    exit_code, code = 50, "build_failed"


class DeployFailed(Failed):
    """The release did not become healthy."""

    exit_code, code = 70, "deploy_failed"


class LostLease(PaasError):
    """Another worker has taken this work over: stop, and change nothing."""

    status, code = 409, "lost_lease"


class Unavailable(PaasError):
    """A part of the platform does not answer; trying again may help."""

    status, exit_code, code = 503, 75, "unavailable"

    def __init__(self, message: str = "", *, retry_after: int = 5, hint: str = "", **facts: Any) -> None:
        super().__init__(message, hint=hint, retry_after=retry_after, **facts)
        self.retry_after = retry_after
