"""The image: run image, buildpacks' layers, app, launcher and config; and the app's cache image beside it.

Facts that change while the source stays (commit, branch) are not in it, as everywhere here: the same source and the
same buildpacks give the same digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paas.builder import bases
from paas.builder import export as common
from paas.builder.cnb import labels, layers, messages, outputs, toml
from paas.builder.cnb.build import Built
from paas.builder.cnb.layers import Extra, Stack
from paas.builder.cnb.outputs import APP, Process
from paas.builder.cnb.running import LAYERS, Session
from paas.builder.job import Job
from paas.builder.ledger import SOURCE
from paas.builder.secrets import SHORTEST
from paas.oci import images
from paas.oci.digests import Digest
from paas.oci.images import CREATED, Image
from paas.oci.layers import Layer

PROCESS, LAUNCHER = "/cnb/process", "/cnb/lifecycle/launcher"
PLATFORM_API = "0.12"
MAX_LABELS, MAX_METADATA = 10 * 1024, 1024 * 1024


@dataclass(frozen=True)
class Launch:
    """How the image starts."""

    processes: tuple[Process, ...]
    default: str
    """The type of the default process; empty: none."""


def launch(built: Sequence[Built]) -> Launch:
    """All buildpacks' processes. Without a default one, `web` is it. Raises BuildFailed where there is none."""
    processes, default = outputs.combine([(one.pack.id, one.output.processes) for one in built])
    if not processes:
        raise messages.no_process()
    has_web = any(process.type == "web" for process in processes)
    return Launch(processes, default or ("web" if has_web else ""))


def extras(job: Job, built: Sequence[Built], started: Launch, launcher: bytes) -> list[Extra]:
    """The layers that are not the buildpacks'. Raises BuildFailed."""
    links = {f"{PROCESS}/{process.type}".strip("/"): LAUNCHER for process in started.processes}
    config = toml.dump(
        {
            "buildpack-default-process-type": started.default,
            "buildpacks": [{"id": one.pack.id, "version": one.pack.version, "api": one.pack.api} for one in built],
            "processes": [{**process.document(), "buildpack-id": process.buildpack} for process in started.processes],
        }
    )
    _check_secrets(job, "the processes of the image", config)
    found = [
        Extra(layers.LAUNCHER, {LAUNCHER.strip("/"): launcher}, links, executable=True),
        Extra(layers.CONFIG, {f"{LAYERS}/config/metadata.toml".strip("/"): config}, {}),
    ]
    sboms = _sboms(built)
    for path, body in sboms.items():
        _check_secrets(job, path, body)
    return [*found, Extra(layers.SBOM, sboms, {})] if sboms else found


def push(session: Session, built: Sequence[Built], started: Launch, stack: Stack) -> Digest:
    """Write the image into the app's repository. Raises BuildFailed, LostLease, Unavailable."""
    job = session.job
    run = job.bases.run
    bases.mount(job.tools.registry, job.repository, run)
    path = run.image.env.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    image = images.extend(
        run.image,
        stack.layers,
        env={
            "PATH": f"{PROCESS}:/cnb/lifecycle:{path}",
            "CNB_LAYERS_DIR": LAYERS,
            "CNB_APP_DIR": APP,
            "CNB_PLATFORM_API": PLATFORM_API,
        },
        labels=_labels(job, built, started, stack),
        entrypoint=[f"{PROCESS}/{started.default}" if started.default else LAUNCHER],
        workdir=APP,
        user=run.image.user or "1001",
        created=CREATED,
        created_by="paas: buildpacks",
    )
    job.tools.check()
    return job.tools.registry.push_image(job.repository, image)


def keep(job: Job, built: Sequence[Built], stack: Stack) -> str:
    """The cache image's digest; empty where no layer is cached. Raises Unavailable, LostLease."""
    cached = [(one, layer) for one in built for layer in one.output.layers if layer.cache and layer.has_content]
    if not cached:
        return ""
    by_pack = [
        labels.buildpack(
            one.pack, [(layer, _diff_id(stack, one, layer.name)) for other, layer in cached if other is one], {}
        )
        for one in built
    ]
    found = list(dict.fromkeys(stack.by_name[layers.title(one.pack.id, layer.name)] for one, layer in cached))
    bases.mount_layers(job.tools.registry, job.dependency_repository, found, job.repository)
    job.tools.check()
    said = {labels.CACHE: labels.render({"buildpacks": by_pack})}
    return job.tools.registry.push_image(
        job.dependency_repository, _bare(job, found, said), tag=f"cnb-{job.spec.app_id}"
    )


