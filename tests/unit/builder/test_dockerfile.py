"""The Dockerfile language: text to instructions, words and variables, stages, `.dockerignore`, keys."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder.dockerfile import words
from paas.builder.dockerfile.dockerignore import Pattern
from paas.builder.dockerfile.dockerignore import parse as ignore
from paas.builder.dockerfile.parse import parse
from paas.builder.dockerfile.plan import Plan, plan
from paas.builder.dockerfile.walk import Walk
from paas.errors import BuildFailed, InvalidInput


def shown(text: str) -> list[str]:
    return [one.shown for one in parse(text.encode()).instructions]


def planned(text: str, target: str = "", **args: str) -> Plan:
    return plan(parse(text.encode()), args, target, "amd64")


def walked(text: str, **args: str) -> Walk:
    made = planned(text, **args)
    walk = Walk(made, made.target, args, lambda act: b"", {"Env": ["PATH=/bin"], "Cmd": ["base"]}, "base")
    walk.run(())
    return walk


def test_lines_go_on_and_comments_between_them_do_not_count() -> None:
    text = '# a comment\nFROM x\n  # another\nrun one \\\n\n# in between\n  && two\n\nCMD ["a", "b"]\r\n'
    assert shown(text) == ["FROM x", "RUN one && two", 'CMD ["a", "b"]']
    assert [one.line for one in parse(text.encode()).instructions] == [2, 4, 9]
    assert parse(text.encode()).instructions[2].words == ("a", "b")


def test_escape_directive_and_here_documents() -> None:
    parsed = parse(b"# escape=`\nFROM x\nRUN a `\n b\nCOPY <<-'ONE' <<TWO /d/\n\tfirst\nONE\nsecond $X\nTWO\n")
    assert parsed.escape == "`"
    copy = parsed.instructions[2]
    assert [(one.name, one.body, one.expands) for one in copy.heredocs] == [
        ("ONE", "first\n", False),
        ("TWO", "second $X\n", True),
    ]


def test_flags_come_off_and_broken_json_is_a_shell_command() -> None:
    copy, run = parse(b"FROM x\nCOPY --from=a --chown=1:2 b c\nCMD ['not', json]\n").instructions[1:]
    assert (copy.flag("from"), copy.flag("chown"), copy.text) == ("a", "1:2", "b c")
    assert run.words is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no instruction"),
        ("FROM\n", "says nothing"),
        ("FROM x\nBAD y\n", "line 2"),
        ("FROM x\nRUN <<E\n", "no end"),
    ],
)
def test_text_that_is_no_dockerfile_is_refused_with_its_line(text: str, word: str) -> None:
    with pytest.raises(BuildFailed, match=word) as failed:
        parse(text.encode())
    assert failed.value.reason == "InvalidDockerfile"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    with contextlib.suppress(BuildFailed):
        planned(noise.decode("utf-8", "replace"))


VALUES = {"A": "1", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A-${A}", "1-1"),
        ("${B:-two}${EMPTY:-e}${EMPTY-e}", "twoe"),
        ("${A:+set}${B:+no}", "set"),
        ("${B:-${A}x}", "1x"),
        ("'$A' \"$A\" \\$A", "$A 1 $A"),
        ("a$", "a$"),
        ('"a\\"b" \\"', 'a"b "'),
        ("$B", ""),
    ],
)
def test_variables_and_quotes(text: str, value: str) -> None:
    assert words.expand(text, VALUES) == value


def test_variable_that_must_be_set_or_has_no_end() -> None:
    for text in ("${B:?is needed}", "${A", "${A:x}"):
        with pytest.raises(InvalidInput):
            words.expand(text, VALUES)
    with pytest.raises(InvalidInput):
        words.expand("${B:-" * 50 + "}" * 50, VALUES)


def test_pairs_in_both_forms() -> None:
    assert words.pairs("a=1 b=\"2 3\" c='$A' d=x\\ y", VALUES) == [("a", "1"), ("b", "2 3"), ("c", "$A"), ("d", "x y")]
    assert words.pairs("NAME all of $A", VALUES) == [("NAME", "all of 1")]
    with pytest.raises(InvalidInput):
        words.pairs("a=1 b", VALUES)


def test_stages_are_found_by_name_number_and_target() -> None:
    made = planned("ARG V=1\nFROM a:$V AS one\nFROM one\nFROM c AS Three\n", V="9")
    assert [(stage.name, stage.base) for stage in made.stages] == [("one", "a:9"), ("", "one"), ("Three", "c")]
    assert made.stage("ONE", 2) is made.stages[0]
    assert made.stage("1", 2) is made.stages[1]
    assert made.stage("one", 0) is None
    assert made.target.name == "Three"
    with pytest.raises(BuildFailed, match="no stage 'four'") as failed:
        planned("FROM a AS one\n", "four")
    assert "one" in failed.value.hint


def test_config_that_a_stage_ends_with() -> None:
    walk = walked(
        "FROM x\nARG WHO=me\nENV A=1 B=$WHO\nLABEL l=$A\nWORKDIR /a\nWORKDIR b/../c\nUSER $WHO\nEXPOSE 80 $A/udp\n"
        'ENTRYPOINT ["run"]\nSTOPSIGNAL SIGINT\nHEALTHCHECK CMD x\nVOLUME /data\n',
        WHO="you",
    )
    assert walk.settings == {
        "Env": ["PATH=/bin", "A=1", "B=you"],
        "Labels": {"l": "1"},
        "WorkingDir": "/a/c",
        "User": "you",
        "ExposedPorts": {"80/tcp": {}, "1/udp": {}},
        "Entrypoint": ["run"],
        "StopSignal": "SIGINT",
    }
    assert walk.ignored == ["HEALTHCHECK", "VOLUME"]
    assert walked("FROM x\nCMD a\nENTRYPOINT b\n").settings["Cmd"] == ["/bin/sh", "-c", "a"]


def test_keys_say_what_a_layer_depends_on_and_no_more() -> None:
    text = "FROM x\nARG V=1\nRUN one\nENV E=2\nCOPY a b\nRUN two\nCMD {}\n"
    keys = [segment.key for segment in walked(text.format("x")).segments]
    assert len(keys) == 2
    assert keys == [segment.key for segment in walked(text.format("other")).segments]
    assert [segment.title for segment in walked(text).segments] == ["RUN one", "RUN two"]
    other_env = [segment.key for segment in walked(text.replace("E=2", "E=3")).segments]
    assert (other_env[0], other_env[1] != keys[1]) == (keys[0], True)
    assert walked(text, V="2").segments[0].key != keys[0]
    assert walked(text, HTTP_PROXY="http://p").segments[0].key == keys[0], "a proxy is no input"
    assert walked("# c\n" + text.replace("RUN one", "RUN  one").replace("  one", " one")).segments[0].key == keys[0]


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("a", "a", 1), ("a", "a/b", 1), ("a/b", "a", 0), ("*", "x/y", 1), ("*.txt", "a.txt", 1), ("*.txt", "d/a", 0),
        ("**/*.txt", "a.txt", 1), ("**/*.txt", "d/e/a.txt", 3), ("d/**", "d/x/y", 2), ("d/**", "d", 0),
        ("**", "d", 1), ("a/**/z", "a/b/c/z", 4),
        ("[a-c]?", "bx", 1), ("[^a]", "a", 0), ("\\*", "*", 1), ("\\*", "x", 0), ("./a//b", "a/b", 2),
    ],
)  # fmt: skip
def test_patterns(pattern: str, path: str, covered: int) -> None:
    assert Pattern(pattern).match(path) == covered


def test_last_pattern_decides_and_hostile_ones_are_quick() -> None:
    found = ignore(b"# comment\n*\n!src\n**/secret*\n!src/secret.pub\n")
    paths = ["a", "src/a", "src/secret.key", "src/secret.pub", "docs/x"]
    assert [path for path in paths if not found(path)] == ["src/a", "src/secret.pub"]
    slow = ignore(b"**/" * 200 + b"*a*a*a*a*a*a*a*b\n")
    assert not slow("/".join(["a" * 40] * 60))
    with pytest.raises(InvalidInput):
        ignore(b"a\n" * 1001)
