"""What every driver promises (paas/ports.py), on a real engine with a real router."""

from __future__ import annotations

import http.client
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import pytest

from paas.core.names import AppId, ProjectId
from paas.core.processes import HealthCheck
from paas.core.releases import AwaitHealthy, Drain, Route, Start, Stop, abandon, plan
from paas.errors import Conflict, DeployFailed, Unavailable
from paas.ports import RouteSpec, RunSpec
from tests.contracts.conftest import HOST, deploy, free_subnet, scaled, spec, start, wait_for, web, worker

APP = AppId("a1")
PROJECT = ProjectId("p1")
FOREVER = "import time\nprint('up', flush=True)\nwhile True: time.sleep(1)"


def get(platform, path="/", host=HOST, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=10)
    try:
        connection.request(method, path, body=body, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def awaited(driver, wanted, process=None):
    """Start and wait; what it raised."""
    step = start(wanted, process)
    driver.apply(APP, step)
    began = time.monotonic()
    with pytest.raises(DeployFailed) as caught:
        driver.apply(APP, AwaitHealthy(step.instance_id, step.process, f"{step.process.type}.1"))
    caught.value.facts["seconds"] = time.monotonic() - began
    return caught.value


def containers(platform):
    with platform.engine.door("list") as api:
        wanted = {"label": [f"io.paas.installation={platform.installation}"]}
        return [c["Id"] for c in api.containers(all=True, filters=wanted)]


def test_deploy_and_next_release_serve_through_the_router(platform):
    deploy(platform.driver, spec(platform.image))
    assert get(platform) == (200, "1\n")
    steps = deploy(platform.driver, spec(platform.image, number=2))
    assert [type(s) for s in steps] == [Start, AwaitHealthy, Route, Drain, Stop]
    assert get(platform) == (200, "2\n")
    assert get(platform, method="POST", body="hello") == (200, "hello")
    (only,) = platform.driver.observe(APP)
    assert (only.name, only.release, only.running, only.routed) == ("web.1", 2, True, True)
    assert plan(spec(platform.image, number=2), (only,)) == ()


def test_scaling_keeps_what_runs_and_scaling_to_nothing_answers_503(platform):
    deploy(platform.driver, spec(platform.image))
    (first,) = platform.driver.observe(APP)
    deploy(platform.driver, scaled(spec(platform.image), 3))
    assert first in platform.driver.observe(APP)
    assert {i.name for i in platform.driver.observe(APP) if i.routed} == {"web.1", "web.2", "web.3"}
    deploy(platform.driver, scaled(spec(platform.image), 0))
    assert get(platform) == (503, "no instance of this app is running\n")
    assert platform.driver.observe(APP) == ()


def test_unknown_host_is_404_and_forged_headers_are_overwritten(platform):
    deploy(platform.driver, spec(platform.image))
    assert get(platform, host="nobody.apps.localhost") == (404, "no such app\n")
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=10)
    forged = {"Host": HOST, "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"}
    connection.request("GET", "/headers", headers=forged)
    seen = connection.getresponse().read().decode().lower()
    connection.close()
    assert "x-forwarded-for: 127.0.0.1" in seen
    assert f"x-forwarded-host: {HOST}" in seen
    assert "6.6.6.6" not in seen
    assert "evil" not in seen


def test_steps_twice_do_nothing_more(platform):
    wanted = spec(platform.image)
    steps = plan(wanted, ())
    for step in steps:
        platform.driver.apply(APP, step)
        platform.driver.apply(APP, step)
    assert len(containers(platform)) == 1
    (only,) = platform.driver.observe(APP)
    platform.driver.apply(APP, Route((HOST,), ()))
    for step in (Drain((only.id,)), Stop(only.id, only.name)):
        platform.driver.apply(APP, step)
        platform.driver.apply(APP, step)
    assert containers(platform) == []


def test_start_of_a_container_that_was_only_created_starts_it(platform):
    step = start(spec(platform.image))
    platform.driver.apply(APP, step)
    (container,) = containers(platform)
    with platform.engine.door("stop") as api:
        api.kill(container)
        api.wait(container)
    assert not platform.driver.observe(APP)[0].running
    platform.driver.apply(APP, step)
    assert platform.driver.observe(APP)[0].running


