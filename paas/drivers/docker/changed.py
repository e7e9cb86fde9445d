"""Which archive calls bring what a sandbox changed.

Pure. The engine lists changed paths one by one, and one call for an archive costs about 40 ms before its first byte
and streams 170 MB a second (measured): an added folder is one call, and where many changes lie close together,
one call for the folder above them, of which only the changed entries are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

MODIFIED, ADDED, DELETED = 0, 1, 2
_CLOSE = 3
"""More calls than this below a folder become one call for the folder."""
_CLOSE_AT_TOP = 32
"""The same for folders such as /usr, which hold the whole image."""


@dataclass(frozen=True)
class Call:
    """One archive to ask for."""

    path: str
    """Without leading slash."""
    whole: bool
    """Everything in it was added; else only the changed entries count."""
    header_only: bool = False
    """Only what the path itself is matters: if it is a folder, its content did not change."""


@dataclass
class _Node:
    kind: int | None = None
    children: dict[str, _Node] = field(default_factory=dict)


class Changed:
    """The changed paths without the ignored ones, as a tree."""

    def __init__(self, listed: Iterable[Mapping[str, object]], ignored: Iterable[str], *, tops: bool = False) -> None:
        """`tops`: folders at the top may have been changed themselves, which only root can do."""
        self._tops = tops
        self._ignored = tuple(path.strip("/") for path in ignored if path.strip("/"))
        self._root = _Node()
        self.deleted: tuple[str, ...] = ()
        self._take(listed)

    def calls(self) -> tuple[Call, ...]:
        """In the order of their paths."""
        return tuple(
            call for name, node in sorted(self._root.children.items()) for call in _calls(name, node, 1, self._tops)
        )

    def has(self, path: str) -> bool:
        """Is the path among the changed ones, as an entry of an archive?"""
        node: _Node | None = self._root
        for part in path.split("/"):
            node = node.children.get(part) if node else None
        return node is not None and node.kind is not None

    def is_ignored(self, path: str) -> bool:
        """Is it, or does it lie below, a path that nobody wants?"""
        return any(path == top or path.startswith(f"{top}/") for top in self._ignored)

    def _take(self, listed: Iterable[Mapping[str, object]]) -> None:
        deleted = []
        emptied = set()
        for item in listed:
            path, kind = str(item["Path"]).strip("/"), item["Kind"]
            if not path:
                continue
            if self.is_ignored(path):
                emptied.add(path.rpartition("/")[0])
            elif kind == DELETED:
                deleted.append(path)
                emptied.add(path.rpartition("/")[0])
            else:
                self._node(path).kind = int(str(kind))
        self.deleted = tuple(sorted(deleted))
        for path in deleted:
            # A folder that took a deleted one's place is listed by what lies in it, all of which is new.
            if node := self._find(path):
                node.kind = ADDED
        for path in sorted(emptied, key=len, reverse=True):
            self._prune(path)

    def _node(self, path: str) -> _Node:
        node = self._root
        for part in path.split("/"):
            node = node.children.setdefault(part, _Node())
        return node

    def _prune(self, path: str) -> None:
        """A folder is listed as modified for what lies in it: if all of that is ignored or gone, it is not."""
        while path:
            above, _, name = path.rpartition("/")
            parent = self._find(above)
            node = parent.children.get(name) if parent else None
            if parent is None or node is None or node.children or node.kind not in (MODIFIED, None):
                return
            del parent.children[name]
            path = above

    def _find(self, path: str) -> _Node | None:
        node: _Node | None = self._root
        for part in path.split("/") if path else ():
            node = node.children.get(part) if node else None
        return node


def _calls(path: str, node: _Node, depth: int, tops: bool) -> Iterator[Call]:
    """The calls for one path and what lies below it."""
    if node.kind == ADDED:
        yield Call(path, whole=True)
        return
    children = sorted(node.children.items())
    below = [call for name, child in children for call in _calls(f"{path}/{name}", child, depth + 1, tops)]
    # A folder at the top that is listed for what lies in it is root's: others cannot change the folder itself.
    has_own = node.kind == MODIFIED and (depth > 1 or tops or not below)
    own = [Call(path, whole=False, header_only=True)] if has_own else []
    if len(own) + len(below) > (_CLOSE if depth > 1 else _CLOSE_AT_TOP):
        yield Call(path, whole=False)
    else:
        yield from own
        yield from below
