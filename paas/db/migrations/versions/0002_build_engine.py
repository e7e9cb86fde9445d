"""build engine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from paas.db import models

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rebases",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=32), nullable=True),
        sa.Column("created_at", models.UtcTime(), nullable=False),
        sa.Column("finished_at", models.UtcTime(), nullable=True),
        sa.Column("lease_until", models.UtcTime(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", models.UtcTime(), nullable=True),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("stage", sa.String(length=40), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_rebases_created_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rebases")),
        sa.UniqueConstraint("number", name=op.f("uq_rebases_number")),
    )
    op.create_table(
        "build_secrets",
        sa.Column("app_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", models.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_build_secrets_app_id_apps"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("app_id", "name", name=op.f("pk_build_secrets")),
    )
    op.create_table(
        "image_tags",
        sa.Column("app_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("image", sa.String(length=80), nullable=False),
        sa.Column("created_by", sa.String(length=32), nullable=True),
        sa.Column("created_at", models.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_image_tags_app_id_apps"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_image_tags_created_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("app_id", "name", name=op.f("pk_image_tags")),
    )
    op.create_table(
        "rebase_apps",
        sa.Column("rebase_id", sa.String(length=32), nullable=False),
        sa.Column("app_id", sa.String(length=32), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("release_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_rebase_apps_app_id_apps"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["rebase_id"], ["rebases.id"], name=op.f("fk_rebase_apps_rebase_id_rebases"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["releases.id"], name=op.f("fk_rebase_apps_release_id_releases"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("rebase_id", "app_id", name=op.f("pk_rebase_apps")),
    )
    with op.batch_alter_table("apps", schema=None) as batch_op:
        batch_op.alter_column("builder", existing_type=sa.String(length=40), type_=sa.String(length=300))
        batch_op.add_column(sa.Column("build_settings", sa.JSON(), server_default="{}", nullable=False))

    with op.batch_alter_table("builds", schema=None) as batch_op:
        batch_op.alter_column("builder", existing_type=sa.String(length=40), type_=sa.String(length=300))
        batch_op.add_column(sa.Column("trigger_message", sa.String(length=300), server_default="", nullable=False))
        batch_op.add_column(sa.Column("source_kind", sa.String(length=12), server_default="push", nullable=False))
        batch_op.add_column(sa.Column("source_location", sa.String(length=500), server_default="", nullable=False))
        batch_op.add_column(sa.Column("strategy", sa.String(length=12), server_default="", nullable=False))
        batch_op.add_column(sa.Column("settings", sa.JSON(), server_default="{}", nullable=False))
        batch_op.add_column(sa.Column("no_cache", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("facts", sa.JSON(), server_default="{}", nullable=False))
        batch_op.add_column(sa.Column("not_before", models.UtcTime(), nullable=True))

    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.add_column(sa.Column("build_limit", sa.Integer(), server_default="0", nullable=False))

    with op.batch_alter_table("releases", schema=None) as batch_op:
        batch_op.add_column(sa.Column("not_before", models.UtcTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("releases", schema=None) as batch_op:
        batch_op.drop_column("not_before")

    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.drop_column("build_limit")

    with op.batch_alter_table("builds", schema=None) as batch_op:
        batch_op.drop_column("not_before")
        batch_op.drop_column("facts")
        batch_op.drop_column("no_cache")
        batch_op.drop_column("settings")
        batch_op.drop_column("strategy")
        batch_op.drop_column("source_location")
        batch_op.drop_column("source_kind")
        batch_op.drop_column("trigger_message")
        batch_op.alter_column("builder", existing_type=sa.String(length=300), type_=sa.String(length=40))

    with op.batch_alter_table("apps", schema=None) as batch_op:
        batch_op.drop_column("build_settings")
        batch_op.alter_column("builder", existing_type=sa.String(length=300), type_=sa.String(length=40))

    op.drop_table("rebase_apps")
    op.drop_table("image_tags")
    op.drop_table("build_secrets")
    op.drop_table("rebases")