def test_addresses_are_fixed_lowest_free_and_never_shared(platform):
    wanted = spec(platform.image, web(count=6))
    steps = [start(wanted, index=index) for index in range(1, 7)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda step: platform.driver.apply(APP, step), steps))
    hosts = sorted(int(i.address.split(":")[0].rsplit(".", 1)[1]) for i in platform.driver.observe(APP))
    assert hosts == [10, 11, 12, 13, 14, 15]
    second = next(i for i in platform.driver.observe(APP) if i.address.split(":")[0].endswith(".11"))
    platform.driver.apply(APP, Stop(second.id, second.name))
    platform.driver.apply(APP, start(wanted, index=7))
    assert next(i for i in platform.driver.observe(APP) if i.index == 7).address == second.address


def test_crash_before_healthy_fails_at_once_with_its_last_lines(platform):
    command = ("python3", "-c", "import sys; print('first'); sys.exit('cannot import name shop')")
    error = awaited(platform.driver, spec(platform.image, web(*command)))
    assert (error.reason, error.stage, error.facts["exit_code"]) == ("crashed", "health", 1)
    assert set(error.facts["lines"]) == {"first", "cannot import name shop"}
    assert error.facts["seconds"] < 3


def test_missing_program_says_so(platform):
    error = awaited(platform.driver, spec(platform.image, web("gunicorn", "app:app")))
    assert (error.reason, error.facts["exit_code"]) == ("crashed", 127)
    assert "not found in the image" in error.hint


def test_too_much_memory_before_healthy_is_told_apart(platform):
    error = awaited(platform.driver, spec(platform.image, web("python3", "-c", "x = bytearray(300 << 20)")))
    assert error.reason == "out_of_memory"
    assert "128 MiB" in error.message


def test_port_of_its_own_is_named(platform):
    check = HealthCheck(timeout=2)
    error = awaited(platform.driver, spec(platform.image, web(check=check), ADDRESS="127.0.0.1", OTHER_PORT="5000"))
    assert error.reason == "health_timeout"
    assert "it listens on 127.0.0.1:5000, not on 0.0.0.0:8080" in error.message
    assert "PORT" in error.hint
    assert error.facts["lines"] == ["listening 1"]


@pytest.mark.parametrize(
    ("status", "path", "is_healthy"), [("404", None, True), ("500", None, False), ("404", "/x", False)]
)
def test_status_decides_by_whether_the_path_was_named(platform, status, path, is_healthy):
    check = HealthCheck(path=path or "/", named=path is not None, timeout=2)
    wanted = spec(platform.image, web(check=check), STATUS=status)
    if is_healthy:
        deploy(platform.driver, wanted)
    else:
        assert f"answered {status}" in awaited(platform.driver, wanted).message


def test_app_that_accepts_and_never_answers_times_out(platform):
    code = "import socket,time; s=socket.create_server(('0.0.0.0',8080)); time.sleep(99)"
    error = awaited(platform.driver, spec(platform.image, web("python3", "-c", code, check=HealthCheck(timeout=2))))
    assert error.reason == "health_timeout"
    assert error.facts["seconds"] < 4


def test_port_check_and_up_check(platform):
    listening = web("python3", "-c", "import socket,time; s=socket.create_server(('',8080)); time.sleep(99)")
    wanted = spec(platform.image, web(*listening.command, check=HealthCheck("port")), worker("sleep", "99"))
    deploy(platform.driver, wanted)
    assert {i.name: i.routed for i in platform.driver.observe(APP)} == {"web.1": True, "worker.1": False}
    error = awaited(platform.driver, spec(platform.image, worker("sleep", "0.3"), number=2))
    assert (error.reason, error.facts["exit_code"]) == ("crashed", 0)


def test_engine_restarts_an_instance_only_once_it_was_healthy(platform):
    code = "import time,os\nprint('up',flush=True)\ntime.sleep(2)\nos._exit(3)"
    wanted = spec(platform.image, worker("python3", "-c", code))
    deploy(platform.driver, wanted)
    (only,) = platform.driver.observe(APP)
    wait_for(lambda: platform.driver.last_lines(only.id, 10) == ["up", "up"])
    assert platform.driver.observe(APP)[0].running


