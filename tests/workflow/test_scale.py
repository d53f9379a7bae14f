"""How long planning takes for a large set, and that every command of the texts can be planned."""

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import harness
import simulation
import small
import small_pack
import yaml

PRESET = harness.ROOT / "config/presets/objaverse_lvis.yaml"
OBJECTS = 10_000
LIMIT_S, LIMIT_JOBS = 30, 600


def test_the_preset_plans_10_000_objects_in_few_jobs(repository, tmp_path):
    """Downloads to table, in one process; CPU time, since other work may share the machine."""
    work = harness.Work(tmp_path / "work", repository)
    work.write_config((harness.ROOT / "config/config.yaml").read_text())
    simulation.write_list(work.folder / "objaverse_chairs.csv", range(OBJECTS))
    target = "results/coseg/objaverse_chairs.json"
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run = work.run(target, "--configfile", str(PRESET), "--dry-run", "--quiet", "rules")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall = time.monotonic() - start
    sys.stdout.write(f"dry run: {cpu:.1f} s of CPU, {wall:.1f} s of wall time\n")
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", run.text, re.MULTILINE)}
    chunks = yaml.safe_load(PRESET.read_text())["datasets"]["objaverse_chairs"]["chunks"]
    assert [jobs[rule] for rule in ("raw", "meshes", "truth", "render", "feature")] == [chunks] * 5
    assert jobs["match"] == 2 * chunks
    assert jobs["total"] < LIMIT_JOBS
    assert cpu < LIMIT_S


BLOCK = re.compile(r"^```(?:bash|console|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:[^\s`]*/)?snakemake [^`]+)`")
COMMAND = re.compile(r"(\w+=\S+ )*(\S*/)?snakemake( |$)")
# What these stand beside is planned instead: they plan nothing themselves
NOT_FOR_PLANS = re.compile(r" --unlock\b| --report \S+")


def commands():
    """Return (file, line) of every command of the texts that runs Snakemake, in blocks and in lines."""
    texts = [harness.ROOT / "README.md", *sorted(harness.ROOT.glob("docs/**/*.md"))]
    found = []
    for path in (text for text in texts if text.exists()):
        text = path.read_text()
        blocks = "".join(BLOCK.findall(text)).replace("\\\n", " ")
        lines = [line.strip().removeprefix("$ ") for line in blocks.splitlines()]
        lines += [" ".join(line.split()) for line in INLINE.findall(FENCED.sub("", text))]
        found += [(path.name, line) for line in lines if COMMAND.match(line)]
    return found


def words_of(line, folder, home):
    """Return the words after `snakemake` as the shell makes them: ~, quotes, $(...), comments."""
    line = NOT_FOR_PLANS.sub("", line)
    line = re.sub(r"^((?:\w+=\S+ )*)\S*snakemake\b", r"\1snakemake", line)
    script = f'snakemake() {{ printf "%s\\0" "$@"; }}; {line}'
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = os.environ | {"HOME": str(home), "PATH": tools}
    command = ["bash", "-c", script]
    out = subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=True).stdout
    return out.decode().split("\0")[:-1]


def test_every_snakemake_command_of_the_texts_can_be_planned(server, tmp_path):
    """As it is written, with -n, in the root of a checkout, by somebody with a profile of their own."""
    root, home = harness.copy_repository(tmp_path / "checkout"), tmp_path / "home"
    shutil.copytree(harness.ROOT / "setup", root / "setup")
    shutil.copytree(root / "profiles/slurm", home / ".config/snakemake/slurm")
    lines = commands()
    variables = {"HOME": str(home), "SEMCORR_DATA": str(bring_my_chairs(root, tmp_path))}
    variables |= bring_shapenet(tmp_path)
    objects = "id,path,category\na,glbs/a.glb,chair\nb,glbs/b.glb,chair\n"
    (root / "objaverse_chairs.csv").write_text(objects)
    work = AsWritten(root, root, variables, server)
    plans = server.plans([(work, [*words_of(line, root, home), "--dry-run"]) for _, line in lines])
    failed = [
        f"{name}: {line}\n{plan.text[-2000:]}"
        for (name, line), plan in zip(lines, plans, strict=True)
        if plan.code != 0
    ]
    assert not failed, "\n\n".join(failed)


def bring_my_chairs(root, folder):
    """Write the configuration that README shows, and the folder set it names; return SEMCORR_DATA."""
    (block,) = re.findall(
        r"^```yaml\n(.*?)^```", (harness.ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (root / "my_chairs.yaml").write_text(block)
    small_pack.write_pack(folder / "data/my_chairs")
    return folder / "data"


def bring_shapenet(folder):
    """Write the published source among its models, and a folder of points; return where they are."""
    names = ("7182efccab0d3553c27f2d9f006d69eb", "another")
    for name in names:
        models = folder / f"shapenet/02691156/{name}/models"
        models.mkdir(parents=True)
        (models / "model_normalized.obj").write_text("v 0 0 0\n")
    (folder / "shapenet_part/02691156_airplane/points").mkdir(parents=True)
    return {
        "SEMCORR_SHAPENET": str(folder / "shapenet"),
        "SEMCORR_SHAPENET_PART": str(folder / "shapenet_part"),
    }


def test_commands_are_found_in_blocks_and_in_lines():
    found = [line for _, line in commands()]
    assert "snakemake -c all results/coseg/my_chairs.json --configfile my_chairs.yaml" in found
    # in the block of commands, and below it in a line of text
    assert found.count("snakemake -c all results/coseg/chair.json") >= 2
    assert any(line.endswith("snakemake -c all --unlock") for line in found)
    assert len(found) >= 15


class AsWritten(harness.Work):
    """A checkout in which a command runs exactly as the text has it."""

    def arguments(self, *arguments):
        # the server puts its own options first; here the text's words count, and nothing else
        return [word for word in arguments[arguments.index("--nocolor") + 1 :]]


def test_the_test_of_the_texts_can_fail(repository, server):
    work = AsWritten(repository, repository, {}, server)
    good, bad = server.plans(
        [
            (work, ["-c", "1", "check", "--dry-run"]),
            (work, ["-c", "1", "results/coseg/gone.json", "--dry-run"]),
        ]
    )
    assert good.code == 0, good.text
    assert bad.code == 1
    assert "gone" in bad.text


def test_the_dry_run_server_says_what_a_process_of_its_own_says(prepared, tmp_path):
    """The same changed key through `python -m snakemake -n`: the same number of jobs of every rule."""
    work = prepared.clone(tmp_path / "work")
    (work.folder / "pack").symlink_to(prepared.folder / "pack")
    work.write_config(small.config(voxels__s16_yaw2__yaws=3, methods__nearest__feature="other"))
    plan = work.plan(*small.TARGETS)
    command = [sys.executable, "-m", "snakemake", *work.arguments("-c2", "-n", *small.TARGETS)]
    text = subprocess.run(
        [*command, "--quiet", "rules"],
        cwd=work.folder,
        env=work.variables(),
        capture_output=True,
        text=True,
    )
    counted = dict(re.findall(r"^(\w+) +(\d+)$", text.stdout + text.stderr, re.MULTILINE))
    rules = [job["rule"] for job in plan.jobs]
    assert rules
    assert {rule: str(rules.count(rule)) for rule in rules} | {"total": str(len(rules))} == counted
