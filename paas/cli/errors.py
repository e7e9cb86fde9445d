"""The boundary of paasctl: errors become words on stderr and an exit code.

The API's problem details (RFC 9457) become the same classes as on the server, so both sides
share one list of exit codes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from paas import errors
from paas.errors import PaasError

INTERRUPTED = 130
_BY_CODE: dict[str, type[PaasError]] = {
    kind.code: kind
    for kind in (
        errors.InvalidInput,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        errors.Conflict,
        errors.QuotaExceeded,
        errors.Failed,
        errors.BuildFailed,
        errors.DeployFailed,
        errors.Unavailable,
    )
}
_BY_STATUS: dict[int, type[PaasError]] = {
    400: errors.InvalidInput,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.InvalidInput,
    422: errors.InvalidInput,
    429: errors.Unavailable,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}
_LOGIN = "Log in with `paasctl login`."


def from_response(status: int, body: bytes) -> PaasError:
    """The error that the server meant; a proxy's own page counts by its status."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    return of(problem if isinstance(problem, dict) else {}, status)


def of(problem: dict[str, Any], status: int = 0) -> PaasError:
    """The error that a problem object stands for."""
    status = status or int(problem.get("status", 0))
    kind = _BY_CODE.get(str(problem.get("title", ""))) or _BY_STATUS.get(status, PaasError)
    known = ("type", "title", "status", "detail", "hint", "message")
    facts: dict[str, Any] = {key: value for key, value in problem.items() if key not in known}
    message = str(problem.get("detail") or "") or f"the server answered with HTTP status {status}"
    hint = str(problem.get("hint") or "")
    if kind is errors.Unauthenticated:
        hint = hint or _LOGIN
    if issubclass(kind, errors.Failed):
        reason, stage = str(facts.pop("reason", "")), str(facts.pop("stage", ""))
        return kind(message, hint=hint, reason=reason, stage=stage, **facts)
    return kind(message, hint=hint, **facts)


def guard(run: Callable[[], object], is_debug: Callable[[], bool]) -> int:
    """Run a command line; its exit code. Whatever it raises has become words by then."""
    try:
        code = run()
        return code if isinstance(code, int) else 0
    except PaasError as error:
        return _tell_ours(error, is_debug())
    except click.exceptions.Abort as error:
        return _tell_abort(error)
    except click.ClickException as error:
        return _tell_click(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the boundary: a bug of paasctl, or an answer that is none
        if is_debug():
            _trace()
        hint = "Run it again with `paasctl --debug` and report that, with `paasctl version`, to who runs your platform."
        return _tell(f"paasctl itself failed: {type(error).__name__}: {error}", hint, 1)


def _trace() -> None:
    import traceback

    traceback.print_exc()


def _tell_ours(error: PaasError, is_debug: bool) -> int:
    if is_debug:
        _trace()
    field = str(error.facts.get("field") or "")
    message = error.message if not field or field in error.message else f"{error.message} (field: {field})"
    return _tell(message, error.hint, error.exit_code)


def _tell_abort(error: click.exceptions.Abort) -> int:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, EOFError):
        return _tell("an answer was needed and the input ended", "Use --yes, --password-stdin or --token-stdin.", 2)
    return INTERRUPTED


def _tell_click(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    context = error.ctx if isinstance(error, click.UsageError) else None
    return _tell(error.format_message(), f"See `{context.command_path} --help`." if context else "", error.exit_code)


def _tell(message: str, hint: str, code: int) -> int:
    from paas.cli import output

    click.echo(click.style("Error:", fg="red", bold=True) + f" {output.clean_lines(message)}", err=True)
    if hint:
        click.echo(click.style("Hint:", fg="cyan") + f" {output.clean_lines(hint)}", err=True)
    return code