def test_failed_release_is_abandoned_and_the_old_one_serves(platform):
    deploy(platform.driver, spec(platform.image))
    bad = spec(platform.image, web("false"), number=2)
    with pytest.raises(DeployFailed):
        deploy(platform.driver, bad)
    assert get(platform) == (200, "1\n")
    for step in abandon(bad.release_id, platform.driver.observe(APP)):
        platform.driver.apply(APP, step)
    assert [i.release for i in platform.driver.observe(APP)] == [1]


def test_missing_image_is_named_and_a_silent_registry_is_worth_a_retry(platform):
    class Empty(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = (200, b"{}") if self.path == "/v2/" else (404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *parts):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as registry:
        threading.Thread(target=registry.serve_forever, daemon=True).start()
        image = f"127.0.0.1:{registry.server_port}/apps/none@sha256:{'0' * 64}"
        with pytest.raises(DeployFailed) as caught:
            platform.driver.apply(APP, start(spec(image)))
        registry.shutdown()
    assert caught.value.reason == "image_missing"
    with pytest.raises(Unavailable):
        platform.driver.apply(APP, start(spec(image)))


def test_stop_kills_what_ignores_sigterm_with_its_children(platform):
    code = (
        "import signal,subprocess,time\nsignal.signal(15,signal.SIG_IGN)\nsubprocess.Popen(['sleep','999'])\n" + FOREVER
    )
    deploy(platform.driver, spec(platform.image, worker("python3", "-c", code)))
    (only,) = platform.driver.observe(APP)
    began = time.monotonic()
    platform.driver.apply(APP, Stop(only.id, only.name))
    assert 1.5 < time.monotonic() - began < 6
    assert containers(platform) == []


def test_drain_waits_for_a_request_and_not_for_idle_connections(platform):
    deploy(platform.driver, spec(platform.image))
    idle = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=10)
    idle.request("GET", "/", headers={"Host": HOST})
    idle.getresponse().read()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(get, platform, "/slow/2")
        time.sleep(0.3)
        began = time.monotonic()
        deploy(platform.driver, spec(platform.image, number=2))
        assert slow.result() == (200, "1\n")
    assert time.monotonic() - began < 4.5
    idle.request("GET", "/", headers={"Host": HOST})
    assert idle.getresponse().read() == b"2\n"
    idle.close()


def test_tunnel_survives_a_change_of_another_app_and_ends_with_the_drain(platform):
    import socket

    deploy(platform.driver, spec(platform.image))
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as tunnel:
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
        head = f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}\r\n\r\n"
        tunnel.sendall(head.encode())
        assert b"101" in tunnel.recv(1000)
        deploy(platform.driver, spec(platform.image, app="b2"))  # a new app: the router reloads
        tunnel.sendall(b"still there")
        assert tunnel.recv(1000) == b"still there"
        began = time.monotonic()
        deploy(platform.driver, spec(platform.image, number=2))
        assert time.monotonic() - began > 4.5
        assert tunnel.recv(1000) == b""
    assert get(platform) == (200, "2\n")


def test_projects_cannot_reach_each_other_and_apps_of_one_can(platform):
    platform.driver.ensure_project(ProjectId("p2"), free_subnet(platform.engine))
    deploy(platform.driver, spec(platform.image))
    address = platform.driver.observe(APP)[0].address.split(":")[0]
    code = (
        f"import socket\ntry: socket.create_connection(('{address}',8080),3); print('open')\n"
        "except OSError as e: print('shut')"
    )

    def from_project(project):
        lines = []
        platform.driver.run(one_off(platform, "python3", "-c", code, project=project), lines.append)
        return lines

    assert from_project("p1") == ["open"]
    assert from_project("p2") == ["shut"]


def test_instances_are_confined(platform):
    deploy(platform.driver, spec(platform.image))
    (container,) = containers(platform)
    with platform.engine.door("inspect") as api:
        shown = api.inspect_container(container)
    host = shown["HostConfig"]
    assert shown["Config"]["User"] == "1001:0"
    assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], None, False)
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (128 << 20, 128 << 20, 64)
    assert not host["PortBindings"]
    assert not shown["Mounts"]
    assert not host["Binds"]
    assert (host["NetworkMode"] != "host", host["PidMode"], host["IpcMode"]) == (True, "", "private")
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert host["RestartPolicy"]["Name"] == "always"
    assert {"PORT=8080", "PAAS_INSTANCE=web.1", "DYNO=web.1", "PAAS_RELEASE=v1"} <= set(shown["Config"]["Env"])


