"""`--sdm conda`, with a stand-in for conda: which environment a job gets, and that it runs there."""

import os

import harness
import pytest
import small
import small_pack
import stub_conda


@pytest.fixture
def work(tmp_path, repository, environment):
    path = stub_conda.write_stub(tmp_path / "conda")
    variables = environment | {"PATH": f"{path}:{os.environ['PATH']}"}
    found = harness.Work(tmp_path / "work", repository, variables)
    small_pack.write_pack(found.folder / "pack")
    found.write_config(small.CONFIG)
    return found


def test_a_job_runs_in_its_environment_and_finds_the_package_beside_its_script(work, tmp_path):
    work.run("results/meshes/extra/0.json", "--sdm", "conda")
    made = stub_conda.made_from(work.folder)
    assert made.keys() == {"semcorr-cpu"}
    used = set((tmp_path / "conda/used").read_text().split())
    assert used == {str(made["semcorr-cpu"])}
    assert harness.verified_stores(work.results) == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"semcorr-cpu"}),
        ({"device": "auto"}, {"semcorr-cpu", "semcorr-gpu"}),
        ({"renders__views__backend": "blender"}, {"semcorr-cpu", "semcorr-blender"}),
    ],
    ids=["cpu", "auto", "blender"],
)
def test_networks_and_blender_have_environments_of_their_own(changes, expected, work):
    work.write_config(small.config(**changes))
    target = "results/features/lifted/pack/1.json"
    work.run(target, "--sdm", "conda", "--conda-create-envs-only")
    made = stub_conda.made_from(work.folder)
    assert made.keys() == expected
    for name, folder in made.items():
        file = work.repository / "envs" / f"{name.removeprefix('semcorr-')}.yaml"
        assert (folder / "made_from.yaml").read_bytes() == file.read_bytes()
        post = file.with_suffix(".post-deploy.sh")
        assert (folder / "post_deploy").exists() == post.exists()
        if post.exists():
            assert (folder / "post_deploy").read_bytes() == post.read_bytes()
    assert not (work.results / "features").exists()