def _bare(job: Job, found: Sequence[Layer], said: Mapping[str, str]) -> Image:
    """Layers on nothing."""
    base = job.bases.build.image.config
    config = {
        "created": CREATED,
        "os": base["os"],
        "architecture": base["architecture"],
        "config": {"Labels": dict(said)},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in found]},
        "history": [{"created": CREATED, "created_by": "paas: buildpacks' cache"} for _ in found],
    }
    return Image(config, tuple(found))


def _labels(job: Job, built: Sequence[Built], started: Launch, stack: Stack) -> dict[str, str]:
    made = {key: value for one in built for key, value in one.output.labels.items()}
    size = sum(len(f"{key}{value}".encode("utf-8", "replace")) for key, value in made.items())
    if size > MAX_LABELS:
        raise messages.labels_too_large(size, MAX_LABELS)
    run = job.bases.run
    own = {
        labels.LIFECYCLE: labels.render(_lifecycle(job, built, stack)),
        labels.BUILD: labels.render(labels.build_metadata([one.pack for one in built], started.processes)),
        labels.PROJECT: labels.render({"source": {"type": "paas", "version": {"digest": job.spec.source_digest}}}),
        "io.buildpacks.rebasable": "true",
        "org.opencontainers.image.created": CREATED,
        "org.opencontainers.image.base.name": f"{run.repository}:{job.builder.version}",
        "org.opencontainers.image.base.digest": run.digest,
        common.TOP_LAYER: run.image.layers[-1].diff_id,
    }
    size = sum(map(len, own.values()))
    if size > MAX_METADATA:
        raise messages.labels_too_large(size, MAX_METADATA)
    for text in (*made.items(), *own.items()):
        _check_secrets(job, f"the label {text[0][:60]}", " ".join(text).encode("utf-8", "replace"))
    return {**made, **own}


def _lifecycle(job: Job, built: Sequence[Built], stack: Stack) -> dict[str, Any]:
    run, known = job.bases.run, stack.by_name
    app = [name for name in known if name == SOURCE or name.startswith("slice ")]
    found: dict[str, Any] = {
        "app": [{"sha": known[name].diff_id} for name in app],
        "exec-env": "production",
        "config": {"sha": known[layers.CONFIG].diff_id},
        "launcher": {"sha": known[layers.LAUNCHER].diff_id},
        "buildpacks": [
            labels.buildpack(
                one.pack,
                [(layer, _diff_id(stack, one, layer.name)) for layer in one.output.layers if layer.launch],
                one.output.store,
            )
            for one in built
        ],
        "runImage": {
            "image": f"{run.repository}:{job.builder.version}",
            "reference": run.digest,
            "topLayer": run.image.layers[-1].diff_id,
        },
    }
    return found | ({"sbom": {"sha": known[layers.SBOM].diff_id}} if layers.SBOM in known else {})


def _diff_id(stack: Stack, one: Built, layer: str) -> str:
    return stack.by_name[layers.title(one.pack.id, layer)].diff_id


def _sboms(built: Sequence[Built]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for one in built:
        root = f"{LAYERS}/sbom/launch/{one.pack.escaped}".strip("/")
        found |= {f"{root}/sbom.{kind}": body for kind, body in one.output.sboms.items()}
        for layer in one.output.layers:
            if layer.launch:
                found |= {f"{root}/{layer.name}/sbom.{kind}": body for kind, body in layer.sboms.items()}
    return found


def _check_secrets(job: Job, where: str, text: bytes) -> None:
    for name, value in job.spec.secrets.items():
        if len(value.strip()) >= SHORTEST and value.strip().encode() in text:
            raise messages.secret(name, where)