def one_off(platform, *command, timeout=20, project="p1", run_id="run1", **env):
    return RunSpec(run_id, APP, ProjectId(project), "shop", "acme", platform.image, command, env, timeout)


def test_run_tells_every_line_and_the_exit_code(platform):
    lines = []
    code = "import sys\nfor n in range(5000): print(n)\nprint('no end of line', end='')\nsys.exit(7)"
    assert platform.driver.run(one_off(platform, "python3", "-c", code), lines.append) == 7
    assert lines == [*map(str, range(5000)), "no end of line"]
    assert containers(platform) == []


def test_run_that_takes_too_long_is_killed(platform):
    lines = []
    with pytest.raises(DeployFailed) as caught:
        platform.driver.run(one_off(platform, "sh", "-c", "echo begun; sleep 99", timeout=1), lines.append)
    assert (caught.value.reason, lines) == ("timeout", ["begun"])
    assert containers(platform) == []


class Reading:
    """A reader of the log stream in a thread."""

    def __init__(self, driver, since=None):
        self.lines = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(driver, since or {}))
        self._thread.start()

    def _read(self, driver, since):
        for line in driver.logs(since, self._stopped.is_set):
            self.lines.append(line)

    def stop(self):
        self._stopped.set()
        self._thread.join(5)
        assert not self._thread.is_alive()
        return self.lines


def printing(count, then="time.sleep(99)", text="n"):
    return ("python3", "-c", f"import time\nfor n in range({count}): print({text})\nprint('end', flush=True)\n{then}")


def test_logs_bring_every_line_once_of_instances_before_and_after(platform):
    deploy(platform.driver, spec(platform.image, worker(*printing(2000))))
    reading = Reading(platform.driver)
    wait_for(lambda: len(reading.lines) == 2001)
    deploy(platform.driver, spec(platform.image, worker(*printing(3000)), number=2))
    wait_for(lambda: len(reading.lines) == 2001 + 3001)
    lines = reading.stop()
    assert [x.text for x in lines] == [*map(str, range(2000)), "end", *map(str, range(3000)), "end"]
    assert {(x.app_id, x.instance) for x in lines} == {("a1", "worker.1")}
    assert {x.instance_id for x in lines} == {"a1-r1-worker-1", "a1-r2-worker-1"}


def test_logs_resume_after_the_last_stamp(platform):
    deploy(platform.driver, spec(platform.image, worker(*printing(1000))))
    first = list(islice(platform.driver.logs({}, lambda: False), 400))
    last = first[-1]
    reading = Reading(platform.driver, {last.instance_id: last.at})
    wait_for(lambda: len(reading.lines) == 601)
    assert [x.text for x in first + reading.stop()] == [*map(str, range(1000)), "end"]


def test_logs_finish_an_instance_that_dies_and_is_removed(platform):
    reading = Reading(platform.driver)
    time.sleep(0.5)
    for number in range(1, 4):
        step = start(spec(platform.image, worker(*printing(5000, then="")), number=number))
        platform.driver.apply(APP, step)
        with pytest.raises(DeployFailed):
            platform.driver.apply(APP, AwaitHealthy(step.instance_id, step.process, "worker.1"))
        platform.driver.apply(APP, Stop(step.instance_id, "worker.1"))
    wait_for(lambda: len(reading.lines) == 3 * 5001)
    reading.stop()


def test_logs_follow_an_instance_through_its_restarts(platform):
    code = "import time,os\nprint('up',flush=True)\ntime.sleep(1.5)\nprint('down',flush=True)\nos._exit(3)"
    reading = Reading(platform.driver)
    deploy(platform.driver, spec(platform.image, worker("python3", "-c", code)))
    wait_for(lambda: len(reading.lines) >= 6, 15)
    assert [x.text for x in reading.stop()][:6] == ["up", "down"] * 3


