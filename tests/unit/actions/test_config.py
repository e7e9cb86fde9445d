from __future__ import annotations

from pathlib import Path

import pytest

from paas.actions import builds, config, processes, releases
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.db.models import ConfigVar
from paas.errors import InvalidInput, NotFound
from tests.factories import make_app, make_platform, make_user
from tests.unit.actions.test_builds import drain, push


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return make_platform(tmp_path)


@pytest.fixture
def actor(platform: Platform) -> Actor:
    actor = make_user(platform)
    builds.start(platform, actor, make_app(platform, actor), push())
    drain(platform)
    return actor


def set_config(platform: Platform, actor: Actor, *unset: str, **values: str) -> config.ConfigChange:
    change = config.update(platform, actor, "shop", "front", values, list(unset))
    drain(platform)
    return change


def test_config_change_makes_one_release_that_has_it(platform: Platform, actor: Actor) -> None:
    change = set_config(platform, actor, A="1", B="two\nlines ü $HOME")
    assert change.release
    assert change.release.version == "v2"
    with platform.db.read() as session:
        row = session.get_one(releases.Release, release_id(platform, 2))
        assert releases.config_of(platform, row) == {"A": "1", "B": "two\nlines ü $HOME"}
        assert b"two" not in session.get_one(ConfigVar, (row.app_id, "B")).sealed


def release_id(platform: Platform, number: int) -> str:
    from sqlalchemy import select

    with platform.db.read() as session:
        found = session.scalar(select(releases.Release.id).where(releases.Release.number == number))
    assert found
    return found


def test_same_value_makes_no_release(platform: Platform, actor: Actor) -> None:
    set_config(platform, actor, A="1")
    assert set_config(platform, actor, A="1").release is None


def test_rollback_brings_back_image_and_config(platform: Platform, actor: Actor) -> None:
    set_config(platform, actor, A="1")
    set_config(platform, actor, "A", B="2")
    info = releases.rollback(platform, actor, "shop", "front", 2)
    drain(platform)
    assert (info.version, info.description) == ("v4", "Rollback to v2")
    assert [(i.name, i.value) for i in config.list_all(platform, actor, "shop", "front")] == [("A", "1")]
    assert releases.get(platform, actor, "shop", "front", 4).state == "live"


@pytest.mark.parametrize("name", ["", "1A", "a=b", "A B", "PORT", "PAAS_X", "BASH_FUNC_x%%", "Ä", "A" * 129])
def test_bad_name_changes_nothing(platform: Platform, actor: Actor, name: str) -> None:
    with pytest.raises(InvalidInput):
        config.update(platform, actor, "shop", "front", {"GOOD": "1", name: "x"}, [])
    assert config.list_all(platform, actor, "shop", "front") == []


def test_bad_value_and_unknown_unset(platform: Platform, actor: Actor) -> None:
    with pytest.raises(InvalidInput, match="NUL"):
        set_config(platform, actor, A="a\0b")
    with pytest.raises(InvalidInput, match="over"):
        set_config(platform, actor, A="x" * (config.MAX_VALUE + 1))
    with pytest.raises(NotFound):
        set_config(platform, actor, "NOPE")


def test_scale_keeps_config_and_counts_survive_the_next_build(platform: Platform, actor: Actor) -> None:
    info = processes.scale(platform, actor, "shop", "front", {"web": 2, "worker": 1})
    drain(platform)
    assert info.version == "v2"
    from paas.actions.pushes import target

    builds.start(platform, actor, target(platform, actor, "shop", "front", write=True), push(2))
    drain(platform)
    found = processes.list_all(platform, actor, "shop", "front")
    assert found.formation == {"web": 2, "worker": 1}
    assert [(i.name, i.release, i.state) for i in found.items] == [
        ("web.1", "v3", "running"),
        ("web.2", "v3", "running"),
        ("worker.1", "v3", "running"),
    ]
    with pytest.raises(InvalidInput, match="nope"):
        processes.scale(platform, actor, "shop", "front", {"nope": 1})


def test_run_gives_output_and_exit_code(platform: Platform, actor: Actor) -> None:
    lines: list[str] = []
    assert processes.run(platform, actor, "shop", "front", ("echo", "hi"), lines.append) == 0
    assert lines == ["ran echo hi"]
    with pytest.raises(InvalidInput):
        processes.run(platform, actor, "shop", "front", (), lines.append)
