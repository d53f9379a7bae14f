"""A set of many chunks whose jobs end at different times: what is submitted, in how many calls of sbatch."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import harness
import simulation
import slurm_stub
import yaml

PROFILE = harness.ROOT / "profiles/slurm/profile.yaml"


def array_options() -> list[str]:
    """Return the lines for arrays of the profile, as options."""
    lines = [
        line[2:] for line in PROFILE.read_text().splitlines() if line.startswith("# slurm-array")
    ]
    lines += [
        line[2:]
        for line in PROFILE.read_text().splitlines()
        if line.startswith(("# jobs:", "# max-jobs"))
    ]
    return [
        word
        for key, value in yaml.safe_load("\n".join(lines)).items()
        for word in (f"--{key}", str(value))
    ]


@dataclass(frozen=True)
class Submitted:
    """A run over the stub of Slurm.

    Attributes:
        code: exit code; None where it did not end in time.
        text: what it said.
        calls: of sbatch.
        lost: jobs that were never submitted.
        repeated: jobs that were submitted more than once.
    """

    code: int | None
    text: str
    calls: list[dict]
    lost: list
    repeated: list

    def by_rule(self) -> dict[str, tuple[int, int]]:
        """Return {rule: (jobs, calls)}."""
        rules = sorted({call["rule"] for call in self.calls})
        of = {rule: [call for call in self.calls if call["rule"] == rule] for rule in rules}
        return {
            rule: (sum(len(c["jobs"]) for c in found), len(found)) for rule, found in of.items()
        }


def run(
    place: Path,
    words: list[str],
    config: dict | None,
    seconds: tuple[float, float],
    limit_s: float,
    arrays: bool,
) -> Submitted:
    """Submit all jobs behind some targets; none computes anything, each is seen to run for a while.

    Args:
        place: empty folder.
        words: targets and options.
        config: config/config.yaml of the checkout, None for its own; its lists of objects must be there.
        seconds: the least and the most that a job runs.
        limit_s: after which Snakemake is stopped.
        arrays: submit arrays as the profile's lines say.
    """
    root = place / "checkout"
    variables = slurm_stub.install(place)
    work = harness.Work(root, root, variables)
    if config is not None:
        work.write_config(config)
    with harness.one_server(place / "answers", work) as server:
        work.server = server
        plan = work.plan(*words)
    assert plan.code == 0, plan.text
    table = slurm_stub.outputs_of(plan)
    (place / "slurm/outputs.json").write_text(json.dumps(table))
    (place / "slurm/takes").write_text(" ".join(map(str, seconds)))
    options = ["--profile", "slurm", *slurm_stub.QUICK, *(array_options() if arrays else ())]
    command = [sys.executable, "-m", "snakemake", *options, *words]
    with open(place / "run.txt", "w") as text:
        process = subprocess.Popen(
            command, cwd=root, env=work.variables(), stdout=text, stderr=text
        )
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
    calls = slurm_stub.calls(place)
    found, wanted = slurm_stub.submitted(calls), slurm_stub.planned(table)
    return Submitted(
        code,
        (place / "run.txt").read_text(),
        calls,
        sorted((wanted - found).elements()),
        sorted((found - wanted).elements()),
    )


def many(place: Path, objects: int) -> Path:
    """Write a checkout with a list of objects; return its root."""
    root = harness.copy_repository(place / "checkout")
    for name in ("many.csv", "objaverse_chairs.csv"):
        simulation.write_list(root / name, range(objects))
    return root