def test_logs_cut_long_lines_and_replace_what_is_not_text(platform):
    reading = Reading(platform.driver)
    long = "'x' * 100_000"
    deploy(platform.driver, spec(platform.image, worker(*printing(1, text=long))))
    code = "import os,time\nos.write(1, b'\\xff\\xfe ok\\n10%\\r20%\\r\\n'); time.sleep(99)"
    deploy(platform.driver, spec(platform.image, worker("python3", "-c", code), number=2))
    wait_for(lambda: len(reading.lines) == 4)
    texts = [x.text for x in reading.stop()]
    assert texts == ["x" * 16384 + " […]", "end", "\ufffd\ufffd ok", "20%"]


def test_destroy_leaves_nothing_of_the_app_and_all_of_others(platform):
    deploy(platform.driver, spec(platform.image, web(count=2), worker("sleep", "99")))
    deploy(platform.driver, spec(platform.image, app="b2"))
    assert (platform.driver.apps(), platform.driver.projects()) == ({APP, "b2"}, {PROJECT})
    platform.driver.destroy(APP)
    assert platform.driver.apps() == {"b2"}
    assert platform.driver.observe(APP) == ()
    assert get(platform) == (404, "no such app\n")
    assert get(platform, host="b2.apps.localhost") == (200, "1\n")
    with pytest.raises(Conflict):
        platform.router.route("c3", ["b2.apps.localhost"], {})
    platform.driver.destroy_project(PROJECT)
    assert containers(platform) == []
    assert platform.driver.projects() == frozenset()


def test_restored_routes_lead_to_what_was_healthy(platform, tmp_path):
    deploy(platform.driver, spec(platform.image, web(count=2)))
    platform.driver.apply(APP, start(spec(platform.image, number=2)))  # never became healthy
    (tmp_path / "router" / "routes.json").unlink()
    platform.driver.restore_routes([RouteSpec(APP, (HOST,)), RouteSpec(AppId("b2"), ("b2.apps.localhost",))])
    assert {i.id for i in platform.driver.observe(APP) if i.routed} == {"a1-r1-web-1", "a1-r1-web-2"}
    assert get(platform) == (200, "1\n")
    assert get(platform, host="b2.apps.localhost")[0] == 503


def test_removed_behind_our_back_is_seen_and_started_anew(platform):
    deploy(platform.driver, spec(platform.image))
    (container,) = containers(platform)
    subprocess.run(["docker", "rm", "-f", container], check=True, capture_output=True, timeout=30)
    assert platform.driver.observe(APP) == ()
    deploy(platform.driver, spec(platform.image))
    assert get(platform) == (200, "1\n")


def test_rolling_changes_lose_no_request(platform):
    """200 requests a second for 20 s, new and kept connections, uploads among them, while 5 releases follow."""
    deploy(platform.driver, spec(platform.image))
    load = Load(platform.port)
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(load.client, number) for number in range(8)]
        for number in range(2, 7):
            time.sleep(2)
            deploy(platform.driver, spec(platform.image, number=number, BOOT="0.3"))
        load.enough.set()
        for client in running:
            client.result()
    assert load.failed == []
    assert load.served > 1500
    assert load.versions == {"1", "2", "3", "4", "5", "6"}


class Load:
    """Clients that never retry."""

    def __init__(self, port):
        self.port = port
        self.enough = threading.Event()
        self.failed = []
        self.served = 0
        self.versions = set()

    def client(self, number):
        """25 requests a second: even clients keep their connection, odd ones open a new one each time."""
        deadline = time.monotonic() + 60
        kept = None
        turn = 0
        while not self.enough.is_set() and time.monotonic() < deadline:
            connection = kept or http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
            is_kept = self.request(connection, "POST" if turn % 5 == 0 else "GET") and number % 2 == 0
            if not is_kept:
                connection.close()
            kept = connection if is_kept else None
            turn += 1
            time.sleep(0.04)
        if kept:
            kept.close()

    def request(self, connection, method):
        try:
            connection.request(method, "/", body="up" if method == "POST" else None, headers={"Host": HOST})
            answer = connection.getresponse()
            body = answer.read().decode().strip()
            if answer.status != 200:
                self.failed.append((method, answer.status, body))
            self.served += 1
            if method == "GET":
                self.versions.add(body)
            return not answer.will_close
        except (OSError, http.client.HTTPException) as error:
            self.failed.append((method, repr(error)))
            return False
