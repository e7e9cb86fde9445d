from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from paas.actions import access, apps, projects
from paas.actions.platform import Platform
from paas.db.models import Token, User
from paas.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from tests.factories import make_app, make_platform, make_user


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return make_platform(tmp_path)


def test_token_is_shown_once_and_kept_as_a_digest(platform: Platform) -> None:
    ada = make_user(platform)
    token = access.create_token(platform, ada, "laptop", None)
    assert access.authenticate(platform, token.token).name == "ada"
    with platform.db.read() as session:
        row = session.scalar(select(Token))
        user = session.scalar(select(User))
    assert row
    assert user
    assert token.token not in row.digest
    assert user.password_hash.startswith("$argon2id$")
    access.revoke_token(platform, ada, token.id)
    with pytest.raises(Unauthenticated):
        access.authenticate(platform, token.token)


def test_disabled_user_and_new_password_end_tokens(platform: Platform) -> None:
    root, ada = make_user(platform, "root2", is_admin=True), make_user(platform)
    first = access.create_token(platform, ada, "a", None).token
    access.update_user(platform, ada, "ada", "another long password", None)
    with pytest.raises(Unauthenticated):
        access.authenticate(platform, first)
    second = access.create_token(platform, ada, "b", None).token
    access.update_user(platform, root, "ada", None, True)
    with pytest.raises(Unauthenticated):
        access.authenticate(platform, second)
    with pytest.raises(Unauthenticated):
        access.login(platform, "ada", "another long password")


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_wrong_login_says_the_same_for_known_and_unknown(platform: Platform, name: str) -> None:
    make_user(platform)
    with pytest.raises(Unauthenticated, match="the user name or password is wrong"):
        access.login(platform, name, "wrong")


def test_foreign_project_looks_absent(platform: Platform) -> None:
    ada, eve = make_user(platform), make_user(platform, "eve")
    make_app(platform, ada)
    with pytest.raises(NotFound) as foreign:
        apps.get(platform, eve, "shop", "front")
    with pytest.raises(NotFound) as absent:
        apps.get(platform, eve, "shap", "front")
    assert foreign.value.message.replace("shop", "shap") == absent.value.message
    assert apps.list_all(platform, eve, None) == []
    assert projects.list_all(platform, eve) == []


def test_roles_are_enforced_and_change_at_once(platform: Platform) -> None:
    ada, bob = make_user(platform), make_user(platform, "bob")
    make_app(platform, ada)
    access.set_member(platform, ada, "shop", "bob", "view")
    assert apps.get(platform, bob, "shop", "front").name == "front"
    with pytest.raises(Forbidden):
        apps.delete(platform, bob, "shop", "front")
    with pytest.raises(Forbidden):
        access.set_member(platform, bob, "shop", "bob", "admin")
    access.set_member(platform, ada, "shop", "bob", "edit")
    apps.delete(platform, bob, "shop", "front")
    access.remove_member(platform, ada, "shop", "bob")
    with pytest.raises(NotFound):
        projects.get(platform, bob, "shop")


def test_last_admin_stays(platform: Platform) -> None:
    ada = make_user(platform)
    projects.create(platform, ada, "shop")
    with pytest.raises(Conflict):
        access.remove_member(platform, ada, "shop", "ada")
    with pytest.raises(Conflict):
        access.set_member(platform, ada, "shop", "ada", "view")


def test_users_need_a_platform_admin_and_a_long_password(platform: Platform) -> None:
    ada, root = make_user(platform), make_user(platform, "root2", is_admin=True)
    with pytest.raises(Forbidden):
        access.create_user(platform, ada, "bob", None, False)
    with pytest.raises(InvalidInput):
        access.create_user(platform, root, "bob", "short", False)
    made = access.create_user(platform, root, "bob", None, False)
    assert made.password
    assert access.login(platform, "bob", made.password).name == "bob"


def test_two_apps_cannot_share_a_host(platform: Platform) -> None:
    ada = make_user(platform)
    make_app(platform, ada, "c", "a-b")
    with pytest.raises(Conflict, match=r"a-b-c\.apps\.localhost"):
        make_app(platform, ada, "b-c", "a")


def test_deleted_project_frees_its_network(platform: Platform) -> None:
    ada = make_user(platform)
    projects.create(platform, ada, "one")
    make_app(platform, ada)
    with pytest.raises(Conflict, match="front"):
        projects.delete(platform, ada, "shop")
    apps.delete(platform, ada, "shop", "front")
    projects.delete(platform, ada, "shop")
    assert [p.name for p in projects.list_all(platform, ada)] == ["one"]
