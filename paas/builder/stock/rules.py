"""Which layer a changed path goes into, for builders that know nothing of layers.

Installers of each ecosystem keep to their own folders; what they put there changes with the lock file, not with the
source. So each is a layer of its own below the source's, and a push that changes only the source leaves it as it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

SOURCE = "source"
_NAMES = {
    "site-packages": "site-packages",
    "dist-packages": "site-packages",
    "node_modules": "node_modules",
    "gems": "gems",
    ".m2": ".m2",
    ".gradle": ".gradle",
    ".cargo": "cargo",
    "staticfiles": "static",
    ".next": "static",
}
"""A folder of this name, anywhere."""
_PAIRS = {
    ("vendor", "bundle"): "gems",
    (".bundle", "ruby"): "gems",
    ("cargo", "registry"): "cargo",
    ("pkg", "mod"): "vendor",
    ("public", "assets"): "static",
    ("public", "packs"): "static",
    ("build", "static"): "static",
}
_PREFIXES = {"opt/app-root/bin": "site-packages", "opt/app-root/lib": "site-packages"}
"""The virtual environment of the widespread Python builders."""
ORDER = ("site-packages", "node_modules", "gems", ".m2", ".gradle", "cargo", "vendor", "static", SOURCE)
"""From below: what changes most often comes last."""


def part_of(path: str) -> str:
    """The layer of a path, which has no leading slash."""
    names = path.split("/")
    for prefix, part in _PREFIXES.items():
        if path.startswith(f"{prefix}/"):
            return _named(names) or part
    return _named(names) or SOURCE


def _named(names: Sequence[str]) -> str:
    """By the outermost folder that an installer owns; a file of that name is none."""
    folders = names[:-1]
    for at, name in enumerate(folders):
        pair = tuple(itertools.islice(folders, at, at + 2))
        if name in _NAMES:
            return _NAMES[name]
        if len(pair) == 2 and pair in _PAIRS:
            return _PAIRS[(pair[0], pair[1])]
        if name == "vendor" and at + 2 < len(names):
            return "vendor"
    return ""
