"""Migrations of the database, by Alembic: `upgrade` brings any older schema to the newest."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config


def config(url: str) -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["url"] = url
    return made


def upgrade(url: str) -> None:
    """To the newest schema; nothing to do is fine."""
    command.upgrade(config(url), "head")
