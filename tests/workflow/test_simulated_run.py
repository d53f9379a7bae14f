"""A downloaded set, executed to its table over stages that compute nothing; then what changes of it plan.

The stages write tiny valid stores (stub_stages.py); rules, planning, scores and tables are real. The table of
changes below is written by hand, job by job; test_rerun_contract.py computes the same for every single key.
`benchmarks/scale/execute.py` runs the same over ten thousand objects.
"""

import csv
import json
import runpy
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field

import harness
import pytest
import simulation
from simulation import CHUNKS, NUMBERS, SOURCE, TARGET, chunk_of, config, uid_of

from semcorr.stages.running.costs import by_stage, read_costs

COSTS = "results/figures/costs.csv"
HOME = chunk_of(SOURCE, CHUNKS)
OTHER = 1 - HOME
# numbers of objects that are not there yet, by chunk
NEW = {c: next(n for n in range(100, 200) if chunk_of(n, CHUNKS) == c) for c in range(CHUNKS)}
LAST = {c: max(n for n in NUMBERS if chunk_of(n, CHUNKS) == c) for c in range(CHUNKS)}


@pytest.fixture(scope="module")
def simulated(environment, server, tmp_path_factory):
    """A work folder in which the table is made: never change it."""
    place = tmp_path_factory.mktemp("simulated")
    repository = harness.copy_repository(place / "repository")
    simulation.install(repository)
    work = harness.Work(place / "work", repository, environment, server)
    simulation.write_list(work.folder / "many.csv", NUMBERS)
    work.write_config(config())
    work.run(TARGET, COSTS)
    return work


def test_every_object_gets_to_the_table(simulated):
    table = json.loads((simulated.folder / TARGET).read_text())
    manifests = sorted(simulated.results.glob("truth/many/*.json"))
    labelled = {
        row["id"]: row["shapes"]["face_labels"]
        for path in manifests
        for row in json.loads(path.read_text())["items"]
    }
    assert labelled.keys() == {uid_of(n) for n in NUMBERS}
    for method in ("spatial", "guided"):
        scores = table["methods"][method]["aligned"]
        # every site leads to the site of the same number of a box cut in the same way
        assert scores["mean_iou"] == 1.0
        assert scores["coverage"] == 1.0
        assert len(NUMBERS) // 2 < len(scores["targets"]) < len(NUMBERS)
    assert harness.verified_stores(simulated.results) == len(NUMBERS) * 7 - 2


def test_stores_have_few_files_and_every_job_says_what_it_did(simulated):
    stores = sorted(simulated.results.rglob("*.zarr"))
    assert len(stores) == 7 * CHUNKS
    for store in stores:
        assert sum(path.is_file() for path in store.rglob("*")) <= 60
    stages = by_stage(read_costs(simulated.results))
    per_chunk = dict.fromkeys(("raw", "meshes", "truth", "renders", "features"), len(NUMBERS))
    items = {name: total["items"] for name, total in stages.items() if total["items"]}
    assert items == per_chunk | {"matches": 2 * (len(NUMBERS) - 1)}
    assert stages["meshes"]["files"] == sum(
        path.is_file() and path.name != ".snakemake_timestamp"  # written after the job
        for path in (simulated.results / "meshes").rglob("*")
    )


def test_the_report_holds_the_sums_of_costs_and_needs_no_network(simulated, tmp_path):
    nowhere = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy"), "http://127.0.0.1:9")
    work = harness.Work(simulated.folder, simulated.repository, simulated.environment | nowhere)
    work.run(TARGET, COSTS, "--report", str(tmp_path / "report.zip"), cores=1)
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("costs.csv"))
        text = archive.read(name).decode()
    assert text == (simulated.folder / COSTS).read_text()
    rows = {row["stage"]: row for row in csv.DictReader(text.splitlines())}
    jobs_of = {"matches": 2 * CHUNKS} | dict.fromkeys(("raw", "meshes", "renders"), CHUNKS)
    for stage, number in jobs_of.items():
        row = rows[stage]
        assert int(row["jobs"]) == number
        assert float(row["wall_s"]) > 0 and float(row["cpu_s"]) > 0 and float(row["peak_mb"]) > 10
        each = float(row["cpu_s"]) / float(row["items"])
        assert float(row["cpu_s_per_item"]) == pytest.approx(each, rel=1e-3)


