from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

from paas.cli import options, processes, releases
from paas.errors import Conflict, InvalidInput
from tests.unit.cli.terminal import APP, URL, Terminal, event, problem, sse

SHOP = "/projects/team/apps/shop"
REMOTE = {"paas": f"{URL}/git/team/shop.git"}
AT = "2026-11-23T10:00:00.000Z"
ITEM = {"name": "K", "value": "a b", "updated_at": AT}
INSTANCE = {"name": "web.1", "process": "web", "index": 1, "release": "v3", "state": "running", "routed": True}
PROCESSES = {"formation": {"web": 1}, "items": [{**INSTANCE, "restarts": 0, "since": AT, "address": "10.0.0.2:8080"}]}
PLATFORM = {
    "version": "0.1.0",
    "state": "ok",
    "parts": [{"name": "database", "ok": True, "detail": ""}],
    "builds": {"queued": 0, "running": 1},
}
LAYER = {"name": "source", "digest": "sha256:" + "b" * 64, "size": 2048, "state": "new", "reason": "changed"}


def release(number: int, state: str = "live", **given: Any) -> dict[str, Any]:
    return {
        "version": f"v{number}", "number": number, "state": state, "trigger": "build", "description": "Deploy abc",
        "image": APP["image"], "build": 1, "commit": "c" * 40, "processes": {"web": {"command": ["x"], "count": 1}},
        "created_by": "ada", "created_at": AT, "finished_at": AT, "reason": "", "stage": "", "error": "", "hint": "",
        **given,
    }  # fmt: skip


def build(number: int, state: str = "succeeded", **given: Any) -> dict[str, Any]:
    return {
        "number": number, "state": state, "trigger": "push", "commit": "c" * 40, "ref": "refs/heads/main",
        "author": "Ada", "message": "First\n\nmore", "created_by": "ada", "created_at": AT, "started_at": AT,
        "finished_at": AT, "waiting": "", "image": APP["image"], "builder": "python", "reason": "", "stage": "",
        "ledger": [{**LAYER, "pushed": 2048}], "stages": {"fetch": 5}, "error": "", "hint": "", "release": "v3",
        **given,
    }  # fmt: skip


def shop(folder: Path, answers: dict[str, Any]) -> Terminal:
    """Standing in the app's work tree; the answers are those below the app's path."""
    return Terminal(folder, {key.replace(" ", f" {SHOP}", 1): answer for key, answer in answers.items()}, REMOTE)


READS: list[tuple[list[str], dict[str, Any], Any]] = [
    (["whoami"], {"GET /whoami": {"name": "ada", "is_admin": True, "token": None}}, None),
    (["apps", "list"], {"GET /apps": {"items": [APP]}}, [APP]),
    (["apps", "list", "-p", "team"], {"GET /projects/team/apps": {"items": [APP]}}, [APP]),
    (["apps", "info"], {f"GET {SHOP}": APP}, APP),
    (["apps", "info", "team/shop"], {f"GET {SHOP}": APP}, APP),
    (["builds", "list"], {f"GET {SHOP}/builds": {"items": [build(1)]}}, [build(1)]),
    (["builds", "info", "1"], {f"GET {SHOP}/builds/1": build(1)}, build(1)),
    (
        ["builds", "settings"],
        {f"GET {SHOP}/build-settings": {"settings": {"cpus": 0}, "changed": [], "maxima": {}}},
        {"settings": {"cpus": 0}, "changed": [], "maxima": {}},
    ),
    (["builds", "secrets", "list"], {f"GET {SHOP}/build-secrets": {"items": []}}, []),
    (["releases", "list"], {f"GET {SHOP}/releases": {"items": [release(3)]}}, [release(3)]),
    (["releases", "info", "v3"], {f"GET {SHOP}/releases/3": release(3)}, release(3)),
    (["ps"], {f"GET {SHOP}/processes": PROCESSES}, PROCESSES),
    (["config", "list"], {f"GET {SHOP}/config": {"items": [ITEM]}}, [ITEM]),
    (["config", "get", "K"], {f"GET {SHOP}/config": {"items": [ITEM]}}, ITEM),
    (["status", "--platform"], {"GET /status": PLATFORM}, None),
    (
        ["status"],
        {
            "GET /status": PLATFORM,
            f"GET {SHOP}": APP,
            f"GET {SHOP}/builds": {"items": [build(1)]},
            f"GET {SHOP}/processes": PROCESSES,
        },
        {"app": APP, "build": build(1), "instances": PROCESSES["items"], "platform": PLATFORM},
    ),
    (["projects", "list"], {"GET /projects": {"items": []}}, []),
    (
        ["projects", "info", "team"],
        {"GET /projects/team": {"name": "team", "role": "admin", "apps": 1, "created_at": AT}},
        None,
    ),
    (["access", "list"], {"GET /projects/team/members": {"items": [{"user": "ada", "role": "admin"}]}}, None),
    (
        ["users", "list"],
        {"GET /users": {"items": [{"name": "ada", "is_admin": True, "is_disabled": False, "created_at": AT}]}},
        None,
    ),
    (
        ["tokens", "list"],
        {
            "GET /tokens": {
                "items": [{"id": "1", "name": "ci", "created_at": AT, "expires_at": None, "last_used_at": None}]
            }
        },
        None,
    ),
    (["version"], {"GET /status": PLATFORM}, None),
]


