"""Fixtures of the workflow tests: one frozen copy of the checkout, one prepared results tree."""

import harness
import pytest
import small
from walk import Walk


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """Folder of everything that the workflow tests share."""
    return tmp_path_factory.mktemp("workflow")


@pytest.fixture(scope="session")
def repository(place):
    """Copy of the checkout that stands still."""
    return harness.copy_repository(place / "repository")


@pytest.fixture(scope="session")
def environment(place):
    """Variables of every run: weights come from a mirror, never from the network."""
    return {"SEMCORR_MIRROR": str(small.write_mirror(place / "mirror"))}


@pytest.fixture(scope="session")
def server(place, repository, environment):
    """Dry runs of the copy."""
    variables = harness.Work(place, repository, environment).variables()
    runs = harness.DryRuns(place / "answers", variables)
    yield runs
    runs.close()


@pytest.fixture(scope="session")
def prepared(place, repository, environment, server):
    """A work folder in which everything of the small configuration is done: never change it."""
    work = harness.Work(place / "prepared", repository, environment, server)
    small.write_pack(work.folder / "pack")
    work.write_config(small.config())
    work.run(*small.TARGETS)
    return work


@pytest.fixture(scope="session")
def before(prepared):
    """What should be there after the prepared run."""
    return Walk(small.CONFIG, prepared.folder).everything()
