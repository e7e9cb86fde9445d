from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paas.drivers.docker.changed import ADDED, DELETED, MODIFIED, Call, Changed


def changes(text, *ignored):
    """`A /path`, as `docker diff` writes it."""
    kinds = {"C": MODIFIED, "A": ADDED, "D": DELETED}
    lines = [line.split() for line in text.strip().splitlines()]
    return Changed([{"Path": path, "Kind": kinds[kind]} for kind, path in lines], ignored)


def test_added_folder_is_one_call():
    found = changes("C /opt\nA /opt/app\nA /opt/app/a\nA /opt/app/b\nA /opt/app/b/c")
    assert found.calls() == (Call("opt/app", whole=True),)
    assert found.has("opt/app/b/c")


def test_folder_below_the_top_brings_its_own_entry():
    found = changes("C /opt\nC /opt/app\nA /opt/app/new")
    assert found.calls() == (
        Call("opt/app", whole=False, header_only=True),
        Call("opt/app/new", whole=True),
    )


def test_changed_mode_of_a_folder_at_the_top_is_seen():
    assert changes("C /srv").calls() == (Call("srv", whole=False, header_only=True),)


def test_many_changes_close_together_are_one_call_and_filtered():
    many = "\n".join(f"A /opt/app/src/f{n}" for n in range(1000))
    found = changes(f"C /opt\nC /opt/app\nC /opt/app/src\n{many}")
    assert found.calls() == (
        Call("opt/app", whole=False, header_only=True),
        Call("opt/app/src", whole=False),
    )
    assert found.has("opt/app/src/f1")
    assert not found.has("opt/app/src/of-the-image")


def test_folders_at_the_top_are_not_read_whole_for_a_few_changes():
    found = changes("C /usr\n" + "\n".join(f"A /usr/f{n}" for n in range(20)))
    assert len(found.calls()) == 20


def test_ignored_paths_and_folders_listed_only_for_them_are_left_out():
    found = changes(
        "C /usr\nC /usr/sbin\nA /usr/sbin/docker-init\nC /tmp\nA /tmp/x\nA /opt", "usr/sbin/docker-init", "/tmp/"
    )
    assert found.calls() == (Call("opt", whole=True),)
    assert found.is_ignored("tmp")
    assert not found.is_ignored("tmpfoo")


def test_folder_listed_only_for_a_deletion_is_left_out():
    found = changes("C /etc\nC /etc/ssl\nD /etc/ssl/x\nD /etc/y", "etc/y")
    assert found.calls() == ()
    assert found.deleted == ("etc/ssl/x",)


PARTS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=5).map("/".join)


@given(st.dictionaries(PARTS, st.sampled_from([ADDED, MODIFIED]), max_size=30), st.lists(PARTS, max_size=3))
def test_every_wanted_path_lies_in_exactly_one_call(kinds, ignored):
    listed = dict(kinds)
    for path in kinds:  # the engine also lists the folders above
        parts = path.split("/")
        for n in range(1, len(parts)):
            listed.setdefault("/".join(parts[:n]), MODIFIED)
    found = Changed([{"Path": f"/{p}", "Kind": k} for p, k in listed.items()], ignored)
    calls = found.calls()
    for path, kind in listed.items():
        if kind == ADDED and not found.is_ignored(path):
            covering = [c for c in calls if not c.header_only and (path == c.path or path.startswith(f"{c.path}/"))]
            assert len(covering) == 1
            assert covering[0].whole or found.has(path)
    paths = [c.path.split("/") for c in calls]
    assert paths == sorted(paths)
    assert len(calls) <= 33 * 4


def test_folder_in_place_of_a_deleted_one_comes_as_a_whole():
    listed = [
        {"Path": "/opt", "Kind": 0},
        {"Path": "/opt/d", "Kind": 2},
        {"Path": "/opt/d/new", "Kind": 1},
        {"Path": "/opt/gone", "Kind": 2},
    ]
    found = Changed(listed, ())
    assert found.deleted == ("opt/d", "opt/gone")
    assert Call("opt/d", whole=True) in found.calls()
