"""An app's images, and tags that keep one from garbage collection."""

from __future__ import annotations

import click

from paas.cli import addresses, options, output
from paas.cli.client import AppApi


@click.group()
def images() -> None:
    """List an app's images, and tag those that must stay."""


@images.command("list")
@options.takes_app()
@options.as_json
def list_(app: AppApi, as_json: bool) -> None:
    """List the images that releases and tags name, newest first."""
    items = app.get("/images")["items"]
    if as_json:
        output.as_json(items)
        return
    rows = [
        (
            output.short(item["image"]),
            ", ".join(item["releases"]),
            ", ".join(item["tags"]),
            output.ago(item["created_at"]),
        )
        for item in items
    ]
    output.table(("IMAGE", "RELEASES", "TAGS", "WHEN"), rows, "No images: git push paas main")


@images.command()
@click.argument("name")
@click.argument("release", metavar="RELEASE")
@options.takes_app()
def tag(app: AppApi, name: str, release: str) -> None:
    """Name the image of RELEASE (v3): garbage collection keeps it as long as it has a name."""
    done = app.send("PUT", f"/images/tags/{addresses.segment(name)}", {"release": release})
    click.echo(f"{output.short(done['image'])} is tagged {', '.join(done['tags'])}.")


@images.command()
@click.argument("name")
@options.takes_app()
def untag(app: AppApi, name: str) -> None:
    """Take a name away; the image stays as long as something else needs it."""
    app.send("DELETE", f"/images/tags/{addresses.segment(name)}")
    click.echo(f"The tag {name} is gone.")
