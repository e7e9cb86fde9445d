"""The platform's Procfile without a shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from paas.errors import InvalidInput
from paas.ops import environment, processes, procfile
from paas.settings import Settings


def test_every_process_of_the_design_is_started() -> None:
    found = processes.programs(Settings(state=Path("/srv/p")))
    assert list(found) == ["redis", "registry", "router", "web", "worker", "beat", "logs"]
    assert found["redis"] == ["redis-server", "/srv/p/run/redis.conf"]
    assert not [word for argv in found.values() for word in argv if "$" in word]


def test_external_redis_is_not_started() -> None:
    assert "redis" not in processes.programs(Settings(redis_url="redis://h/0"))


def test_shell_and_supervisor_see_the_same_words(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text("a: run --to '${PAAS_DOMAIN} x' \"two words\"\n")
    environ = environment.as_environ(Settings())
    assert procfile.read(path, environ) == {"a": ["run", "--to", "apps.localhost x", "two words"]}


@pytest.mark.parametrize("line", ["a: run ${PAAS_STAET}", "a: run 'open", "a: run $"])
def test_mistake_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "Procfile"
    path.write_text(line)
    with pytest.raises(InvalidInput, match="Procfile"):
        procfile.read(path, {})
