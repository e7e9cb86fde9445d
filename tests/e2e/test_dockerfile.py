"""An app that brings its own Dockerfile, as its user pushes it."""

from __future__ import annotations

from tests.e2e.person import Person, write
from tests.e2e.sources import COUNTER

DOCKERFILE = """\
FROM paas/python-run
USER root
WORKDIR /srv
COPY needs.txt .
RUN id -u > made && cp needs.txt installed
COPY app.py .
USER nobody
CMD ["python3", "app.py"]
"""


def test_dockerfile_goes_live_and_a_change_runs_nothing(ada: Person) -> None:
    folder = ada.repository("ship", {"Dockerfile": DOCKERFILE, "app.py": COUNTER, "needs.txt": "1\n"})
    ada.paasctl("apps", "create", "ship", "--project", "shop", cwd=folder)
    said = ada.push(folder)
    assert "strategy dockerfile" in said
    assert "-----> RUN id -u > made" in said
    url = ada.read("apps", "info", cwd=folder)["url"]
    assert ada.get(url)[1].strip() == "one"

    write(folder, {"app.py": COUNTER.replace('"one"', '"two"')})
    ada.commit(folder)
    said = ada.push(folder)
    assert "kept: RUN id -u > made" in said
    assert ada.get(url)[1].strip() == "two"
    info = ada.read("builds", "info", "2", cwd=folder)
    assert info["strategy"] == "dockerfile"
    assert info["ledger"][0]["state"] == "reused"
    assert info["ledger"][1]["pushed"] < 4096
