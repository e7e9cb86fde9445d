"""Source to release without `git push`: a folder, a public repository, or an image as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from paas.cli import builds, folders, options
from paas.cli.client import AppApi
from paas.errors import InvalidInput


@click.command()
@click.option(
    "--from-dir", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A folder's files."
)
@click.option("--from-git", metavar="URL[#REF]", default="", help="A public repository; REF: branch, tag or commit.")
@click.option("--image", metavar="REF", default="", help="An image from a registry, as it is.")
@click.option("--message", "-m", default="", metavar="TEXT", help="Why, for the build's history.")
@options.no_cache
@options.takes_app()
@options.no_wait
@options.as_json
def deploy(app: AppApi, from_dir: Path | None, from_git: str, image: str, message: str, **how: bool) -> None:
    """Build and release a folder, a repository or an image.

    \b
    paasctl deploy --from-dir . --app shop
    paasctl deploy --from-git https://forge.example.org/team/shop.git#main
    paasctl deploy --image docker.io/library/nginx:1.27
    """
    given = {"from-dir": from_dir, "from-git": from_git, "image": image}
    if sum(map(bool, given.values())) != 1:
        raise InvalidInput("give one of --from-dir, --from-git and --image", field="from-dir", hint="See --help.")
    body: dict[str, Any] = {"message": message, "no_cache": how["no_cache"]}
    if from_dir:
        click.echo(f"Sending {from_dir} ...", err=True)
        body["source"] = app.upload("/sources", folders.stream(from_dir), "application/x-tar")["digest"]
    body |= {"git": from_git} if from_git else {"image": image} if image else {}
    builds.follow(app, app.send("POST", "/builds", body), no_wait=how["no_wait"], as_json=how["as_json"])