@pytest.mark.parametrize(("arguments", "answers", "expected"), READS, ids=lambda value: str(value)[:30])
def test_read_prints_json_or_words(
    tmp_path: Path, capsys: Any, arguments: list[str], answers: dict[str, Any], expected: Any
) -> None:
    terminal = Terminal(tmp_path, answers, REMOTE)
    assert terminal.run(*arguments, "--json") == 0, capsys.readouterr().err
    printed = json.loads(capsys.readouterr().out)
    if expected is not None:
        assert printed == expected
    assert terminal.run(*arguments) == 0, capsys.readouterr().err
    words = capsys.readouterr()
    assert words.out.strip() or words.err.strip()
    assert "\x1b" not in words.out
    assert all(request.headers["Authorization"] == "Bearer paas_t" for request in terminal.seen)


def test_lists_are_readable_in_a_pipe(tmp_path: Path, capsys: Any) -> None:
    long = {**APP, "url": "http://" + "x" * 300}
    Terminal(tmp_path, {"GET /apps": {"items": [long]}}).run("apps", "list")
    heads, row = capsys.readouterr().out.splitlines()
    assert heads.split() == ["NAME", "PROJECT", "STATE", "RELEASE", "URL"]
    assert row.endswith("x" * 300)


def test_config_set_waits_for_its_release(tmp_path: Path, capsys: Any) -> None:
    told = [event(8, "-----> Deploying v4", "release/4"), event(9, "live", "release/4", "end")]
    terminal = shop(
        tmp_path,
        {
            "PATCH /config": {"release": release(4, "pending"), "items": []},
            "GET /events": lambda request: httpx.Response(200, text=sse(*told, done=True)),
            "GET /releases/4": release(4),
        },
    )
    assert terminal.run("config", "set", "K=a=b", "EMPTY=") == 0
    assert capsys.readouterr().out == "-----> Deploying v4\nv4 is live.\n"
    assert terminal.sent()[0] == ("PATCH", f"{SHOP}/config", {"set": {"K": "a=b", "EMPTY": ""}, "unset": []})
    assert dict(terminal.seen[1].url.params) == {
        "follow": "1", "source": "release/4", "until": "release/4", "after": "0"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["scale", "web=2"], {"PATCH /processes": release(4, "pending")}),
        (["config", "unset", "K"], {"PATCH /config": {"release": release(4, "pending"), "items": []}}),
        (["releases", "rollback", "v2"], {"POST /releases": release(4, "pending")}),
    ],
)
def test_failed_release_is_70_and_without_waiting_0(
    tmp_path: Path, capsys: Any, arguments: list[str], answer: dict[str, Any]
) -> None:
    failed = release(4, "failed", error="web.1 did not get healthy", reason="Unhealthy", stage="health", hint="Look.")
    story = sse(event(1, " !     web.1", "release/4"), event(2, "failed", "release/4", "end"), done=True)
    terminal = shop(tmp_path, {**answer, "GET /releases/4": failed, "GET /events": httpx.Response(200, text=story)})
    assert terminal.run(*arguments) == 70
    assert "Error: v4 failed: web.1 did not get healthy\nHint: Look." in capsys.readouterr().err
    assert terminal.run(*arguments, "--no-wait") == 0


def test_config_before_the_first_push_says_so(tmp_path: Path, capsys: Any) -> None:
    assert shop(tmp_path, {"PATCH /config": {"release": None, "items": []}}).run("config", "set", "K=V") == 0
    assert "first push" in capsys.readouterr().err


