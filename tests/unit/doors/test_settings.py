from __future__ import annotations

from pathlib import Path

import pytest

from paas import settings
from paas.errors import InvalidInput


def test_defaults_load_from_an_empty_environment() -> None:
    loaded = settings.load({})
    assert loaded.app_url("shop", "front") == "http://front-shop.apps.localhost:7480"
    assert loaded.database == "sqlite:////var/lib/paas/paas.db"


def test_variables_override_by_type() -> None:
    loaded = settings.load({"PAAS_PORT": "8000", "PAAS_STATE": "/srv/paas", "PAAS_DOMAIN": "example.org"})
    assert (loaded.port, loaded.state, loaded.domain) == (8000, Path("/srv/paas"), "example.org")
    assert loaded.broker == "redis+socket:///srv/paas/run/redis.sock"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PAAS_PORT", "x"), ("PAAS_PORT", "0"), ("PAAS_REGISTRY_PORT", "70000"), ("PAAS_NETWORK_POOL", "10.0.0.0/25")],
)  # fmt: skip
def test_bad_value_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        settings.load({name: value})
    assert caught.value.facts["field"] == name
