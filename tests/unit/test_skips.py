"""tests/conftest.py: marked tests may be skipped: without CUDA, its packages, Slurm, or root."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest, unittest

def test_passes(): pass
@pytest.mark.cuda
def test_on_cuda(): pass
@pytest.mark.skip(reason="not today")
def test_marked(): pass
def test_skips_itself(): pytest.skip("from inside")
@pytest.mark.cuda
def test_cuda_skips_itself(): pytest.skip("another reason") if CUDA else None
@pytest.fixture
def missing(): pytest.skip("in a fixture")
def test_fixture(missing): pass
@pytest.mark.xfail(reason="known")
def test_xfails(): assert False
@pytest.mark.xfail(reason="mended")
def test_xpasses(): pass
class TestOld(unittest.TestCase):
    @unittest.skip("the old way")
    def test_unittest(self): pass
"""


def run(folder, text, *arguments, machine=""):
    """Run tests under our conftest; `machine` replaces what it finds out about this one."""
    conftest = (ROOT / "tests/conftest.py").read_text() + machine
    (folder / "conftest.py").write_text(conftest)
    shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    (folder / "test_some.py").write_text(f"CUDA = {torch.cuda.is_available()}\n{text}")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--rootdir",
        str(folder),
        str(folder),
        *arguments,
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_every_other_skip_fails_by_name(tmp_path):
    done = run(tmp_path, TESTS)
    assert done.returncode == 1
    failed = re.findall(r"^FAILED \S*::(\w+)|^ERROR \S*::(\w+)", done.stdout, re.M)
    expected = {
        "test_marked",
        "test_skips_itself",
        "test_fixture",
        "test_xfails",
        "test_xpasses",
        "test_unittest",
    }
    if torch.cuda.is_available():
        expected |= {"test_cuda_skips_itself"}
    assert {a or b for a, b in failed} == expected
    assert "not today" in done.stdout and "in a fixture" in done.stdout


def test_missing_cuda_alone_passes(tmp_path):
    done = run(tmp_path, "import pytest\n@pytest.mark.cuda\ndef test_on_cuda(): pass\n")
    assert done.returncode == 0, done.stdout
    assert ("1 passed" if torch.cuda.is_available() else "1 skipped") in done.stdout


PACKAGES = """
import pytest
@pytest.mark.cuda("spconv")
def test_with_spconv(): assert False
@pytest.mark.cuda
@pytest.mark.parametrize("way", ["own", pytest.param("other", marks=pytest.mark.cuda("nvdiffrast"))])
def test_both_ways(way): assert way == "own"
@pytest.mark.cuda("trimesh")
def test_with_what_is_required(): pass
@pytest.mark.cuda("spconv")
@pytest.mark.skip(reason="not today")
def test_marked(): pass
@pytest.mark.cuda
def test_skips_itself(): pytest.skip("spconv is not installed")
"""
BARE_GPU = """
def _cuda(): return True
def _installed(name): return False
"""


def test_packages_that_users_install_may_be_missing_on_a_machine_with_cuda(tmp_path):
    done = run(tmp_path, PACKAGES, machine=BARE_GPU)
    assert done.returncode == 1
    failed = re.findall(r"^FAILED \S*::(\w+)|^ERROR \S*::(\w+)", done.stdout, re.M)
    assert {a or b for a, b in failed} == {
        "test_with_what_is_required",
        "test_marked",
        "test_skips_itself",
    }
    assert "1 passed, 2 skipped" in done.stdout.replace("3 failed, ", "").replace(", 2 errors", "")
    assert "spconv is not installed" in done.stdout and "nvdiffrast is not in" in done.stdout


def test_missing_root_is_a_reason_for_tests_of_several_users_alone(tmp_path):
    text = """
import os, pytest
os.geteuid = lambda: 1000
@pytest.mark.users
def test_users(): pass
def test_other(): pass
"""
    done = run(tmp_path, text)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 skipped" in done.stdout and "only root can act" in done.stdout
    if os.geteuid() == 0:
        done = run(tmp_path, text.replace("1000", "0"))
        assert "2 passed" in done.stdout


CLUSTER = """
import pytest
pytestmark = pytest.mark.cluster
@pytest.fixture
def slurm(): pytest.skip("no Slurm: srun not installed")
@pytest.fixture
def other(): pytest.skip("another reason")
def test_without_slurm(slurm): pass
def test_for_another_reason(other): pass
"""


def test_missing_slurm_is_a_reason_for_tests_on_a_cluster_alone(tmp_path):
    done = run(tmp_path, CLUSTER, "-m", "cluster")
    assert done.returncode == 1
    assert re.findall(r"^ERROR \S*::(\w+)", done.stdout, re.M) == ["test_for_another_reason"]
    assert "1 skipped" in done.stdout
    unmarked = CLUSTER.replace("pytestmark", "_")
    assert "2 error" in run(tmp_path, unmarked).stdout


def test_tests_on_a_cluster_are_asked_for_by_name(tmp_path):
    assert "2 deselected" in run(tmp_path, CLUSTER).stdout


def test_a_file_that_skips_itself_fails(tmp_path):
    done = run(tmp_path, "import pytest\npytest.importorskip('no_such_module')\n")
    assert done.returncode != 0
    assert "skipped as a whole" in done.stdout


def test_the_note_of_the_run_before_stands_above_the_closing_line(tmp_path, monkeypatch):
    monkeypatch.setenv("SUITE_NOTE", "SKIPPED the tests on a Slurm cluster: none here")
    lines = run(tmp_path, "def test_passes(): pass\n").stdout.rstrip().splitlines()
    assert lines[-2] == "SKIPPED the tests on a Slurm cluster: none here"
    assert "1 passed" in lines[-1]
