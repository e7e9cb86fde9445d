from __future__ import annotations

import pytest

from paas.core.permissions import Permission, Role, Verdict, decide

GOLDEN = {
    "view": "access.view app.logs app.view project.view source.read",
    "edit": "access.view app.create app.delete app.deploy app.logs app.run app.scale app.update app.view "
    "config.read config.write project.view source.read",
    "admin": "access.manage access.view app.create app.delete app.deploy app.logs app.run app.scale app.update "
    "app.view config.read config.write project.delete project.view source.read",
}


@pytest.mark.parametrize("role", list(Role))
def test_permissions_of_each_role_are_as_reviewed(role: Role) -> None:
    allowed = {p.label for p in Permission if decide(p, role=role, is_platform_admin=False) is Verdict.allowed}
    assert " ".join(sorted(allowed)) == GOLDEN[role.name]


@pytest.mark.parametrize("permission", list(Permission))
def test_non_member_is_told_nothing_and_platform_admin_may_all(permission: Permission) -> None:
    verdict = decide(permission, role=None, is_platform_admin=False)
    assert verdict is (Verdict.hidden if permission.role else Verdict.forbidden)
    assert decide(permission, role=None, is_platform_admin=True) is Verdict.allowed