SCALE = harness.ROOT / "benchmarks/scale"


def test_the_cost_model_is_read_from_a_run(simulated, tmp_path):
    """What `benchmarks/scale` predicts for as many objects is what this run has cost."""
    command = [sys.executable, str(SCALE / "stage_costs.py"), str(simulated.results)]
    text = subprocess.run(
        command, env=simulated.variables(), capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / "table.csv").write_text(text)
    model = runpy.run_path(str(SCALE / "stage_costs.py"))["read_table"](tmp_path / "table.csv")
    spent = by_stage(read_costs(simulated.results))
    for stage, variants in {"meshes": [""], "matches": METHODS, "features": ["lifted"]}.items():
        rows = [model[stage, variant] for variant in variants]
        predicted = sum(
            r["items"] * r["cpu_s_per_item"] + r["jobs"] * r["cpu_s_per_job"] for r in rows
        )
        assert predicted == pytest.approx(spent[stage]["cpu_s"], rel=0.01)
        stored = sum(r["items"] * r["bytes_per_item"] for r in rows)
        assert stored == pytest.approx(spent[stage]["bytes"], rel=0.01)


# -- the table of changes ---------------------------------------------------------------------


STAGES = ("raw", "meshes", "truth", "render", "feature")
METHODS = ("spatial", "guided")
BOTH = (HOME, OTHER)


def jobs(chunks, first="raw", methods=METHODS, matches=None):
    """Return the jobs of a change that begins with the stage `first` in these chunks.

    Args:
        chunks: that change.
        first: of STAGES, or "match".
        methods: whose maps change.
        matches: chunks whose maps change, where they are others.
    """
    stages = STAGES[STAGES.index(first) :] if first in STAGES else ()
    if first in ("render", "feature"):
        methods = ("guided",)  # the other method reads meshes alone
    made = {
        f"{stage} {chunk}"
        for stage in stages
        for chunk in chunks
        if stage != "truth" or first in ("raw", "meshes", "truth")
    }
    made |= {f"match {m} {c}" for m in methods for c in (chunks if matches is None else matches)}
    return made | {f"score {m}" for m in methods} | {"table"}


@dataclass(frozen=True)
class Case:
    """A change of the finished work folder, and the jobs that it plans.

    Attributes:
        expected: jobs, as `name_of` calls them.
        config: changed keys.
        numbers: objects of the list.
        licences: of objects that have another one.
        removed: what is deleted below results/.
        labels: numbers of objects that get a file of labels.
        targets: what is asked for.
    """

    expected: set[str]
    config: dict = field(default_factory=dict)
    numbers: tuple[int, ...] = NUMBERS
    licences: dict = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    targets: tuple[str, ...] = (TARGET,)


