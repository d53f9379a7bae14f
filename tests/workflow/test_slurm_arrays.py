"""Jobs that become ready one by one are all submitted, once each, where arrays are on.

Without arrays every job is a call of its own: test_slurm_submission.py.
"""

import simulation
import staggered

CHUNKS = 4
# ends before a run in which a job is never submitted would, which is never
LIMIT_S = 400


def test_jobs_that_become_ready_one_by_one_are_all_submitted(tmp_path):
    staggered.many(tmp_path, 12)
    config = simulation.config(datasets__many__chunks=CHUNKS)
    words = [f"results/truth/many/{chunk}.json" for chunk in range(CHUNKS)]
    run = staggered.run(tmp_path, words, config, (0.5, 10), LIMIT_S, arrays=True)
    assert run.lost == [], run.text[-3000:]
    assert run.repeated == [], run.text[-3000:]
    assert run.code == 0, run.text[-3000:]
    counts = run.by_rule()
    jobs = {rule: number for rule, (number, _) in counts.items()}
    assert jobs == dict.fromkeys(("raw", "meshes", "truth"), CHUNKS)
    assert counts["raw"][1] == 1, "all are ready at the start"
    assert any(len(call["jobs"]) == 1 for call in run.calls), (
        "none was ready alone: this run shows nothing of such a job"
    )


def test_the_count_can_fail():
    """A job without a call, and one with two."""
    table = {"meshes": [[{"chunk": "0"}, []], [{"chunk": "1"}, []]]}
    calls = [{"jobs": [["meshes", {"chunk": "0"}]]}, {"jobs": [["meshes", {"chunk": "0"}]]}]
    wanted, found = staggered.slurm_stub.planned(table), staggered.slurm_stub.submitted(calls)
    assert list((wanted - found).elements()) == [("meshes", (("chunk", "1"),))]
    assert list((found - wanted).elements()) == [("meshes", (("chunk", "0"),))]
