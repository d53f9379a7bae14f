"""Who may have /etc/slurm: a cluster of tests takes it where it is free or left over, and nowhere else."""

import os
import subprocess
import sys

import pytest
import slurm_cluster
from daemons import NoSlurm
from slurm_cluster import OWNER, TEMPLATES, Cluster

NAMES = sorted(template.name for template in TEMPLATES.iterdir())


@pytest.fixture
def etc(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_cluster, "ETC", tmp_path / "etc")
    return tmp_path / "etc"


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path / "cluster")


def links_of(folder):
    return {link.name: os.readlink(link) for link in folder.iterdir()}


def other_cluster(etc, root, owner):
    """Write the links of another cluster whose tests are the process `owner`."""
    root.mkdir()
    (root / OWNER).write_text(str(owner))
    etc.mkdir()
    for name in NAMES:
        (root / name).touch()
        (etc / name).symlink_to(root / name)
    return links_of(etc)


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_free_place_is_taken_and_given_back(etc, cluster):
    cluster._claim()
    assert links_of(etc) == {name: str(cluster.root / name) for name in NAMES}
    assert cluster.left() == [str(etc / template.name) for template in TEMPLATES.iterdir()]
    cluster.stop()
    assert links_of(etc) == {}
    assert cluster.left() == []


def test_what_killed_tests_left_is_replaced(etc, cluster, tmp_path):
    other_cluster(etc, tmp_path / "other", ended_process())
    cluster._claim()
    assert set(links_of(etc).values()) == {str(cluster.root / name) for name in NAMES}


def test_links_into_a_folder_that_is_gone_are_replaced(etc, cluster, tmp_path):
    etc.mkdir()
    (etc / NAMES[0]).symlink_to(tmp_path / "gone" / NAMES[0])
    cluster._claim()
    assert len(links_of(etc)) == len(NAMES)


def test_a_cluster_of_tests_under_way_keeps_it(etc, cluster, tmp_path):
    before = other_cluster(etc, tmp_path / "other", os.getpid())
    with pytest.raises(NoSlurm, match="belongs to a cluster"):
        cluster._claim()
    cluster.stop()
    assert links_of(etc) == before


@pytest.mark.parametrize("link", [False, True], ids=["file", "link"])
def test_a_configuration_of_the_machine_is_left_alone(link, etc, cluster, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "slurm.conf").write_text("ClusterName=site\n")
    etc.mkdir()
    if link:
        (etc / "slurm.conf").symlink_to(site / "slurm.conf")
    else:
        (etc / "slurm.conf").write_text("ClusterName=site\n")
    with pytest.raises(NoSlurm, match=r"slurm\.conf is there already"):
        cluster._claim()
    cluster.stop()
    assert (etc / "slurm.conf").read_text() == "ClusterName=site\n"
    assert sorted(path.name for path in etc.iterdir()) == ["slurm.conf"]


def test_a_place_that_cannot_be_written_to(etc, cluster):
    etc.write_text("a file where the folder should be")
    with pytest.raises(NoSlurm, match="cannot write to"):
        cluster._claim()
