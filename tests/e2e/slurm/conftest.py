"""A Slurm for each module of this folder; without one its tests are skipped, and the last lines say why."""

import contextlib
import sys
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))  # harness, small

from chair_checkout import checkouts  # noqa: E402
from cluster_runs import toy  # noqa: E402
from daemons import NoSlurm, processes_of  # noqa: E402
from slurm_cluster import Cluster  # noqa: E402

REASONS = pytest.StashKey[dict[str, str]]()


def pytest_configure(config):
    config.stash[REASONS] = {}


def pytest_unconfigure(config):
    """Say in the very last lines why nothing ran."""
    for what, reason in config.stash.get(REASONS, {}).items():
        sys.stdout.write(f"SKIPPED the tests on a Slurm cluster{what}: {reason}\n")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory, request):
    """A cluster of three nodes, with accounting for modules that say `ACCOUNTING = True`.

    The tests are skipped where it does not come up. There is one at a time: it owns /etc/slurm.
    """
    accounting = getattr(request.module, "ACCOUNTING", False)
    cluster = Cluster(tmp_path_factory.mktemp("slurm") / "cluster", accounting)
    try:
        cluster.start()
    except NoSlurm as reason:
        request.config.stash[REASONS][" with accounting" if accounting else ""] = str(reason)
        pytest.skip(f"no Slurm: {reason}")
    yield cluster
    cluster.stop()
    assert cluster.left() == []


@pytest.fixture
def work(tmp_path, slurm):
    """An empty folder with the toy workflow; what a failed node leaves running of it is ended."""
    yield toy(tmp_path / "toy", slurm)
    for process in processes_of(tmp_path):
        with contextlib.suppress(psutil.Error):
            process.kill()


@pytest.fixture(scope="session")
def expected_toy(tmp_path_factory):
    """Contents of all results of the toy after a run without Slurm, for more samples than any test has."""
    local = toy(tmp_path_factory.mktemp("local") / "toy", samples=6)
    local.run()
    return local.contents()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Make a checkout with a small chair: for a cluster, or for this machine alone."""
    return checkouts(tmp_path_factory.mktemp)
