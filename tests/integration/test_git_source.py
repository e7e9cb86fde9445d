"""What a repository's host may not do: lead elsewhere."""

from __future__ import annotations

import socket

import pytest

from paas.builder import git_source
from paas.builder.git_source import GitTools
from paas.core.builds import Limits
from paas.core.sources import GitLocation
from paas.errors import BuildFailed
from tests.factories import NoSandboxes

LIMITS = Limits(10, 1 << 28, 1, 64)


def tools(*hosts: str, has_proxy: bool = False) -> GitTools:
    return GitTools(NoSandboxes(), "image", LIMITS, hosts, has_proxy, lambda: None)


@pytest.mark.parametrize("name", ["localhost", socket.gethostname()])
def test_name_that_leads_to_a_private_address_opens_no_sandbox(name: str) -> None:
    location = GitLocation(f"http://{name}/a.git", "HEAD", name, 80)
    with pytest.raises(BuildFailed) as error:
        git_source.fetch("b1", location, tools(), lambda tar: "", lambda line: None)  # type: ignore[arg-type]
    assert (error.value.reason, error.value.stage) == ("FetchSourceFailed", "fetch")


def test_own_forge_is_pinned_to_its_addresses() -> None:
    location = GitLocation("http://localhost:3000/a.git", "HEAD", "localhost", 3000)
    assert git_source._pin(location, tools("localhost")).startswith("localhost:3000:")
    assert git_source._pin(location, tools(has_proxy=True)) == ""
    config = git_source._config(location, "localhost:3000:127.0.0.1")
    pairs = {
        config[f"GIT_CONFIG_KEY_{n}"]: config[f"GIT_CONFIG_VALUE_{n}"] for n in range(int(config["GIT_CONFIG_COUNT"]))
    }
    assert pairs["http.followRedirects"] == "false"
    assert pairs["protocol.allow"] == "never"
    assert pairs["http.curloptResolve"] == "localhost:3000:127.0.0.1"
