from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.drivers.docker import haproxy, router_render
from paas.drivers.docker.router_render import Edge, Route
from paas.errors import InvalidInput

GOLDEN = Path(__file__).parent / "golden"
EDGE = Edge("127.0.0.1", 7480, "paas.localhost", Path("/s/run/web.sock"), Path("/s/run/haproxy.sock"))
ROUTES = {
    "b2": Route(("b.apps.localhost",), {}),
    "a1": Route(
        ("a.apps.localhost", "www.example.org"), {"r2-web-1": ("10.201.0.10", 8080), "r2-web-2": ("10.201.0.11", 8080)}
    ),
}
hostile = st.text(max_size=40) | st.from_regex(r"[a-z0-9.;\n -]{1,30}")


def test_config_is_the_golden_one():
    rendered = router_render.config(EDGE, Path("/s/router/hosts.map"), ROUTES)
    assert rendered == (GOLDEN / "haproxy.cfg").read_text()


def test_map_has_a_line_for_each_host():
    assert (
        router_render.host_map(ROUTES) == "a.apps.localhost app-a1\nb.apps.localhost app-b2\nwww.example.org app-a1\n"
    )


@given(hostile, hostile, hostile, st.integers(-1, 70000))
def test_command_is_one_command_or_refused(app_id, instance_id, address, port):
    makers = [
        lambda: router_render.add_server(app_id, instance_id, (address, port)),
        lambda: router_render.move_server(app_id, instance_id, (address, port)),
        lambda: router_render.set_state(app_id, instance_id, "drain"),
        lambda: router_render.enable_server(app_id, instance_id),
        lambda: router_render.cut_sessions(app_id, instance_id),
        lambda: router_render.delete_server(app_id, instance_id),
        lambda: router_render.show_servers(app_id),
    ]
    for make in makers:
        try:
            command = make()
        except InvalidInput:
            continue
        assert command.isascii()
        assert command.isprintable()
        assert not set(command) & set(";#\\\"'\n\r\t")


@given(hostile, hostile, hostile)
def test_config_has_the_same_lines_whatever_the_names(app_id, host, instance_id):
    plain = router_render.config(EDGE, Path("/s/hosts.map"), {"a": Route(("h",), {"i": ("10.0.0.1", 8080)})})
    routes = {app_id: Route((host,), {instance_id: ("10.0.0.1", 8080)})}
    try:
        rendered = router_render.config(EDGE, Path("/s/hosts.map"), routes)
        mapped = router_render.host_map(routes)
    except InvalidInput:
        return
    assert [line.split()[:1] for line in rendered.split("\n")] == [line.split()[:1] for line in plain.split("\n")]
    assert len(mapped.split()) == 2


@pytest.mark.parametrize("address", ["::1", "10.0.0.256", "localhost", "10.0.0.1 weight 5", ""])
def test_address_is_an_ipv4_address(address):
    with pytest.raises(InvalidInput):
        router_render.check_server((address, 8080))


def test_paths_that_the_configuration_cannot_quote_are_refused():
    for path in ("/a b", "/a\nb", "relative", "/a;b", "/a#b", "/a'b"):
        with pytest.raises(InvalidInput):
            router_render.check_path(Path(path))


SHOW_PROC = """#<PID>          <type>          <reloads>       <uptime>        <version>
5258            master          3 [failed: 0]   0d00h00m00s     2.6.12-1+deb12u4
# workers
5297            worker          0               0d00h00m00s     2.6.12-1+deb12u4
# old workers
5289            worker          1               0d00h00m10s     2.6.12-1+deb12u4
5270            worker          2               0d00h00m20s     2.6.12-1+deb12u4
# programs

"""


def test_workers_are_read():
    assert haproxy.parse_workers(SHOW_PROC) == haproxy.Workers((5297,), (5289, 5270))
    assert haproxy.parse_workers("") == haproxy.Workers((), ())


def test_servers_are_read():
    shown = "# pxname,svname,qcur,qmax,scur,smax,status\napp-a1,i1,0,0,3,9,no check\napp-a1,i2,0,0,0,1,DRAIN\n\n"
    assert haproxy.parse_servers(shown) == {"i1": ("no check", 3), "i2": ("DRAIN", 0)}
