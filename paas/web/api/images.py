"""An app's images and their tags."""

from __future__ import annotations

from paas.actions import images
from paas.actions.images import ImageInfo
from paas.web.fields import AppPath, Given, Name
from paas.web.routes import Call, Noun

noun = Noun("images")


class TagPath(AppPath):
    tag: Name


class TagWanted(Given):
    release: Name


@noun.route("GET", "/projects/<project>/apps/<app>/images")
def list_images(call: Call, path: AppPath) -> list[ImageInfo]:
    """The images that releases and tags name."""
    return images.list_all(call.platform, call.actor, path.project, path.app)


@noun.route("PUT", "/projects/<project>/apps/<app>/images/tags/<tag>")
def tag_image(call: Call, path: TagPath, body: TagWanted) -> ImageInfo:
    """Name a release's image: garbage collection keeps it."""
    return images.tag(call.platform, call.actor, path.project, path.app, path.tag, body.release)


@noun.route("DELETE", "/projects/<project>/apps/<app>/images/tags/<tag>")
def untag_image(call: Call, path: TagPath) -> None:
    """Take the name away."""
    images.untag(call.platform, call.actor, path.project, path.app, path.tag)
