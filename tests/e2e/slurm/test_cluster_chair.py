"""`snakemake --profile slurm results/coseg/chair.json` on a real Slurm, as it is written in the README."""

import json
import re
import zipfile

import harness
import pytest
import report_page
import small
from chair_checkout import TARGET
from cluster_runs import array_options, succeeds

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]
FIGURE = "results/figures/coseg/chair/scores.png"


@pytest.fixture(scope="module")
def expected(checkout):
    """Contents of all results of a run without Slurm."""
    local = checkout()
    local.run(TARGET, FIGURE)
    return local.contents()


def test_the_chair(slurm, checkout, expected):
    work = checkout(slurm)
    run = succeeds(work.submit(TARGET, FIGURE).end())
    jobs = work.jobs_of(run)
    counts = {rule: sum(job["rule"] == rule for job in jobs) for rule in {j["rule"] for j in jobs}}
    chunked = dict.fromkeys(("meshes", "truth", "render", "feature", "match"), 2)
    assert counts == chunked | {
        "fetch_asset": 1,
        "score": 1,
        "score_chart": 1,
    }  # the table is made by Snakemake itself
    for job in jobs:
        is_gpu = job["rule"] == "feature"
        assert job["JobState"] == "COMPLETED", job
        assert job["Partition"] == ("gpu" if is_gpu else "cpu"), job
        assert job.get("TresPerJob") == ("gres:gpu:1" if is_gpu else None), job
        assert job["BatchHost"] == ("gpu1" if is_gpu else job["BatchHost"])
    asked = {job["rule"]: (job["MinMemoryNode"], job["TimeLimit"]) for job in jobs}
    assert asked["feature"] == ("8000M", "04:00:00")
    assert asked["meshes"] == ("2000M", "00:30:00")

    # the nodes claim a GPU that is only counted: jobs were given it, saw that it is none, and said so
    logs = [path.read_text() for path in work.results.glob("logs/features/lifted/chairs/*.log")]
    assert len(logs) == 2
    assert all("Slurm gave this job a GPU (SLURM_" in text for text in logs), logs

    assert work.contents() == expected
    assert harness.verified_stores(work.results) > 0
    scores = json.loads((work.folder / TARGET).read_text())["methods"]["nearest"]["aligned"]
    assert scores["coverage"] == 1.0

    succeeds(work.submit(TARGET, FIGURE, "--report", "report.zip").end())
    with zipfile.ZipFile(work.folder / "report.zip") as archive:
        entries = report_page.entries_of(archive)
        assert entries.keys() == {TARGET, FIGURE}
        for path, entry in entries.items():
            assert report_page.packed(archive, entry) == (work.folder / path).read_bytes()

    again = work.submit("--dry-run", TARGET).end()
    assert again.code == 0 and re.search("Nothing to be done", again.text), again.text


def test_the_chair_by_arrays(slurm, checkout, expected):
    """The block of the profile as it is written: chunks are one submission, and the results are the same."""
    work = checkout(slurm)
    # in two runs, so that both chunks of features are ready at once
    ready = [f"results/renders/views/chairs/{chunk}.json" for chunk in range(2)]
    first = succeeds(
        work.submit(*ready, f"results/assets/{small.ENCODER}.json", *array_options()).end()
    )
    second = succeeds(work.submit(TARGET, *array_options()).end())
    tasks = {}
    for job in work.jobs_of(first) + work.jobs_of(second):
        assert job["JobState"] == "COMPLETED", job
        if "ArrayJobId" in job:
            tasks.setdefault((job["rule"], job["Partition"]), []).append(job["ArrayJobId"])
    assert tasks.keys() >= {("meshes", "cpu"), ("truth", "cpu"), ("feature", "gpu")}
    assert all(len(ids) == 2 and len(set(ids)) == 1 for ids in tasks.values()), tasks
    figure = FIGURE.removeprefix("results/")
    assert work.contents() == {k: v for k, v in expected.items() if k != figure}
