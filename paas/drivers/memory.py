"""A driver that keeps everything in memory: for tests of what is above it, held to the same contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from paas.core import releases
from paas.core.names import AppId, ProjectId
from paas.core.releases import Instance, Step
from paas.errors import DeployFailed
from paas.ports import LogLine, RouteSpec, RunSpec, Say


@dataclass
class MemoryDriver:
    """Instances become healthy at once, unless their image is in `broken`."""

    broken: set[str] = field(default_factory=set)
    exit_code: int = 0
    """Of one-off processes."""
    instances: dict[AppId, dict[str, Instance]] = field(default_factory=dict)
    projects_made: dict[ProjectId, str] = field(default_factory=dict)
    applied: list[Step] = field(default_factory=list)
    runs: list[RunSpec] = field(default_factory=list)
    _images: dict[str, str] = field(default_factory=dict)

    def ensure_project(self, project_id: ProjectId, subnet: str) -> None:
        self.projects_made[project_id] = subnet

    def destroy_project(self, project_id: ProjectId) -> None:
        self.projects_made.pop(project_id, None)

    def observe(self, app_id: AppId) -> tuple[Instance, ...]:
        return tuple(self.instances.get(app_id, {}).values())

    def apply(self, app_id: AppId, step: Step) -> None:
        self.applied.append(step)
        running = self.instances.setdefault(app_id, {})
        match step:
            case releases.Start(spec=spec, process=process, instance_id=name, index=index):
                self._images[name] = spec.image
                running.setdefault(
                    name, Instance(name, process.type, index, spec.key(process), spec.number, running=True)
                )
            case releases.AwaitHealthy(instance_id=name) if self._images[name] in self.broken:
                raise DeployFailed(f"{step.name} crashed", reason="crashed", stage="health", lines=["boom"])
            case releases.Route(instance_ids=names):
                self.instances[app_id] = {i: replace(v, routed=i in names) for i, v in running.items()}
            case releases.Stop(instance_id=name):
                running.pop(name, None)
            case _:
                pass

    def run(self, spec: RunSpec, say: Say) -> int:
        self.runs.append(spec)
        say(f"ran {' '.join(spec.command)}")
        return self.exit_code

    def logs(self, since: Mapping[str, str], stop: Callable[[], bool]) -> Iterator[LogLine]:
        return iter(())

    def last_lines(self, instance_id: str, count: int) -> list[str]:
        return []

    def destroy(self, app_id: AppId) -> None:
        self.instances.pop(app_id, None)

    def apps(self) -> frozenset[AppId]:
        return frozenset(app_id for app_id, found in self.instances.items() if found)

    def projects(self) -> frozenset[ProjectId]:
        return frozenset(self.projects_made)

    def restore_routes(self, routes: Iterable[RouteSpec]) -> None:
        return