EVERYTHING = jobs(BOTH)
ADDED = (*NUMBERS, NEW[OTHER])
CASES = {
    "nothing": Case(set()),
    # objects
    "an object more, not beside the source": Case(jobs([OTHER]), numbers=ADDED),
    "an object more beside the source": Case(
        jobs([HOME], matches=BOTH), numbers=(*NUMBERS, NEW[HOME])
    ),
    "an object more in each chunk": Case(EVERYTHING, numbers=(*NUMBERS, *NEW.values())),
    "an object less": Case(jobs([OTHER]), numbers=tuple(n for n in NUMBERS if n != LAST[OTHER])),
    "one exchanged for another": Case(
        jobs([OTHER]), numbers=(*(n for n in NUMBERS if n != LAST[OTHER]), NEW[OTHER])
    ),
    "all objects of a chunk gone": Case(
        {"score spatial", "score guided", "table"},
        numbers=tuple(n for n in NUMBERS if chunk_of(n, CHUNKS) == HOME),
    ),
    "the list in another order": Case(set(), numbers=NUMBERS[::-1]),
    "another licence": Case(jobs([OTHER]), licences={LAST[OTHER]: "cc0"}),
    "labels of one object": Case(
        {f"truth {OTHER}", "score spatial", "score guided", "table"}, labels=(LAST[OTHER],)
    ),
    # one key at each level of the chain
    "downloads: the largest file": Case(EVERYTHING, {"datasets__many__max_bytes": 10**6}),
    "downloads: connections": Case(set(), {"datasets__many__connections": 1}),
    "meshes: the most vertices": Case(
        jobs(BOTH, "meshes"), {"datasets__many__max_vertices": 10**4}
    ),
    "views": Case(jobs(BOTH, "render"), {"renders__views__views": 3}),
    "features": Case(jobs(BOTH, "feature"), {"features__lifted__size": 64}),
    "a method": Case(
        jobs(BOTH, "match", methods=["guided"]), {"methods__guided__temperature": 0.05}
    ),
    "the sources": Case(
        jobs(BOTH, "match"), {"coseg__carried__sources": [uid_of(SOURCE), uid_of(LAST[HOME])]}
    ),
    "targets of one chunk": Case(
        {f"match {m} {HOME}" for m in METHODS} | {"score spatial", "score guided", "table"},
        {"coseg__carried__targets": [uid_of(LAST[HOME])]},
    ),
    "a method less": Case({"table"}, {"coseg__carried__methods": ["guided"]}),
    "a method more": Case(
        {f"match random {c}" for c in BOTH} | {"score random", "table"},
        {
            "methods__random": {"matcher": "random"},
            "coseg__carried__methods": ["spatial", "guided", "random"],
        },
    ),
    "the seed": Case(jobs(BOTH, "meshes"), {"seed": 1}),
    "where jobs run": Case(set(), {"device": "auto", "min_coverage": 0.5}),
    # what is deleted while what was made of it stays
    "no views": Case(set(), removed=("renders",)),
    "no downloads, meshes, views": Case(set(), removed=("raw", "meshes", "renders")),
    "maps alone": Case(set(), removed=("raw", "meshes", "truth", "renders", "features")),
    "the table alone": Case(
        set(), removed=("raw", "meshes", "truth", "renders", "features", "matches")
    ),
    "no views, asked for": Case(
        {"render 0", "render 1", "renders"}, removed=("renders",), targets=("renders",)
    ),
    "no views, an object more": Case(jobs([OTHER]), numbers=ADDED, removed=("renders",)),
    "no downloads, an object more": Case(jobs([OTHER]), numbers=ADDED, removed=("raw",)),
    "no views, other features": Case(
        jobs(BOTH, "render"), {"features__lifted__size": 64}, removed=("renders",)
    ),
    "no views, another method": Case(
        jobs(BOTH, "match", methods=["guided"]),
        {"methods__guided__temperature": 0.05},
        removed=("renders",),
    ),
    "no table": Case({"table"}, removed=("coseg/carried.json",)),
    "no scores of one method, no table": Case(
        {"score guided", "table"}, removed=("coseg/carried.json", "coseg/carried/guided.json")
    ),
}


def name_of(job):
    """Return rule and what tells its jobs apart: `meshes 1`, `match guided 0`, `score guided`, `table`."""
    told = (job["wildcards"].get(name) for name in ("method", "chunk"))
    return " ".join([job["rule"], *filter(None, told)])


@pytest.fixture(scope="module")
def plans(simulated, tmp_path_factory):
    """{name: plan} of all cases, made as many at once as there are processors."""
    asked = []
    for case in CASES.values():
        work = simulated.copy(tmp_path_factory.mktemp("case") / "work")
        if (case.numbers, case.licences) != (NUMBERS, {}):
            simulation.write_list(work.folder / "many.csv", case.numbers, case.licences)
        for path in (work.results / name for name in case.removed):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for number in case.labels:
            path = work.folder / f"mine/labels/{uid_of(number)}.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps({"names": ["low", "high"], "faces": [0] * 6 + [1] * 6}))
        work.write_config(config(**case.config))
        asked.append((work, case.targets))
    return dict(zip(CASES, simulated.server.plans(asked), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_change_plans_exactly_its_jobs(name, plans):
    plan = plans[name]
    assert plan.code == 0, plan.text
    planned = sorted(name_of(job) for job in plan.jobs)
    assert planned == sorted(CASES[name].expected), plan.text[-3000:]
