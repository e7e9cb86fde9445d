"""Who listens on a port, from the kernel's own tables."""

from __future__ import annotations

from pathlib import Path

from paas.ops import listeners, supervisor

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def proc(tmp_path: Path, *, state: str = "0A", port: str = "1D38") -> Path:
    (tmp_path / "net").mkdir()
    row = f"   0: 0100007F:{port} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 4242 1\n"
    (tmp_path / "net" / "tcp").write_text(HEAD + row)
    (tmp_path / "17" / "fd").mkdir(parents=True)
    (tmp_path / "17" / "fd" / "3").symlink_to("socket:[4242]")
    (tmp_path / "17" / "cmdline").write_bytes(b"nginx\0-g\0daemon off;\0")
    return tmp_path


def test_listener_is_named(tmp_path: Path) -> None:
    assert listeners.listener(7480, proc(tmp_path)) == (17, "nginx -g daemon off;")


def test_connection_is_no_listener(tmp_path: Path) -> None:
    assert listeners.listener(7480, proc(tmp_path, state="01")) == (0, "")


def test_other_port_is_free(tmp_path: Path) -> None:
    assert listeners.listener(7481, proc(tmp_path)) == (0, "")


def test_listener_of_another_user_is_one_all_the_same(tmp_path: Path) -> None:
    table = proc(tmp_path)
    (table / "17" / "fd" / "3").unlink()
    number, command = listeners.listener(7480, table)
    assert number == 0
    assert command


def test_only_what_changed_is_restarted() -> None:
    before = {"web": "1", "worker": "1", "gone": "1"}
    assert supervisor.changed(before, {"web": "2", "worker": "1", "new": "1"}) == ["web", "new"]
