"""Who may do what: the one place that decides.

Three roles per project, as in OpenShift: `view` reads, `edit` changes apps, `admin` also
members and the project itself. Config values need `edit`: they are credentials.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class Role(IntEnum):
    """A member's role in a project; a higher one includes the lower."""

    view = 1
    edit = 2
    admin = 3


class Permission(Enum):
    """What an action asks for; the value is the role that it needs. `platform_*` needs a platform admin."""

    project_view = ("project.view", Role.view)
    project_delete = ("project.delete", Role.admin)
    access_view = ("access.view", Role.view)
    access_manage = ("access.manage", Role.admin)
    app_view = ("app.view", Role.view)
    app_create = ("app.create", Role.edit)
    app_update = ("app.update", Role.edit)
    app_delete = ("app.delete", Role.edit)
    app_deploy = ("app.deploy", Role.edit)
    app_scale = ("app.scale", Role.edit)
    app_run = ("app.run", Role.edit)
    app_logs = ("app.logs", Role.view)
    config_read = ("config.read", Role.edit)
    config_write = ("config.write", Role.edit)
    source_read = ("source.read", Role.view)
    platform_users = ("platform.users", None)
    platform_limits = ("platform.limits", None)
    platform_status = ("platform.status", None)
    platform_builders = ("platform.builders", None)
    platform_gc = ("platform.gc", None)

    label: str
    role: Role | None

    def __init__(self, label: str, role: Role | None) -> None:
        self.label = label
        self.role = role


class Verdict(Enum):
    """`hidden`: answer as if the thing did not exist, so that a name of another tenant is not told."""

    allowed = "allowed"
    forbidden = "forbidden"
    hidden = "hidden"


def decide(permission: Permission, *, role: Role | None, is_platform_admin: bool) -> Verdict:
    """May someone with this role in the thing's project do it?"""
    if is_platform_admin:
        return Verdict.allowed
    if permission.role is None:
        return Verdict.forbidden
    if role is None:
        return Verdict.hidden
    return Verdict.allowed if role >= permission.role else Verdict.forbidden