def test_rollback_goes_to_the_release_before(tmp_path: Path) -> None:
    items = [release(5, "failed"), release(4), release(3, "failed"), release(2, "superseded"), release(1, "superseded")]
    terminal = shop(tmp_path, {"GET /releases": {"items": items}, "POST /releases": release(6, "pending")})
    assert terminal.run("releases", "rollback", "--no-wait") == 0
    assert terminal.sent()[-1] == ("POST", f"{SHOP}/releases", {"rollback_to": 2})
    with pytest.raises(Conflict):
        releases.before(items[:3])
    with pytest.raises(Conflict):
        releases.before([])


@pytest.mark.parametrize("text", ["", "v", "x3", "v-1", "v1.0", "²"])
def test_parse_version_refuses(text: str) -> None:
    with pytest.raises(InvalidInput):
        releases.parse_version(text)


@pytest.mark.parametrize("texts", [("web",), ("=1",), ("web=",), ("web=-1",), ("web=x",), ("web=1", "web=2"), ("a=²",)])
def test_parse_counts_refuses(texts: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        processes.parse_counts(texts)


def test_parse_counts() -> None:
    assert processes.parse_counts(("web=2", "worker=0")) == {"web": 2, "worker": 0}


def test_logs_take_the_tail_and_filters(tmp_path: Path, capsys: Any) -> None:
    told = [event(1, "one"), event(2, "two \x1b[2J")]
    terminal = shop(tmp_path, {"GET /events": {"items": told, "next": 2}})
    assert terminal.run("logs", "team/shop", "-n", "20", "--process", "web") == 0
    assert capsys.readouterr().out.splitlines()[1] == "2026-11-23T10:00:00Z app[web.1]: two"
    assert dict(terminal.seen[0].url.params) == {"tail": "20", "source": "app/web"}
    assert terminal.run("logs", "--json") == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == told
    assert terminal.run("logs", "--process", "web", "--source", "build") == 2


def test_logs_of_nothing_past_begin_at_the_present_end(tmp_path: Path, capsys: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "follow" in request.url.params:
            return httpx.Response(200, text=sse(event(42, "new"), done=True))
        return httpx.Response(200, json={"items": [event(41, "old")], "next": 41})

    terminal = shop(tmp_path, {"GET /events": answer})
    assert terminal.run("logs", "-f", "-n", "0") == 0
    assert "new" in capsys.readouterr().out
    assert terminal.seen[-1].url.params["after"] == "41"


def test_build_logs_follow_to_exit_50_of_a_failed_build(tmp_path: Path, capsys: Any) -> None:
    story = sse(event(1, "-----> Python", "build/2"), event(2, "failed", "build/2", "end"), done=True)
    failed = build(2, "failed", error="no Procfile", reason="NoProcess", stage="detect", hint="Add one.", release=None)
    answers = {"GET /builds": {"items": [failed]}, "GET /builds/2": failed}
    terminal = shop(tmp_path, {**answers, "GET /events": httpx.Response(200, text=story)})
    assert terminal.run("builds", "logs", "-f") == 50
    told = capsys.readouterr()
    assert told.out == "-----> Python\n"
    assert told.err == "Error: build 2 failed: no Procfile\nHint: Add one.\n"


def test_build_logs_page_through_a_long_story(tmp_path: Path, capsys: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params["after"])
        items = [event(n, f"line {n}", "build/1") for n in range(after + 1, min(after + 1000, 1500) + 1)]
        return httpx.Response(200, json={"items": items, "next": items[-1]["number"]})

    terminal = shop(tmp_path, {"GET /events": answer, "GET /builds/1": build(1, "failed")})
    assert terminal.run("builds", "logs", "1") == 0
    assert capsys.readouterr().out.splitlines() == [f"line {n}" for n in range(1, 1501)]


def test_builds_start_follows_build_and_release(tmp_path: Path, capsys: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        source = request.url.params["until"]
        return httpx.Response(200, text=sse(event(1, source, source), done=True))

    answers = {"POST /builds": build(7, "queued"), "GET /builds/7": build(7), "GET /releases/3": release(3)}
    answers |= {"GET /events": answer, "POST /builds/2/retry": build(7, "queued")}
    terminal = Terminal(tmp_path, {f"GET {SHOP}": APP, **shop(tmp_path, answers).answers}, REMOTE)
    told = f"build/7\nrelease/3\nv3 is live.\n=====> {APP['url']} deployed to paas (v3)\n"
    assert terminal.run("builds", "start", "--from-build", "2", "--no-cache") == 0
    assert capsys.readouterr().out == told
    assert terminal.sent()[0] == ("POST", f"{SHOP}/builds", {"from_build": 2, "no_cache": True})
    assert terminal.run("builds", "retry", "2") == 0
    assert capsys.readouterr().out == told
    assert terminal.run("deploy", "--image", "nginx", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"build": build(7), "release": release(3), "url": APP["url"]}
    assert shown.err == "build/7\nrelease/3\nv3 is live.\n"


def test_deploy_of_a_folder_sends_it_without_git_and_builds_it(tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "app"
    for name, text in {"a.txt": "one", "sub/b.sh": "x" * 5000, ".git/config": "secret", ".env": "E=1"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "sub/b.sh").chmod(0o755)
    (folder / "link").symlink_to("a.txt")
    waits = build(7, "queued", waiting="queued behind build 6 of this app")
    terminal = shop(tmp_path, {"POST /sources": {"digest": "sha256:1"}, "POST /builds": waits})
    assert terminal.run("deploy", "--from-dir", str(folder), "-m", "why", "--no-wait") == 0
    sent = terminal.seen[0]
    assert sent.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(sent.content)) as tar:
        found = {m.name: (m.type, m.mode & 0o777) for m in tar}
        assert tar.extractfile("sub/b.sh").read() == b"x" * 5000  # type: ignore[union-attr]
    assert found.keys() == {"a.txt", "sub", "sub/b.sh", "link", ".env"}
    assert found["sub/b.sh"] == (tarfile.REGTYPE, 0o755)
    assert found["link"][0] == tarfile.SYMTYPE
    assert json.loads(terminal.seen[1].content) == {"message": "why", "no_cache": False, "source": "sha256:1"}
    assert capsys.readouterr().out == "Build 7 is queued: queued behind build 6 of this app.\n"


@pytest.mark.parametrize("words", [[], ["--image", "a", "--from-git", "b"]])
def test_deploy_wants_one_source(tmp_path: Path, capsys: Any, words: list[str]) -> None:
    assert shop(tmp_path, {}).run("deploy", *words) == 2
    assert "one of --from-dir, --from-git and --image" in capsys.readouterr().err


def test_build_settings_and_secrets(tmp_path: Path, capsys: Any) -> None:
    settings = {"strategy": "auto", "timeout": 0, "build_args": {"A": "1"}, "test_command": ["sh", "-c"]}
    found = {"settings": settings, "changed": ["build_args"], "maxima": {"timeout": 7200}}
    (tmp_path / "t").write_text("token\n")
    terminal = shop(
        tmp_path,
        {"GET /build-settings": found, "PATCH /build-settings": found, "PATCH /build-secrets": {"items": []}},
    )
    assert terminal.run("builds", "settings") == 0
    shown = capsys.readouterr().out
    assert "A=1" in shown
    assert "(default)" in shown
    assert terminal.run("builds", "settings", "build_args.A=1", "--unset", "timeout") == 0
    assert terminal.sent()[-1][2] == {"set": {"build_args.A": "1"}, "unset": ["timeout"]}
    assert terminal.run("builds", "secrets", "set", f"T=@{tmp_path / 't'}", "U=word") == 0
    assert terminal.sent()[-1][2] == {"set": {"T": "token\n", "U": "word"}, "unset": []}
    assert terminal.run("apps", "update", "--strategy", "dockerfile", "--context-dir", "web") == 3  # no app answers
    assert terminal.sent()[-2][2] == {"set": {"strategy": "dockerfile", "context_dir": "web"}, "unset": []}


@pytest.mark.parametrize(
    ("lines", "code", "out"),
    [
        (['{"line":"a"}', "{}", '{"line":"b"}', '{"exit":3}'], 3, "a\nb\n"),
        (['{"exit":0}'], 0, ""),
        (['{"line":"a"}'], 75, "a\n"),
        (['{"line":"a"}', '{"exit":75,"problem":{"title":"unavailable","status":503,"detail":"x"}}'], 75, "a\n"),
        (['{"exit":4,"problem":{"title":"conflict","status":409,"detail":"x"}}'], 4, ""),
    ],
)
def test_run_streams_and_exits_as_the_process(
    tmp_path: Path, capsys: Any, lines: list[str], code: int, out: str
) -> None:
    terminal = shop(tmp_path, {"POST /runs": httpx.Response(200, text="\n".join(lines) + "\n")})
    assert terminal.run("run", "--", "python", "-c", "x", "--app", "y") == code
    assert capsys.readouterr().out == out
    assert terminal.sent()[0][2] == {"command": ["python", "-c", "x", "--app", "y"]}


def test_run_takes_its_options_before_the_command(tmp_path: Path) -> None:
    terminal = shop(tmp_path, {"POST /runs": httpx.Response(200, text='{"exit":0}\n')})
    assert terminal.run("run", "--app", "shop", "--project", "team", "ls", "-a") == 0
    assert terminal.sent()[0][2] == {"command": ["ls", "-a"]}


def test_delete_without_a_terminal_needs_yes(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("shop\n"))
    terminal = Terminal(tmp_path, {"DELETE /projects/team": httpx.Response(204)})
    assert terminal.run("projects", "delete", "team") == 2
    assert "--yes" in capsys.readouterr().err
    assert terminal.seen == []
    assert terminal.run("projects", "delete", "team", "--yes") == 0


@pytest.mark.parametrize(("typed", "is_sure"), [("shop", True), ("Shop", False), ("", False)])
def test_confirm_wants_the_name(monkeypatch: pytest.MonkeyPatch, typed: str, is_sure: bool) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Keyboard(f"{typed}\n"))
    if is_sure:
        options.confirm("the app", "shop", is_sure=False)
        return
    with pytest.raises(InvalidInput, match="nothing was removed"):
        options.confirm("the app", "shop", is_sure=False)


def test_secrets_that_are_shown_once_are_alone_on_stdout(tmp_path: Path, capsys: Any) -> None:
    made = {"id": "1", "name": "ci", "token": "paas_x", "created_at": AT, "expires_at": None}
    terminal = Terminal(tmp_path, {"POST /tokens": made, "POST /users": {"name": "eve", "password": "generated"}})
    assert terminal.run("tokens", "create", "ci", "--days", "9") == 0
    assert capsys.readouterr().out == "paas_x\n"
    assert terminal.run("users", "create", "eve") == 0
    assert capsys.readouterr().out == "generated\n"
    assert [body for _, _, body in terminal.sent()] == [
        {"name": "ci", "expires_in_days": 9},
        {"name": "eve", "is_admin": False},
    ]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["access", "grant", "eve", "edit"], ("PUT", "/projects/team/members/eve", {"role": "edit"})),
        (["access", "revoke", "eve"], ("DELETE", "/projects/team/members/eve", None)),
        (["users", "disable", "eve"], ("PATCH", "/users/eve", {"is_disabled": True})),
        (["users", "enable", "eve"], ("PATCH", "/users/eve", {"is_disabled": False})),
        (["tokens", "revoke", "a/b"], ("DELETE", "/tokens/a/b", None)),
        (["projects", "create", "b"], ("POST", "/projects", {"name": "b"})),
        (["builds", "cancel", "4"], ("POST", f"{SHOP}/builds/4/cancel", None)),
        (["apps", "update", "--builder", "static"], ("PATCH", SHOP, {"builder": "static"})),
    ],
)
def test_write_sends(tmp_path: Path, arguments: list[str], sent: tuple[str, str, Any]) -> None:
    method, path, _ = sent
    answer = {"name": "b", "builder": "static", "deploy_branch": "main", "number": 4, "state": "cancelled"}
    terminal = Terminal(tmp_path, {f"{method} {path}": answer}, REMOTE)
    assert terminal.run(*arguments) == 0
    assert terminal.sent() == [sent]


