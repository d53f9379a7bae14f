"""One Slurm for all tests of this folder; without one they are skipped, with the reason in the last line."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))  # harness, small

from cluster_runs import toy  # noqa: E402
from daemons import NoSlurm  # noqa: E402
from slurm_cluster import Cluster  # noqa: E402

REASON = pytest.StashKey[str]()


def pytest_unconfigure(config):
    """Say in the very last line why nothing ran."""
    reason = config.stash.get(REASON, None)
    if reason:
        sys.stdout.write(f"SKIPPED the tests on a Slurm cluster: {reason}\n")


@pytest.fixture(scope="session")
def slurm(tmp_path_factory, request):
    """A cluster of three nodes; the tests are skipped where it does not come up."""
    cluster = Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
    try:
        cluster.start()
    except NoSlurm as reason:
        request.config.stash[REASON] = str(reason)
        pytest.skip(f"no Slurm: {reason}")
    yield cluster
    cluster.stop()


@pytest.fixture
def work(tmp_path, slurm):
    """An empty folder with the toy workflow."""
    return toy(tmp_path / "toy", slurm)


@pytest.fixture(scope="session")
def expected(tmp_path_factory):
    """Contents of all results of the toy after a run without Slurm, for more samples than any test has."""
    local = toy(tmp_path_factory.mktemp("local") / "toy", samples=6)
    local.run()
    return local.contents()
