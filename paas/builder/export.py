"""The image: the run image's layers by reference, ours on top, one manifest.

Its digest is a function of source and builder alone. So facts that change while the tree stays (commit, branch,
author, the app's name) are not in it: an empty commit, a revert or a rebuild gives the image that is there already.
They belong to the build's record (`facts["labels"]`), from which they reach the running instances' labels.
"""

from __future__ import annotations

from collections.abc import Sequence

from paas.builder import bases
from paas.builder.job import Job
from paas.core.builds import BuildSpec
from paas.oci import images
from paas.oci.digests import Digest
from paas.oci.images import CREATED
from paas.oci.layers import Layer

_S2I = "io.openshift.s2i.build."
_OCI = "org.opencontainers.image."
TOP_LAYER = "io.paas.base.top-layer"
"""The diff id of the base's last layer: what lies above is the app's, as in Cloud Native Buildpacks' metadata."""


def push(job: Job, layers: Sequence[Layer], run_script: str) -> Digest:
    """Write the image into the app's repository; its digest. Raises LostLease before anything is visible."""
    run = job.bases.run
    bases.mount(job.tools.registry, job.repository, run)
    image = images.extend(
        run.image,
        layers,
        env=job.environment,
        labels=labels(job),
        cmd=[run_script],
        user=run.image.user or "1001",
        created=CREATED,
        created_by="paas: source-to-image",
    )
    job.tools.check()
    return job.tools.registry.push_image(job.repository, image)


def labels(job: Job) -> dict[str, str]:
    """What the image says of its origin."""
    build, run = job.bases.build, job.bases.run
    return {
        f"{_S2I}image": f"{build.repository}@{build.digest}",
        f"{_S2I}source-location": job.spec.source_digest,
        f"{_OCI}created": CREATED,
        f"{_OCI}base.name": f"{run.repository}:{job.builder.version}",
        f"{_OCI}base.digest": run.digest,
        TOP_LAYER: run.image.layers[-1].diff_id,
    }


def commit_labels(spec: BuildSpec) -> dict[str, str]:
    """What is known of the commit, under the names that S2I and OCI give it."""
    known = {
        f"{_S2I}commit.id": spec.commit,
        f"{_S2I}commit.author": spec.author,
        f"{_S2I}commit.ref": spec.ref,
        f"{_S2I}commit.message": spec.message.strip().partition("\n")[0][:200],
        f"{_OCI}revision": spec.commit,
        f"{_OCI}title": spec.app,
    }
    return {name: value for name, value in known.items() if value}
