"""The build engine beside its rivals, all on this machine, in one run.

    make up && make bench [S2I=/path/to/s2i]

Each row is `git push` (or the rival's command) to the first answer of the new version; medians. The floor is what no
platform can go below here. The exit code is 1 where a promise of issue 3 is broken; the promises stand in `PROMISES`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import docker

from bench import push_to_live, rivals
from bench.rivals import Rivals
from bench.subject import ROOT, Subject, spread
from paas import settings

PIP = "pip install --no-cache-dir --target /tmp/alone -r /tmp/requirements.txt"
NPM = "npm ci --no-audit --no-fund --cache /tmp/npm-cache"
PROMISES = {
    "change_floor": ("source change / floor", "at most", 2.0),
    "s2i_change": ("s2i --incremental / our source change", "at least", 15.0),
    "first_pip": ("our first push / bare pip install", "at most", 1.0),
    "first_npm": ("our first push - bare npm ci, seconds", "at most", 3.0),
    "added_pip": ("one dependency added / bare pip install", "at most", 1 / 3),
    "second_bytes": ("dependency bytes moved by a second app", "at most", 0.0),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--s2i", default="", help="the s2i program; without it its steps are done by the engine's API")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        return Bench(stack, chosen.rounds, chosen.s2i).run()


class Bench:
    """One run; what it made is removed when the stack is left."""

    def __init__(self, stack: ExitStack, rounds: int, s2i: str) -> None:
        self.stack, self.rounds = stack, rounds
        self.address = ("127.0.0.1", settings.load().port)
        self.python = self._subject(ROOT / "examples" / "flask-pandas")
        engine = docker.from_env()
        registry = stack.enter_context(rivals.registry())
        self.rivals = self._rivals(self.python, "python", registry, engine, s2i)
        self.engine, self.registry = engine, registry
        self.s2i_named = bool(s2i)
        self.figures: dict[str, float] = {}

    def run(self) -> int:
        print(f"build engine, Flask + pandas + SQLAlchemy, {self.rounds} rounds, medians, seconds")
        pip = self._row("bare pip install, in the builder", self._times(lambda _: self._pip(self.rivals)))
        first = self._first_push()
        self.figures["first_pip"] = first / pip
        added = self._added()
        self.figures["added_pip"] = added / pip
        self._changes()
        self._second_app()
        self._node()
        return self._judge()

    def _subject(self, example: Path, project: str = "", app: str = "subject") -> Subject:
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        subject = Subject(folder, example, project, app)
        self.stack.callback(subject.remove, with_project=not project)
        return subject

    def _rivals(self, subject: Subject, builder: str, registry: str, engine: object, s2i: str) -> Rivals:
        procfile = (subject.folder / "Procfile").read_text()
        command = next(line.partition(":")[2].strip() for line in procfile.splitlines() if line.startswith("web:"))
        image = rivals.builder_image(engine, builder)
        made = Rivals(subject.folder, image, registry, command, engine, s2i, rivals.environment())
        self.stack.callback(made.remove)
        return made

    def _times(self, measure: Callable[[int], float]) -> list[float]:
        return [measure(n) for n in range(self.rounds)]

    def _row(self, name: str, times: list[float]) -> float:
        median = statistics.median(times)
        print(f"  {name:<44} {median:7.2f}   all: {spread(times)}", flush=True)
        return median

    def _pip(self, rival: Rivals) -> float:
        return rival.install_alone(PIP, {"requirements.txt": "requirements.txt"})

    def _first_push(self) -> float:
        """First pushes of one app after another; each project starts with nothing kept."""

        def first(n: int) -> float:
            subject = self.python if n == 0 else self._subject(ROOT / "examples" / "flask-pandas")
            subject.set_version(f"v-first-{n}")
            return subject.push(f"v-first-{n}", self.address)

        return self._row("git push, first build", self._times(first))

    def _added(self) -> float:
        """Each round adds one package that was not there before."""
        packages = ["humanize==4.12.0", "tomli==2.2.1", "zipp==3.21.0", "pyjwt==2.10.1", "idna==3.10"]
        requirements = self.python.folder / "requirements.txt"

        def add(n: int) -> float:
            requirements.write_text(requirements.read_text() + packages[n % len(packages)] + "\n")
            self.python.set_version(f"v-added-{n}")
            return self.python.push(f"v-added-{n}", self.address)

        return self._row("git push, one dependency added", self._times(add))

    def _changes(self) -> None:
        def change(name: str, live: Callable[[str], float]) -> Callable[[int], float]:
            def measure(n: int) -> float:
                self.python.set_version(f"v-{name}-{n}")
                return live(f"v-{name}-{n}")

            return measure

        for name, live in (("s2i", self.rivals.s2i), ("docker", self.rivals.docker_build)):
            change(f"{name}-first", live)(0)
        ours = self._row("git push, one line changed", self._times(change("ours", self._push)))
        floor = self._row("the floor", self._times(lambda n: push_to_live.floor(self.python, f"v-floor-{n}")[0]))
        told = "s2i build --incremental" if self.s2i_named else "s2i's steps (no S2I named), incremental"
        s2i = self._row(f"{told}, push, run", self._times(change("s2i", self.rivals.s2i)))
        self._row("docker build, push, run, one line changed", self._times(change("docker", self.rivals.docker_build)))
        self.figures["change_floor"] = ours / floor
        self.figures["s2i_change"] = s2i / ours

    def _push(self, version: str) -> float:
        return self.python.push(version, self.address)

    def _second_app(self) -> None:
        """Another app of the project with the same lock file."""
        second = self._subject(self.python.folder, self.python.name, "second")
        second.set_version("v-second")
        seconds = second.push("v-second", self.address)
        ledger = second.last_build()["ledger"]
        assert isinstance(ledger, list)
        self.figures["second_bytes"] = sum(note["pushed"] for note in ledger if note["name"] != "source")
        print(f"  {'git push, second app, same lock file':<44} {seconds:7.2f}")

    def _node(self) -> None:
        subject = self._subject(ROOT / "examples" / "express")
        rival = self._rivals(subject, "nodejs", self.registry, self.engine, "")
        files = {name: name for name in ("package.json", "package-lock.json")}
        npm = self._row("bare npm ci, in the builder", self._times(lambda _: rival.install_alone(NPM, files)))

        def first(n: int) -> float:
            fresh = subject if n == 0 else self._subject(ROOT / "examples" / "express")
            fresh.commit("first")
            return fresh.push("Hello from Express", self.address)

        self.figures["first_npm"] = self._row("git push, first build, Express", self._times(first)) - npm

    def _judge(self) -> int:
        broken = 0
        for key, (name, kind, limit) in PROMISES.items():
            figure = self.figures[key]
            kept = figure <= limit if kind == "at most" else figure >= limit
            broken += not kept
            print(f"  {'kept  ' if kept else 'BROKEN'} {name}: {figure:.2f} ({kind} {limit:.2f})")
        return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
