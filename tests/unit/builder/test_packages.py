"""The cut by package: a function of the RECORD files alone, and never a file in a wrong layer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder import packages
from paas.builder.packages import LARGE, MOST, SHARED, cut, parse, source_of

SITE = "opt/app-root/lib/python3.13/site-packages"


def record(name: str, files: dict[str, int]) -> dict[str, bytes]:
    lines = [f"{path},sha256=x,{size}\n" for path, size in files.items()]
    info = f"{name}-1.0.dist-info"
    return {f"{SITE}/{info}/RECORD": "".join([*lines, f"{info}/METADATA,,9\n", f"{info}/RECORD,,\n"]).encode()}


def test_large_package_has_a_layer_of_its_own_with_its_bytecode_and_commands() -> None:
    made = cut(parse(record("numpy", {"numpy/__init__.py": LARGE, "../../../bin/f2py": 10})))
    assert made.order == ("dependencies/numpy", SHARED)
    assert made.part_of(f"{SITE}/numpy/__init__.py") == "dependencies/numpy"
    assert made.part_of(f"{SITE}/numpy/__pycache__/__init__.cpython-313.pyc") == "dependencies/numpy"
    assert made.part_of("opt/app-root/bin/f2py") == "dependencies/numpy"
    assert made.part_of(f"{SITE}/numpy-1.0.dist-info/METADATA") == SHARED
    assert made.part_of(f"{SITE}/other.py") == SHARED


def test_small_packages_share_the_topmost_layer() -> None:
    made = cut(parse(record("flask", {"flask/app.py": LARGE - 1})))
    assert made == packages.Cut()


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../../../../etc/passwd", "../../../../other/file"])
def test_package_that_writes_beside_the_venv_has_no_layer_of_its_own(path: str) -> None:
    assert cut(parse(record("bad", {"bad.py": LARGE, path: 1}))).order == (SHARED,)


def test_packages_that_share_a_file_have_no_layers_of_their_own() -> None:
    both = {**record("a", {"tests/x.py": LARGE}), **record("b", {"tests/x.py": 1}), **record("c", {"c.py": LARGE})}
    assert cut(parse(both)).order == ("dependencies/c", SHARED)


def test_record_that_cannot_be_read_is_as_if_it_were_not_there() -> None:
    for content in (b"\xff", b"a,b\n", b"a,sha256=x,many\n"):
        assert parse({f"{SITE}/x-1.dist-info/RECORD": content}) == ()


def test_start_file_of_python_is_seen() -> None:
    (plain,) = parse(record("a", {"a/x.pth": 1}))
    (started,) = parse(record("a", {"a.pth": 1}))
    assert not plain.runs_at_start
    assert started.runs_at_start


@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), st.integers(0, 3 * LARGE), max_size=30))
def test_cut_is_ordered_by_size_and_bounded(sizes: dict[str, int]) -> None:
    records: dict[str, bytes] = {}
    for name, size in sizes.items():
        records |= record(name, {f"{name}/__init__.py": size})
    made = cut(parse(records))
    own = [part.removeprefix(f"{SHARED}/") for part in made.order[:-1]]
    assert made.order[-1] == SHARED
    assert own == sorted(own, key=lambda name: (-sizes[name], name))
    assert len(own) == min(MOST, sum(size >= LARGE for size in sizes.values()))
    assert made == cut(parse(dict(reversed(records.items()))))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/__pycache__/b.cpython-313.pyc", "a/b.py"),
        ("a/__pycache__/b.c.cpython-313.opt-1.pyc", "a/b.c.cpython-313.py"),
        ("a/b.pyc", "a/b.pyc"),
        ("a/__pycache__/b.txt", "a/__pycache__/b.txt"),
    ],
)
def test_bytecode_is_traced_to_its_module(path: str, expected: str) -> None:
    assert source_of(path) == expected
