"""Alembic's door: runs migrations on the URL that `paas.db.migrations.config` was given."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

from paas.db.models import Base

engine = create_engine(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        user_module_prefix="models.",
    )
    with context.begin_transaction():
        context.run_migrations()
