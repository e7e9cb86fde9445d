"""Reads the history of an app's own repository for the API, through GitPython, after the branch is a 40-hex name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from paas.actions.pushes import PushTarget
from paas.git import commands, repositories
from paas.git.terminal import clean
from paas.settings import Settings

MAX_LIMIT = 200


@dataclass(frozen=True)
class CommitInfo:
    commit: str
    author: str
    subject: str
    at: datetime


def log(settings: Settings, target: PushTarget, limit: int) -> list[CommitInfo]:
    """The newest commits of the deploy branch; none before the first push."""
    if not (target.repository / "HEAD").exists():
        return []
    tip = repositories.resolve(settings, target.repository, target.deploy_branch)
    if not tip:
        return []
    import git  # 100 ms, and only this view needs it

    with git.Repo(target.repository, expand_vars=False) as repository:
        repository.git.update_environment(**commands.environment(settings))
        found = repository.iter_commits(tip, max_count=min(limit, MAX_LIMIT))
        return [
            CommitInfo(
                commit=commit.hexsha,
                author=clean(f"{commit.author.name} <{commit.author.email}>"),
                subject=clean(str(commit.summary)),
                at=commit.committed_datetime.astimezone(UTC),
            )
            for commit in found
        ]
