"""Every route against every kind of asker, compared with a table kept by hand (threats.md T01)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.web.conftest import ROLES, World

P, A = "/projects/shop", "/projects/shop/apps/front"
G = "/git/shop/front.git"
RECEIVE = {"data": b"0000", "content_type": "application/x-git-receive-pack-request"}
FETCH = {"data": b"0000", "content_type": "application/x-git-upload-pack-request"}
TAR = {"data": bytes(10240), "content_type": "application/x-tar"}

# endpoint, method -> who may at least, a path and a body with which those who may do get a good answer
TABLE: dict[tuple[str, str], tuple[str, str, dict[str, Any]]] = {
    ("root", "GET"): ("anonymous", "/", {}),
    ("openapi", "GET"): ("anonymous", "/openapi.json", {}),
    ("status.healthz", "GET"): ("anonymous", "/healthz", {}),
    ("status.get_status", "GET"): ("stranger", "/status", {}),
    ("builders.list_builders", "GET"): ("stranger", "/builders", {}),
    ("builders.get_builder", "GET"): ("stranger", "/builders/python", {}),
    ("builders.get_usage", "GET"): ("stranger", "/builders/python/usage", {}),
    ("builders.update_builder", "POST"): ("platform", "/builders/python/update", {"json": {}}),
    ("rebases.rebase_app", "POST"): ("edit", f"{A}/rebase", {"json": {}}),
    ("rebases.start_rebase", "POST"): ("platform", "/rebases", {"json": {}}),
    ("rebases.get_last_rebase", "GET"): ("platform", "/rebases/last", {}),
    ("rebases.get_rebase", "GET"): ("platform", "/rebases/1", {}),
    ("gc.collect_garbage", "POST"): ("platform", "/gc", {"json": {"is_dry_run": True}}),
    ("images.list_images", "GET"): ("view", f"{A}/images", {}),
    ("images.tag_image", "PUT"): ("edit", f"{A}/images/tags/good", {"json": {"release": "v1"}}),
    ("images.untag_image", "DELETE"): ("edit", f"{A}/images/tags/kept", {}),
    ("access.create_token", "POST"): ("stranger", "/tokens", {"json": {"name": "x"}}),
    ("access.list_tokens", "GET"): ("stranger", "/tokens", {}),
    ("access.revoke_current_token", "DELETE"): ("stranger", "/tokens/current", {}),
    ("access.revoke_token", "DELETE"): ("own", "/tokens/{token}", {}),
    ("access.whoami", "GET"): ("stranger", "/whoami", {}),
    ("access.list_users", "GET"): ("platform", "/users", {}),
    ("access.create_user", "POST"): ("platform", "/users", {"json": {"name": "newcomer"}}),
    ("access.update_user", "PATCH"): ("platform", "/users/view", {"json": {"is_disabled": True}}),
    ("access.list_members", "GET"): ("view", f"{P}/members", {}),
    ("access.set_member", "PUT"): ("admin", f"{P}/members/stranger", {"json": {"role": "view"}}),
    ("access.remove_member", "DELETE"): ("admin", f"{P}/members/edit", {}),
    ("projects.list_projects", "GET"): ("stranger", "/projects", {}),
    ("projects.create_project", "POST"): ("stranger", "/projects", {"json": {"name": "fresh"}}),
    ("projects.get_project", "GET"): ("view", P, {}),
    ("projects.update_project", "PATCH"): ("operator", P, {"json": {"build_limit": 1}}),
    ("projects.delete_project", "DELETE"): ("admin", P, {}),
    ("apps.list_all_apps", "GET"): ("stranger", "/apps", {}),
    ("apps.list_apps", "GET"): ("view", f"{P}/apps", {}),
    ("apps.create_app", "POST"): ("edit", f"{P}/apps", {"json": {"name": "second"}}),
    ("apps.get_app", "GET"): ("view", A, {}),
    ("apps.update_app", "PATCH"): ("edit", A, {"json": {"deploy_branch": "trunk"}}),
    ("apps.delete_app", "DELETE"): ("edit", A, {}),
    ("builds.list_builds", "GET"): ("view", f"{A}/builds", {}),
    ("builds.create_build", "POST"): ("edit", f"{A}/builds", {"json": {}}),
    ("builds.retry_build", "POST"): ("edit", f"{A}/builds/1/retry", {}),
    ("build_settings.get_build_settings", "GET"): ("view", f"{A}/build-settings", {}),
    ("build_settings.replace_build_settings", "PUT"): ("edit", f"{A}/build-settings", {"json": {"settings": {}}}),
    ("build_settings.update_build_settings", "PATCH"): ("edit", f"{A}/build-settings", {"json": {"set": {"cpus": 1}}}),
    ("build_secrets.list_build_secrets", "GET"): ("edit", f"{A}/build-secrets", {}),
    ("build_secrets.update_build_secrets", "PATCH"): ("edit", f"{A}/build-secrets", {"json": {"set": {"K": "value"}}}),
    ("sources.create_source", "POST"): ("edit", f"{A}/sources", TAR),
    ("builds.get_build", "GET"): ("view", f"{A}/builds/1", {}),
    ("builds.cancel_build", "POST"): ("edit", f"{A}/builds/1/cancel", {}),
    ("releases.list_releases", "GET"): ("view", f"{A}/releases", {}),
    ("releases.create_release", "POST"): ("edit", f"{A}/releases", {"json": {"rollback_to": 1}}),
    ("releases.get_release", "GET"): ("view", f"{A}/releases/1", {}),
    ("processes.list_processes", "GET"): ("view", f"{A}/processes", {}),
    ("processes.scale", "PATCH"): ("edit", f"{A}/processes", {"json": {"formation": {"web": 2}}}),
    ("processes.run", "POST"): ("edit", f"{A}/runs", {"json": {"command": ["true"]}}),
    ("config.list_config", "GET"): ("edit", f"{A}/config", {}),
    ("config.update_config", "PATCH"): ("edit", f"{A}/config", {"json": {"set": {"K": "v"}}}),
    ("events.list_events", "GET"): ("view", f"{A}/events", {}),
    ("commits.list_commits", "GET"): ("view", f"{A}/commits", {}),
    ("git.advertise", "GET"): ("view", f"{G}/info/refs?service=git-upload-pack", {}),
    ("git.fetch", "POST"): ("view", f"{G}/git-upload-pack", FETCH),
    ("git.push", "POST"): ("edit", f"{G}/git-receive-pack", RECEIVE),
    ("git.nothing", "GET"): ("nobody", f"{G}/HEAD", {}),
    ("git.nothing", "POST"): ("nobody", f"{G}/git-upload-archive", {}),
}
CONFLICTS = {"projects.delete_project", "builds.cancel_build", "rebases.start_rebase"}
"""Allowed, and then refused for the state of things."""
NEED_REGISTRY = {"sources.create_source"}
"""Allowed, and then without the registry that these tests do not have."""


def verdict(least: str, role: str) -> set[int]:
    good = {200, 201, 202, 204}
    if least == "anonymous":
        return good
    if role == "anonymous":
        return {401}
    if least in ("nobody", "own"):
        return good if (least, role) == ("own", "admin") else {404}
    if least == "operator":  # of a project: its name is hidden from strangers
        return good if role == "platform" else {404} if role == "stranger" else {403}
    if ROLES.index(role) >= ROLES.index(least):
        return good
    return {404} if role == "stranger" and least != "platform" else {403}


def test_table_names_every_route_and_no_other(world: World) -> None:
    found = {
        (rule.endpoint, method)
        for rule in world.server.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert found == set(TABLE)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("key", sorted(TABLE), ids=" ".join)
def test_route_answers_as_the_table_says(world: World, key: tuple[str, str], role: str) -> None:
    least, path, options = TABLE[key]
    if path == "/openapi.json":
        path = "/api/v1/openapi.json"
    path = path.replace("{token}", token_of_admin(world))
    answer = world.call(role, key[1], path, **options)
    wanted = verdict(least, role)
    allowed = wanted | {409} if key[0] in CONFLICTS and 200 in wanted else wanted
    allowed |= {503} if key[0] in NEED_REGISTRY and 201 in wanted else set()
    assert answer.status_code in allowed, answer.get_data(as_text=True)[:300]
    answer.close()


def token_of_admin(world: World) -> str:
    items = world.call("admin", "GET", "/tokens").get_json()["items"]
    return str(items[0]["id"])


@pytest.mark.parametrize(
    "key", sorted(key for key in TABLE if "/projects/shop" in TABLE[key][1] or "/git/" in TABLE[key][1])
)
def test_foreign_and_absent_look_alike(world: World, key: tuple[str, str]) -> None:
    _, path, options = TABLE[key]
    foreign = world.call("stranger", key[1], path, **options)
    absent = world.call("stranger", key[1], path.replace("shop", "nope"), **options)
    assert foreign.status_code == absent.status_code == 404
    assert foreign.get_data(as_text=True).replace("shop", "nope") == absent.get_data(as_text=True)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_verbs_open_nothing(world: World, method: str) -> None:
    for role, wanted in (("anonymous", {401, 405}), ("stranger", {404, 405}), ("view", {200, 405})):
        assert world.call(role, method, A).status_code in wanted


@pytest.mark.parametrize(
    "path", [A + "/", "/projects//shop", A + ";x", A + "%2f", A.upper(), A + ".json", "/projects/other/apps/front"]
)
def test_variants_of_a_path_open_nothing(world: World, path: str) -> None:
    assert world.call("view", "GET", path).status_code == 404


@pytest.mark.parametrize("token", ["", "x", "paas_" + "A" * 43, "ü", "a" * 5000])
def test_wrong_tokens_are_refused(world: World, token: str) -> None:
    for scheme in ("Bearer", "bearer", "Basic", "Token"):
        headers = {"Authorization": f"{scheme} {token}".encode().decode("latin-1")}
        assert world.client.get("/api/v1/whoami", headers=headers).status_code == 401


def test_right_ends_with_the_membership(world: World) -> None:
    assert world.call("edit", "GET", A).status_code == 200
    assert world.call("admin", "DELETE", f"{P}/members/edit").status_code == 204
    assert world.call("edit", "GET", A).status_code == 404
