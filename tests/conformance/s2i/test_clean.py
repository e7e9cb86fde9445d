"""Clean builds: the cases of the upstream project's test/integration/docker that begin from nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paas.errors import BuildFailed, NotFound
from tests.conformance.s2i.fixtures import ASSEMBLE, IN_IMAGE, LABELLED, RUN, SCRIPTS, SOURCE, TOP, Case, Recipe

pytestmark = pytest.mark.integration
OWN = {**SOURCE, ".s2i/bin/assemble": ASSEMBLE, ".s2i/bin/run": RUN}
BARE = Recipe(scripts={}, labels={})
SECRET = "s3cret-value-of-the-fixture"


def test_clean_build(case: Case) -> None:
    result = case.build(Recipe())
    case.is_as_built(result)
    assert result.processes == {"web": (f"{IN_IMAGE}/run",)}
    assert case.config(result)["Cmd"] == [f"{IN_IMAGE}/run"]
    assert [note.name for note in result.ledger] == ["source"]
    assert list(result.stages) == ["fetch", "pull", "assemble", "split", "export"]


def test_clean_build_label(case: Case) -> None:
    result = case.build(Recipe())
    labels = case.config(result)["Labels"]
    assert (labels["fixture.colour"], labels["fixture.size"]) == ("blue", "3")
    assert labels["io.k8s.description"] == "A fixture"
    assert labels["io.openshift.s2i.scripts-url"] == f"image://{IN_IMAGE}"
    assert labels["io.openshift.s2i.build.image"].endswith(result.facts["builder_image"])
    too_long = ASSEMBLE.replace('"3"', f'"{"x" * 10300}"')
    with pytest.raises(BuildFailed) as failed:
        case.build(Recipe(scripts={**SCRIPTS, "assemble": too_long}))
    assert failed.value.reason == "GenericS2IBuildFailed"
    assert "10240" in failed.value.message


def test_clean_build_user(case: Case) -> None:
    result = case.build(Recipe(user="431"))
    case.is_as_built(result)
    assert case.start(result, user="431:0") == "running\n431\n"
    assert case.config(result)["User"] == "431"


def test_clean_build_file_scripts_url(case: Case) -> None:
    files = {**SOURCE, "build/s2i/assemble": ASSEMBLE, "build/s2i/run": RUN, ".s2i/bin/run": "#!/bin/sh\nexit 9\n"}
    result = case.build(BARE, files, scripts_url="file://build/s2i")
    case.is_as_built(result)
    assert result.processes == {"web": ("/tmp/scripts/run",)}


def test_clean_build_http_scripts_url(case: Case, web: str) -> None:
    result = case.build(BARE, scripts_url=web)
    case.is_as_built(result)
    labelled = case.build(Recipe(scripts={}, labels={"io.openshift.s2i.scripts-url": web}))
    assert labelled.ledger[-1].digest == result.ledger[-1].digest
    with pytest.raises(BuildFailed) as failed:
        case.build(BARE, scripts_url=f"{web.rpartition(':')[0]}:1/none")
    assert failed.value.reason == "FetchScriptsFailed"


def test_clean_build_scripts(case: Case) -> None:
    for labels in ({"io.s2i.scripts-url": f"image://{IN_IMAGE}/"}, LABELLED):
        case.is_as_built(case.build(Recipe(labels=labels)))
    by_variable = Recipe(labels={}, env={"STI_SCRIPTS_URL": f"image://{IN_IMAGE}"})
    case.is_as_built(case.build(by_variable))
    by_source = case.build(Recipe(), {**OWN, ".s2i/bin/run": RUN.replace("running", "running\necho own")})
    assert case.start(by_source) == "running\nown\n1001\n"


def test_layered_build_no_tar(case: Case) -> None:
    recipe = replace(BARE, removed=("bin/tar", "usr/bin/tar"))
    result = case.build(recipe, OWN)
    case.is_as_built(result)
    assert "gone" in case.kitchen.run(result.image, "sh", "-c", "which tar || echo gone")


def test_clean_build_callback_invoked(case: Case) -> None:
    result = case.build(Recipe(), commit="c" * 40, author="Ada")
    assert result.strategy == "s2i"
    assert result.facts["labels"]["io.openshift.s2i.build.commit.id"] == "c" * 40
    assert result.facts["labels"]["io.openshift.s2i.build.image"]


def test_clean_build_on_build(case: Case) -> None:
    copies = (f"COPY Gemfile {TOP}/copied/", "COPY . /tmp/src/")
    recipe = Recipe(on_build=(f"RUN touch {TOP}/on-build", *copies))
    result = case.build(recipe)
    case.is_as_built(result)
    assert {f"{TOP}/on-build", f"{TOP}/copied/Gemfile"} <= case.paths(result)
    assert case.kitchen.run(result.image, "stat", "-c", "%a", "/tmp") == "1777\n"
    assert case.build(recipe).image == result.image
    assert case.build(recipe, no_cache=True).image == result.image


def test_clean_build_on_build_no_name(case: Case) -> None:
    case.build(Recipe(on_build=(f"RUN touch {TOP}/on-build",)))
    assert case.tags() == []


def test_clean_build_no_name(case: Case) -> None:
    result = case.build(Recipe())
    assert case.tags() == []
    assert case.kitchen.registry.image(f"apps/{case.kitchen.app_id}", result.image).layers


def test_layered_build_no_tar_no_name(case: Case) -> None:
    result = case.build(replace(BARE, removed=("bin/tar", "usr/bin/tar")), OWN)
    assert case.tags() == []
    assert result.image.startswith("sha256:")


def test_injection_build(case: Case) -> None:
    result = case.build(
        Recipe(),
        secrets={"token": SECRET},
        injections=("token:/tmp", "token:", "token:sub"),
    )
    case.is_as_built(result)
    seen = case.kitchen.run(result.image, "cat", f"{TOP}/injected").split()
    assert seen == ["/tmp/token", f"{TOP}/work/token", f"{TOP}/work/sub/token"]
    assert not {path for path in case.paths(result) if path.endswith("/token")}


def test_injection_build_bad_destination(case: Case) -> None:
    with pytest.raises(BuildFailed) as failed:
        case.build(Recipe(), secrets={"token": SECRET}, injections=("token:/bad/dir",))
    assert failed.value.reason == "FileSystemOperationFailed"
    with pytest.raises(NotFound):
        case.kitchen.registry.digest_of(f"apps/{case.kitchen.app_id}", "latest")
