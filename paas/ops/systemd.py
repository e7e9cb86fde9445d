"""systemd, where the machine has it: the unit that brings the platform back after a reboot."""

from __future__ import annotations

from pathlib import Path

from paas import programs
from paas.bootstrap import installation
from paas.errors import Unavailable
from paas.ops import environment, render
from paas.settings import Settings

RUNS = Path("/run/systemd/system")
UNITS = Path("/etc/systemd/system")
_SECONDS = 90.0


def is_here() -> bool:
    """Did systemd boot this machine?"""
    return RUNS.is_dir()


def unit(settings: Settings) -> str:
    """`paas.service` for the usual state folder; others have the installation in the name."""
    usual = settings.state == type(settings)().state
    return "paas.service" if usual else f"paas-{installation(settings)}.service"


def start(settings: Settings) -> None:
    """Install the unit and start it, now and at each boot. Raises Unavailable."""
    (UNITS / unit(settings)).write_text(render.systemd_unit(settings, environment.BIN / "paas"))
    control("daemon-reload")
    control("enable", "--quiet", "--now", unit(settings))


def stop(settings: Settings) -> None:
    """Stop it, now and for the next boot: what was taken down stays down."""
    if (UNITS / unit(settings)).exists():
        control("disable", "--quiet", "--now", unit(settings))


def remove(settings: Settings) -> None:
    path = UNITS / unit(settings)
    if path.exists():
        stop(settings)
        path.unlink()
        control("daemon-reload")


def control(*arguments: str) -> None:
    """One systemctl command. Raises Unavailable."""
    done = programs.run(["systemctl", *arguments], cwd=Path("/"), timeout=_SECONDS)
    if done.code:
        said = done.stderr.decode("utf-8", "replace").strip()[:300]
        raise Unavailable(f"systemctl {' '.join(arguments)} failed: {said}", hint="See `journalctl -xe`.")