def test_completion_of_names_is_empty_where_the_platform_is_not_there(tmp_path: Path) -> None:
    found = {"items": [APP, {**APP, "name": "other"}]}
    for answer, names in ((found, ["shop"]), (problem(503, "unavailable", "x"), []), ({"odd": 1}, [])):
        session = Terminal(tmp_path, {"GET /apps": answer}).session()
        context = click.Context(click.Command("x"), obj=session)
        assert [item.value for item in options.complete_app(context, click.Option(["--app"]), "s")] == names


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(tmp_path: Path, capsys: Any, shell: str) -> None:
    assert Terminal(tmp_path).run("completion", shell) == 0
    assert "_PAASCTL_COMPLETE" in capsys.readouterr().out


def test_open_without_a_browser_prints_the_address(tmp_path: Path, capsys: Any) -> None:
    assert shop(tmp_path, {"GET ": APP}).run("open") == 0
    assert capsys.readouterr().out == APP["url"] + "\n"


def test_open_check_asks_the_app_without_the_token(tmp_path: Path, capsys: Any) -> None:
    terminal = Terminal(tmp_path, {f"GET {SHOP}": APP, "GET /": httpx.Response(200)}, REMOTE)
    assert terminal.run("open", "--check") == 0
    assert "Authorization" not in terminal.seen[-1].headers
    assert terminal.seen[-1].url.host == "shop-team.apps.localhost"
    terminal.answers = {**terminal.answers, "GET /": httpx.Response(503)}
    assert terminal.run("open", "--check") == 75
