"""The detection phase (buildpack.md, Phase #1), and where buildpacks come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from paas.core.builds import Strategy
from paas.errors import BuildFailed
from tests.conformance.cnb.kitchen import WEB, Case, offer, pack

pytestmark = pytest.mark.integration


def ordered(*groups: str) -> dict[str, str]:
    """`.buildpacks/order.toml` with groups of ids; `?` behind one makes it optional."""
    text = ""
    for group in groups:
        text += "[[order]]\n"
        for name in group.split():
            text += f'[[order.group]]\nid = "{name.strip("?")}"\noptional = {str("?" in name).lower()}\n'
    return {".buildpacks/order.toml": text}


def listed(*packs: dict[str, str]) -> dict[str, str]:
    return {path.replace("packs/", ".buildpacks/", 1): text for one in packs for path, text in one.items()}


def built(case: Case) -> list[str]:
    """Which buildpacks built, in their order."""
    return [line.split()[1] for line in case.kitchen.lines if line.startswith("----->") and line.endswith(" 1.2.3")]


def build(case: Case, files: dict[str, str]) -> None:
    case.kitchen.build(
        {"app.txt": "app", **files},
        strategy=Strategy.buildpacks,
        tools={"catalog": case.catalog, "buildpacks": case.shipped},
    )


def test_detect_takes_the_first_group_that_passes(case: Case) -> None:
    packs = listed(pack("bad", WEB, "exit 100"), pack("good", WEB), pack("other", WEB))
    build(case, ordered("bad good", "bad? good other", "other") | packs)
    assert built(case) == ["good", "other"]


def test_detect_fails_when_no_group_passes(case: Case) -> None:
    with pytest.raises(BuildFailed) as caught:
        build(
            case,
            ordered("one", "one? two")
            | listed(pack("one", WEB, "echo looked; exit 100"), pack("two", WEB, "exit 100")),
        )
    assert (caught.value.reason, caught.value.stage) == ("NoBuildpackGroup", "detect")
    assert "one@1.2.3: looked" in caught.value.facts["last_lines"]
    assert not case.kitchen.left()


def test_detect_error_is_told_apart_from_a_miss(case: Case) -> None:
    with pytest.raises(BuildFailed) as caught:
        build(case, ordered("one") | listed(pack("one", WEB, "exit 3")))
    assert caught.value.reason == "BuildpackDetectFailed"


def test_detect_group_of_optional_ones_needs_one_that_passes(case: Case) -> None:
    with pytest.raises(BuildFailed) as caught:
        build(case, ordered("one?") | listed(pack("one", WEB, "exit 100")))
    assert caught.value.reason == "NoBuildpackGroup"


def test_detect_excludes_optional_buildpacks_that_are_not_needed(case: Case) -> None:
    packs = listed(pack("tool", "", offer("tool")), pack("needy", "", offer(requires=("no",))), pack("web", WEB))
    build(case, ordered("tool? needy? web") | packs)
    assert built(case) == ["web"]


def test_detect_unmet_requirement_goes_to_the_next_group(case: Case) -> None:
    packs = listed(pack("needy", "", offer(requires=("x",))), pack("web", WEB), pack("maker", "", offer("x")))
    build(case, ordered("needy maker web", "maker needy web") | packs)
    assert built(case) == ["maker", "needy", "web"]


def test_detect_tries_alternative_plans(case: Case) -> None:
    plan = offer(requires=("no",), more='[[or]]\\n[[or.requires]]\\nname = "x"\\n')
    build(case, ordered("maker web") | listed(pack("maker", "", offer("x")), pack("web", WEB, plan)))
    assert built(case) == ["maker", "web"]


def test_detect_skips_buildpacks_for_other_targets(case: Case) -> None:
    other = '[[targets]]\nos = "linux"\n[[targets.distros]]\nname = "ubuntu"\nversion = "24.04"'
    fits = '[[targets]]\nos = "linux"\n[[targets.distros]]\nname = "debian"\nversion = "13"'
    build(case, ordered("other? fits") | listed(pack("other", WEB, more=other), pack("fits", WEB, more=fits)))
    assert built(case) == ["fits"]


def test_detect_resolves_composite_buildpacks(case: Case) -> None:
    both = 'api = "0.12"\n[buildpack]\nid = "both"\nversion = "1.0.0"\n[[order]]\n[[order.group]]\nid = "bad"\n'
    both += '[[order]]\n[[order.group]]\nid = "good"\nversion = "1.2.3"\n'
    packs = listed(pack("bad", "", "exit 100"), pack("good", ""), pack("web", WEB), {"packs/both/buildpack.toml": both})
    build(case, ordered("both web") | packs)
    assert built(case) == ["good", "web"]


def test_detect_runs_as_the_user_in_the_app_folder(case: Case) -> None:
    check = '[ "$(id -u)" = 1001 ] && [ "$(pwd)" = /workspace ] || exit 8\n'
    check += '[ ! -w "$CNB_BUILDPACK_DIR" ] && [ ! -w /platform ] || exit 9'
    build(case, ordered("one") | listed(pack("one", WEB, check)))
    assert built(case) == ["one"]


def test_source_chooses_buildpacks_by_project_toml(case: Case) -> None:
    project = '[_]\nschema-version = "0.2"\n[[io.buildpacks.pre.group]]\nuri = "packs/one"\n'
    project += '[[io.buildpacks.group]]\nid = "me/inline"\n[io.buildpacks.group.script]\napi = "0.10"\ninline = """\n'
    project += WEB.replace("\\", "\\\\") + '\n"""\n'
    result = case.build(pack("one"), files={"project.toml": project}, strategy=Strategy.auto)
    assert result.strategy == "buildpacks"
    assert [one["id"] for one in case.label(result, "build")["buildpacks"]] == ["one", "me/inline"]


def test_source_uses_the_platforms_order(case: Case, tmp_path: Path) -> None:
    for path, text in pack("ship/web", f'printf "%s\\n" shipped\n{WEB}').items():
        file = tmp_path / path.removeprefix("packs/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    (tmp_path / "order.toml").write_text('[[order]]\n[[order.group]]\nid = "ship/web"\nversion = "1.2.3"\n')
    case.shipped = tmp_path
    build(case, {})
    assert "       shipped" in case.kitchen.lines


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("https://example.com/buildpack", "BuildpackNotFound"),
        ("./nowhere", "BuildpackNotFound"),
        ("some/id@9.9.9", "BuildpackNotFound"),
    ],
)
def test_source_names_a_buildpack_that_is_not_there(case: Case, line: str, reason: str) -> None:
    with pytest.raises(BuildFailed) as caught:
        case.build(pack("one", WEB), order=line)
    assert (caught.value.reason, caught.value.stage) == (reason, "detect")


def test_source_with_an_unknown_api_fails(case: Case) -> None:
    with pytest.raises(BuildFailed) as caught:
        case.build(pack("one", WEB, api="0.4"))
    assert caught.value.reason == "UnknownBuildpackApi"
