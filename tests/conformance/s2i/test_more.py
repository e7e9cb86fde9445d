"""What S2I promises beyond the upstream cases: runtime images, artifacts, layers by ecosystem, usage, caches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paas.builder.stock.usage import usage
from paas.errors import BuildFailed, NotFound
from tests.conformance.s2i.fixtures import ASSEMBLE, IN_IMAGE, LABELLED, RUN, SCRIPTS, SOURCE, TOP, Case, Recipe

pytestmark = pytest.mark.integration
RUNTIME_SCRIPT = f"#!/bin/sh\nset -e\nid -u > {TOP}/finished-by\ncp -R /tmp/src/. {TOP}/work/\n"
RUNTIME = Recipe(scripts={"assemble-runtime": RUNTIME_SCRIPT, "run": RUN.replace("assembled", "finished")}, user="77")
INSTALLING = f"""#!/bin/sh
set -e
cp -R /tmp/src/. {TOP}/src/
for folder in venv/lib/python3.13/site-packages/flask web/node_modules/ms vendor/bundle/ruby .m2/repository/junit; do
  mkdir -p {TOP}/$folder
  echo "made by an installer" > {TOP}/$folder/file
done
"""
SHELL_LESS = {
    "assemble": f"#!/usr/bin/python3\nimport shutil\nshutil.copytree('/tmp/src', '{TOP}/src', dirs_exist_ok=True)\n",
    "run": "#!/usr/bin/python3\nprint('running without a shell')\n",
}


def test_image_without_shell_and_tar_builds_and_an_incremental_build_of_it_is_clean(case: Case) -> None:
    saving = {**SHELL_LESS, "save-artifacts": "#!/usr/bin/python3\nprint('no tar')\n"}
    recipe = Recipe(scripts=saving, removed=("bin/sh", "bin/ash", "bin/tar"))
    result = case.build(recipe)
    assert case.start(result) == "running without a shell\n"
    assert f"{TOP}/src/lib/shop.rb" in case.paths(result)
    assert case.again(recipe, result).image == result.image
    assert any("A clean build: " in line for line in case.kitchen.lines)
    assert case.kitchen.left() == []


def test_runtime_image_gets_the_artifacts_and_nothing_else(case: Case) -> None:
    artifacts = (f"{TOP}/kept:bin", f"{TOP}/src")
    given = {"runtime_image": case.shelf.image(RUNTIME), "runtime_artifacts": artifacts}
    result = case.build(Recipe(), **given)
    assert {f"{TOP}/work/bin/kept", f"{TOP}/work/src/Gemfile", f"{TOP}/finished-by"} <= case.paths(result)
    assert f"{TOP}/assembled-by" not in case.paths(result)
    assert case.start(result, user="77:0") == "running\n77\n"
    assert case.config(result)["Labels"]["fixture.colour"] == "blue"
    assert case.build(Recipe(), **given).image == result.image


def test_runtime_image_says_itself_what_it_wants(case: Case) -> None:
    label = {**LABELLED, "io.openshift.s2i.assemble-input-files": f"{TOP}/kept;{TOP}/colour:more"}
    result = case.build(Recipe(), runtime_image=case.shelf.image(replace(RUNTIME, labels=label)))
    assert {f"{TOP}/work/kept", f"{TOP}/work/more/colour"} <= case.paths(result)


@pytest.mark.parametrize("mapping", ["relative/path", "/a:/absolute", "/a/*.jar", "/a:../up", ""])
def test_unfit_artifacts_are_refused_before_anything_runs(case: Case, mapping: str) -> None:
    with pytest.raises(BuildFailed) as failed:
        case.build(Recipe(), runtime_image=case.shelf.image(RUNTIME), runtime_artifacts=(mapping,))
    assert failed.value.reason == "InvalidArtifactsMapping"
    assert case.kitchen.sandboxes.opened == 0


def test_missing_artifact_has_its_own_reason(case: Case) -> None:
    with pytest.raises(BuildFailed) as failed:
        case.build(Recipe(), runtime_image=case.shelf.image(RUNTIME), runtime_artifacts=("/opt/none",))
    assert failed.value.reason == "FetchRuntimeArtifactsFailed"


def test_installers_folders_are_layers_that_a_source_change_leaves_alone(case: Case) -> None:
    recipe = Recipe(scripts={**SCRIPTS, "assemble": INSTALLING})
    first = case.build(recipe)
    second = case.build(recipe, {**SOURCE, "lib/shop.rb": "puts 'closed'\n"})
    assert [note.name for note in first.ledger] == ["site-packages", "node_modules", "gems", ".m2", "source"]
    assert [note.pushed > 0 for note in second.ledger] == [False, False, False, False, True]
    assert case.build(recipe).image == first.image


def test_environment_of_source_and_owner_is_in_build_and_image(case: Case) -> None:
    files = {**SOURCE, ".s2i/environment": "COLOUR=blue\nSIZE=3\n"}
    result = case.build(Recipe(), files, environment={"COLOUR": "green"})
    assert case.kitchen.run(result.image, "cat", f"{TOP}/colour") == "green\n"
    assert {"COLOUR=green", "SIZE=3"} <= set(case.config(result)["Env"])


def test_ignored_files_do_not_reach_assemble(case: Case) -> None:
    for name in (".s2iignore", ".slugignore"):
        result = case.build(Recipe(), {**SOURCE, "notes.txt": "x", name: "notes.txt\n"})
        assert f"{TOP}/src/notes.txt" not in case.paths(result)


def test_own_assemble_that_calls_the_builders_keeps_layers(case: Case) -> None:
    recipe = Recipe(scripts={**SCRIPTS, "assemble": INSTALLING})
    own = {**SOURCE, ".s2i/bin/assemble": f"#!/bin/sh\nset -e\n{IN_IMAGE}/assemble\necho own > {TOP}/own\n"}
    case.build(recipe, own)
    second = case.build(recipe, {**own, "more.rb": "x\n"})
    assert [note.state for note in second.ledger] == ["reused", "reused", "reused", "reused", "new"]
    assert f"{TOP}/own" in case.paths(second)


def test_failing_assemble_has_upstreams_reason(case: Case) -> None:
    with pytest.raises(BuildFailed) as failed:
        case.build(Recipe(scripts={**SCRIPTS, "assemble": "#!/bin/sh\necho broken\nexit 4\n"}))
    assert (failed.value.reason, failed.value.facts["exit_code"]) == ("AssembleFailed", 4)
    assert case.kitchen.left() == []


def test_missing_images_and_scripts_have_upstreams_reasons(case: Case) -> None:
    def reason(**given: str) -> str:
        with pytest.raises(BuildFailed) as failed:
            case.kitchen.build(SOURCE, **{"builder": case.shelf.image(Recipe()), **given})
        return failed.value.reason

    assert reason(builder=f"{case.kitchen.host}/builders/none:1") == "PullBuilderImageFailed"
    assert reason(runtime_image=f"{case.kitchen.host}/builders/none:1") == "PullRuntimeImageFailed"
    assert reason(builder=case.shelf.image(Recipe(scripts={}, labels={}))) == "FetchScriptsFailed"
    assert reason(scripts_url="ftp://example.com/scripts") == "FetchScriptsFailed"


def test_image_from_elsewhere_with_an_entry_point_keeps_it(case: Case) -> None:
    recipe = Recipe(entrypoint=("/usr/bin/env", "GREETING=hi"))
    result = case.build(recipe, {**SOURCE, "Procfile": "web: echo $GREETING\n"})
    assert result.processes == {"web": ("/usr/bin/env", "GREETING=hi", "/bin/sh", "-c", "exec echo $GREETING")}
    assert case.config(result)["Entrypoint"] == ["/usr/bin/env", "GREETING=hi"]


@pytest.mark.parametrize(
    "writes",
    [
        "cp /run/secrets/token /opt/fixture/work/copy",
        """echo '{"labels": [{"a": "'$(cat /run/secrets/token)'"}]}' > /tmp/.s2i/image_metadata.json""",
    ],
)
def test_secret_that_assemble_would_leave_in_the_image_fails_the_build(case: Case, writes: str) -> None:
    recipe = Recipe(scripts={**SCRIPTS, "assemble": f"{ASSEMBLE}{writes}\n"})
    with pytest.raises(BuildFailed) as failed:
        case.build(recipe, secrets={"token": "s3cret-value-of-the-fixture"})
    assert failed.value.reason == "SecretInImage"
    assert "s3cret" not in "".join(case.kitchen.lines)


def test_secret_written_into_a_script_does_not_stay(case: Case) -> None:
    own = f"{ASSEMBLE}cat /run/secrets/token >> /tmp/scripts/run\n"
    files = {**SOURCE, ".s2i/bin/assemble": own, ".s2i/bin/run": RUN}
    result = case.build(Recipe(), files, secrets={"token": "s3cret-value-of-the-fixture"})
    assert case.kitchen.run(result.image, "cat", "/tmp/scripts/run") == RUN


def test_usage_is_what_the_builder_prints(case: Case) -> None:
    tools = case.kitchen.tools()

    def said(recipe: Recipe) -> str:
        repository = case.shelf.image(recipe).split("/", 1)[1].removesuffix(":1")
        digest = tools.registry.digest_of(repository, "1")
        reference = f"{tools.registry_host}/{repository}@{digest}"
        return usage(tools.sandboxes, tools.limits, reference, tools.registry.image(repository, digest), "usage")

    assert said(Recipe()) == "This builder is a fixture."
    with pytest.raises(NotFound):
        said(Recipe(scripts={"assemble": ASSEMBLE}))
