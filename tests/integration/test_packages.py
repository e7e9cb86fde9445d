"""One more dependency moves itself: large packages keep their layers, small ones their files."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from paas.core.builds import BuildResult
from tests.integration.test_builder import (  # noqa: F401 - fixtures
    Bench,
    bench,
    engine,
    names,
    previous,
    registry,
    registry_host,
    sandboxes,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
APP = {"app.py": "import numpy\nprint(numpy.ones(3).sum())\n", "Procfile": "web: python app.py\n"}
LARGE, SHARED, SOURCE = "dependencies/numpy", "dependencies", "source"


def fresh(one: Bench) -> Bench:
    name = secrets.token_hex(4)
    return replace(one, app_id=f"a{name}", project_id=f"p{name}", lines=[])


def build(one: Bench, requirements: str, last: BuildResult | None = None) -> BuildResult:
    given = {"previous": previous(last)} if last else {}
    return one.build({**APP, "requirements.txt": requirements}, **given)


def test_added_package_reuses_the_layer_of_a_large_one_and_the_image_is_the_same_as_from_nothing(
    bench: Bench,  # noqa: F811
) -> None:
    first = build(bench, "numpy==2.3.4\nflask==3.1.2\n")
    assert names(first) == [(LARGE, "new"), (SHARED, "new"), (SOURCE, "new")]
    second = build(bench, "numpy==2.3.4\nflask==3.1.2\nhumanize==4.13.0\n", first)
    assert [(note.name, note.state, note.pushed > 0) for note in second.ledger] == [
        (LARGE, "reused", False),
        (SHARED, "changed", True),
        (SOURCE, "changed", True),
    ]
    told = "".join(bench.lines)
    assert "+ humanize==4.13.0" in told
    assert "+ flask" not in told
    assert bench.run(second.image, "python", "-c", "import numpy, humanize; print(numpy.ones(3).sum())") == "3.0\n"
    assert build(fresh(bench), "numpy==2.3.4\nflask==3.1.2\nhumanize==4.13.0\n").image == second.image


def test_removed_package_leaves_nothing(bench: Bench) -> None:  # noqa: F811
    first = build(bench, "numpy==2.3.4\nflask==3.1.2\n")
    second = build(bench, "flask==3.1.2\n", first)
    assert names(second) == [(SHARED, "changed"), (SOURCE, "changed")]
    assert second.image == build(fresh(bench), "flask==3.1.2\n").image


def test_hash_that_is_wrong_fails_though_the_package_was_there_before(bench: Bench) -> None:  # noqa: F811
    from paas.errors import BuildFailed

    good = "--hash=sha256:71ccae2e7c9ed94b7c33bb5b3ab0f0fb0e4a5e8e9a9a6e1b9bbd4e0b0c4d9c1d"
    first = build(bench, "six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n")
    with pytest.raises(BuildFailed):
        build(bench, f"six==1.17.0 {good}\n", first)
