from __future__ import annotations

import json
from pathlib import Path

import pytest

from paas.core.builds import Limits
from paas.core.names import AppId, ProjectId
from paas.drivers.docker import listening, networks, render
from paas.ports import RunSpec
from tests.contracts.conftest import spec, start, web

GOLDEN = Path(__file__).parent / "golden"
PLACE = {"user": "1001:0", "network": "paas-x-n-p1", "address": "10.201.0.10", "memory": 512, "processes": 64}


def bodies():
    wanted = spec("127.0.0.1:7481/apps/a1@sha256:00", web("gunicorn", "app:app"), SECRET="s", PORT="1")
    run = RunSpec("r1", AppId("a1"), ProjectId("p1"), "shop", "acme", "image", ("sh", "-c", "true"), {}, 60)
    inside = render.Inside({"A": "b"}, "paas-x-builds")
    sandbox = render.sandbox("x", "sha256:0", Limits(1, 2, 3, 4), inside, build_id="b1")
    return {
        "instance": render.instance("x", start(wanted), **PLACE),
        "run": render.run("x", run, **PLACE),
        "sandbox": sandbox,
    }


@pytest.mark.parametrize("name", ["instance", "run", "sandbox"])
def test_body_is_the_golden_one(name):
    rendered = json.dumps(bodies()[name], indent=1, sort_keys=True) + "\n"
    assert rendered == (GOLDEN / f"{name}.json").read_text()


@pytest.mark.parametrize("name", ["instance", "run", "sandbox"])
def test_every_body_is_confined(name):
    body = bodies()[name]
    host = body["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["Memory"] == host["MemorySwap"] > 0
    assert host["PidsLimit"] > 0
    for opening in ("Binds", "Mounts", "PortBindings", "Privileged", "PublishAllPorts"):
        assert not host[opening]
    assert host["RestartPolicy"] == {"Name": "no"}
    assert body["User"].split(":")[0] not in ("", "0", "root")


def test_platform_variables_win_over_config():
    env = dict(entry.split("=", 1) for entry in bodies()["instance"]["Env"])
    assert (env["PORT"], env["SECRET"], env["PAAS_APP"], env["DYNO"]) == ("8080", "s", "shop", "web.1")


@pytest.mark.parametrize(
    ("image_user", "user"),
    [
        ("", "1001:0"),
        ("root", "1001:0"),
        ("0", "1001:0"),
        ("00", "1001:0"),
        ("0:1001", "1001:0"),
        ("1001", "1001:0"),
        ("1001:0", "1001:0"),
        ("185:185", "185:185"),
        ("0185", "185:0"),
        ("www-data", "1001:0"),
        ("33:www-data", "33:0"),
        ("99999999999", "1001:0"),
        ("-1", "1001:0"),
        ("١٢", "1001:0"),
    ],
)
def test_user_is_never_root(image_user, user):
    assert render.numeric_user(image_user) == user


def test_lowest_free_address():
    assert networks.lowest_free("10.201.4.0/24", set()) == "10.201.4.10"
    assert networks.lowest_free("10.201.4.0/24", {"10.201.4.10", "10.201.4.12"}) == "10.201.4.11"
    assert networks.lowest_free("10.201.4.0/24", {f"10.201.4.{n}" for n in range(255)}) == ""
    assert networks.lowest_free("10.201.4.0/29", set()) == ""


TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 1 1
   1: 0B00007F:9C41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   2: 0A00C90A:1F90 0100C90A:1F91 01 00000000:00000000 00:00000000 00000000  1001        0 1 1
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0 0 0 1001 0 1
   1: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A 0 0 0 1001 0 1
"""


def test_listening_sockets_are_read_from_the_kernels_tables():
    assert listening.parse_table(TCP) == {("127.0.0.1", 5000)}
    assert listening.parse_table(TCP6) == {("::", 8080), ("::1", 3000)}
    assert listening.parse_table("") == set()


def test_listening_is_told_in_words():
    assert listening.describe(set(), 8080) == "it listens on no port"
    assert listening.describe({("127.0.0.1", 8080)}, 8080) == "it listens on 127.0.0.1:8080, not on 0.0.0.0:8080"
    assert listening.describe({("::1", 3000)}, 8080) == "it listens on [::1]:3000, not on 0.0.0.0:8080"
    assert listening.describe({("::", 8080)}, 8080) == "it listens on port 8080"
