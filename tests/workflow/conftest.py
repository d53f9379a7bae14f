"""Fixtures of the workflow tests: one frozen copy of the checkout, one prepared results tree.

Workers of pytest-xdist share both: whoever comes first makes them, the others wait.
"""

import contextlib
import fcntl
import os

import harness
import pytest
import small
import small_mirror
import small_pack
from walk import Walk


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """Folder of everything that the workflow tests share, whatever worker they run in."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "workflow"
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def once(folder, name):
    """Yield whether `name` is still to be made; nobody else makes it meanwhile."""
    done = folder / f".{name}-done"
    with open(folder / f".{name}-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()


@pytest.fixture(scope="session")
def repository(place):
    """Copy of the checkout that stands still."""
    with once(place, "repository") as missing:
        if missing:
            harness.copy_repository(place / "repository")
    return place / "repository"


@pytest.fixture(scope="session")
def environment(place):
    """Variables of every run: weights come from a mirror, never from the network."""
    with once(place, "mirror") as missing:
        if missing:
            small_mirror.write_mirror(place / "mirror")
    return {"SEMCORR_MIRROR": str(place / "mirror")}


@pytest.fixture(scope="session")
def server(tmp_path_factory, place, repository, environment):
    """Dry runs of the copy."""
    variables = harness.Work(place, repository, environment).variables()
    runs = harness.DryRuns(tmp_path_factory.mktemp("answers"), variables)
    yield runs
    runs.close()


@pytest.fixture(scope="session")
def prepared(place, repository, environment, server):
    """A work folder in which everything of the small configuration is done: never change it."""
    work = harness.Work(place / "prepared", repository, environment, server)
    with once(place, "prepared") as missing:
        if missing:
            small_pack.write_pack(work.folder / "pack")
            work.write_config(small.config())
            work.run(*small.TARGETS)
    return work


@pytest.fixture(scope="session")
def before(prepared):
    """What should be there after the prepared run."""
    return Walk(small.CONFIG, prepared.folder).everything()
