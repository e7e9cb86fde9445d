"""What a buildpack's build wrote, copied out of its layers: the small files, not the layers themselves.

A shell in the sandbox copies them aside, each with a limit, so that no layer passes through this process to be looked
at. It also looks for anything that was written into another buildpack's folder meanwhile; the bytecode that Python
leaves beside modules it was only to run is no offence.
"""

from __future__ import annotations

from paas.builder.cnb import environment, messages, outputs
from paas.builder.cnb.descriptors import Descriptor
from paas.builder.cnb.outputs import Output
from paas.builder.cnb.running import LAYERS, STAMP, WORK, Session
from paas.errors import NotFound

STAGE = "build"
_MAX = 32 << 20
_MAX_FILES = 5000
_COLLECT = f"""
umask 022
mkdir "$2/own" && cd "$1" || exit 1
find {LAYERS} -mindepth 1 '(' -path "$1" -o -name __pycache__ ')' -prune -o -newer {STAMP} \\
  '(' ! -type d -o ! -path '{LAYERS}/*/*' ')' -print 2>/dev/null | head -n 1 > "$2/foreign"
for name in * .[!.]* ..?*; do
  if [ -L "$name" ]; then
    ln -s link "$2/own/$name"
  elif [ -d "$name" ]; then
    mkdir "$2/own/$name"
    for inner in {" ".join(environment.FOLDERS)}; do
      [ ! -d "$name/$inner" ] || mkdir "$2/own/$name/$inner"
    done
    for inner in {" ".join(environment.BUILD_FOLDERS)}; do
      [ -d "$name/$inner" ] || continue
      mkdir "$2/own/$name/$inner"
      for file in "$name/$inner"/*; do
        [ ! -f "$file" ] || head -c 262144 < "$file" > "$2/own/$file"
      done
    done
  elif [ -f "$name" ]; then
    case "$name" in
      *.toml) head -c 1048577 < "$name" > "$2/own/$name" ;;
      *.sbom.*.json) head -c 16777216 < "$name" > "$2/own/$name" ;;
    esac
  fi
done
"""
_RENAME = """
cd "$1" && shift || exit 1
for name; do
  rm -rf "$name.ignore"
  mv "$name" "$name.ignore"
done
"""


def collect(session: Session, pack: Descriptor, place: int) -> Output:
    """What one buildpack wrote. Raises BuildFailed."""
    root, out = f"{LAYERS}/{pack.escaped}", f"{WORK}/out/{place}"
    name = str(pack)
    code, lines = session.run(("/bin/sh", "-c", _COLLECT, "sh", root, out), {}, STAGE, lambda line: None)
    if code:
        raise messages.invalid_output(name, f"layers that cannot be read: {' '.join(lines)[-200:]}")
    try:
        found = session.read(out, _MAX)
    except (ValueError, NotFound):
        raise messages.invalid_output(name, f"more than {_MAX >> 20} MiB of metadata") from None
    if len(found) > _MAX_FILES:
        raise messages.invalid_output(name, f"more than {_MAX_FILES} files of metadata")
    foreign = found.get("foreign")
    if isinstance(foreign, bytes) and foreign.strip():
        raise messages.foreign_layer(name, foreign.decode("utf-8", "replace").strip())
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    for path, body in found.items():
        inner = path.removeprefix("own/")
        if not path.startswith("own/"):
            continue
        if isinstance(body, str):
            raise messages.invalid_output(name, f"{inner[:100]!r}, which is a {body}")
        if body is None:
            folders.add(inner)
        else:
            files[inner] = body
    return outputs.read(files, frozenset(folders), root, name)


def rename_ignored(session: Session, pack: Descriptor, output: Output) -> None:
    """Layers of no type are out of the way of those that come after."""
    names = [layer.name for layer in output.layers if layer.is_ignored and layer.has_content]
    names = [name for name in names if not name.endswith(".ignore")]
    if names:
        argv = ("/bin/sh", "-c", _RENAME, "sh", f"{LAYERS}/{pack.escaped}", *names)
        session.run(argv, {}, STAGE, lambda line: None)
