"""What the next build gets of the last one (buildpack.md, Layer Types and Reusing Layers)."""

from __future__ import annotations

import io

import pytest

from paas.builder import rebase
from paas.errors import BuildFailed
from paas.oci import images
from paas.oci.archive import Entry
from paas.oci.digests import parse_digest
from paas.oci.layers import LayerWriter
from tests.conformance.cnb.kitchen import BUILDER, WEB, Case, layer, pack

pytestmark = pytest.mark.integration
SHOW = (
    'cd "$CNB_LAYERS_DIR"; for f in *.toml; do [ ! -f "$f" ] || echo "$f: $(tr "\\n" " " < "$f")"; done; ls\n'
    "cd - > /dev/null\n"
)


def test_reuse_launch_layer_without_content(case: Case) -> None:
    first = case.build(pack("one", layer("a", "launch", {"f": "big"}, metadata="v = 1") + WEB))
    second = case.build(pack("one", SHOW + layer("a", "launch", metadata="v = 2") + WEB), again=True)
    assert "       a.toml: [metadata] v = 1" in case.kitchen.lines
    assert case.note(second, "one:a").digest == case.note(first, "one:a").digest
    assert (case.note(second, "one:a").state, case.note(second, "one:a").pushed) == ("reused", 0)
    assert "re-declared by one" in case.note(second, "one:a").reason
    assert case.label(second, "lifecycle")["buildpacks"][0]["layers"]["a"]["data"] == {"v": 2}
    assert case.kitchen.run(second.image, "cat", "/layers/one/a/f") == "big"


def test_reuse_of_a_layer_that_never_was_fails(case: Case) -> None:
    with pytest.raises(BuildFailed) as caught:
        case.build(pack("one", layer("a", "launch") + WEB))
    assert caught.value.reason == "LayerNotFound"


def test_reuse_restores_cache_layers(case: Case) -> None:
    made = layer("c", "cache", {"f": "kept"}, metadata="v = 1") + layer("l", "cache launch", {"f": "both"})
    made += layer("b", "build", {"f": "gone"})
    case.build(pack("one", made + WEB))
    again = SHOW + 'cat "$CNB_LAYERS_DIR/c/f" "$CNB_LAYERS_DIR/l/f"; echo\n' + WEB
    case.build(pack("one", again), again=True)
    assert "       c.toml: [metadata] v = 1" in case.kitchen.lines
    assert "       keptboth" in case.kitchen.lines
    assert "       b.toml" not in case.said
    case.build(pack("one", made + WEB), again=True)
    with pytest.raises(BuildFailed):
        case.build(pack("one", again), again=True, no_cache=True)


def test_reuse_types_are_not_restored(case: Case) -> None:
    case.build(pack("one", layer("a", "launch", {"f": "a"}) + WEB))
    second = case.build(pack("one", SHOW + WEB), again=True)
    assert "types" not in case.said
    assert "one:a" not in [note.name for note in second.ledger]


def test_reuse_restores_store_and_sboms(case: Case) -> None:
    store = "printf '[metadata]\\nseen = 4\\n' > \"$CNB_LAYERS_DIR/store.toml\"\n"
    sbom = 'echo bom > "$CNB_LAYERS_DIR/a.sbom.syft.json"\n'
    case.build(pack("one", layer("a", "launch", {"f": "a"}) + store + sbom + WEB))
    case.build(pack("one", SHOW + 'cat "$CNB_LAYERS_DIR/a.sbom.syft.json"\n' + WEB), again=True)
    assert "       store.toml: [metadata] seen = 4" in case.kitchen.lines
    assert "       bom" in case.kitchen.lines


def test_rebase_moves_the_image_onto_a_patched_run_image(case: Case) -> None:
    registry, repository = case.kitchen.registry, f"apps/{case.kitchen.app_id}"
    result = case.build(pack("one", layer("a", "launch", {"f": "a"}) + WEB))
    run = BUILDER.run_repository
    old = registry.image(run, registry.digest_of(run, "1"))
    with registry.upload(run) as upload:
        writer = LayerWriter(upload.write)
        writer.add(Entry("patched", "file", 0o644, 5), io.BytesIO(b"fixed"))
        patch = writer.finish()
        upload.commit(patch.digest)
    registry.push_image(run, images.extend(old, [patch]), tag="1")
    try:
        moved = rebase.rebase(registry, repository, result.image)
    finally:
        registry.push_image(run, old, tag="1")
    image = registry.image(repository, parse_digest(moved.image))
    assert [one.diff_id for one in image.layers] == [
        *(one.diff_id for one in (*old.layers, patch)),
        *(one.diff_id for one in registry.image(repository, parse_digest(result.image)).layers[len(old.layers) :]),
    ]
    settings = image.config["config"]
    assert (settings["Entrypoint"], settings["WorkingDir"]) == (["/cnb/process/web"], "/workspace")
    assert case.kitchen.run(moved.image, "--", "cat", "/patched", "/layers/one/a/f") == "fixeda"
