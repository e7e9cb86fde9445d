"""Resident memory of the idle platform's own processes, without engine, registry and apps.

    make up && .venv/bin/python -m bench.idle_memory

Sums RSS (every shared page counted in each process) and PSS (shared pages divided); the promise is on RSS.
"""

from __future__ import annotations

import sys
from pathlib import Path

from paas import settings

PROMISED_MIB = 400


def children(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += children(int(child))
    return found


def memory(pid: int) -> tuple[int, int]:
    """RSS and PSS in KiB."""
    rows = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(rows["Rss"].split()[0]), int(rows["Pss"].split()[0])


def main() -> int:
    supervisor = int((settings.load().run_folder / "supervisord.pid").read_text())
    total_rss = total_pss = 0
    for pid in children(supervisor):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:90]
        rss, pss = memory(pid)
        is_ours = "docker-registry" not in command
        print(f"{rss / 1024:8.1f} {pss / 1024:8.1f} MiB  {'' if is_ours else '(not counted) '}{command}")
        total_rss += rss if is_ours else 0
        total_pss += pss if is_ours else 0
    print(f"{total_rss / 1024:8.1f} {total_pss / 1024:8.1f} MiB  in all (RSS, PSS); promised: under {PROMISED_MIB}")
    return 0 if total_rss < PROMISED_MIB * 1024 else 1


if __name__ == "__main__":
    sys.exit(main())
