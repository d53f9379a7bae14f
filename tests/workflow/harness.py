"""Drives the real workflow: a frozen copy of the checkout, work folders, runs, dry runs, content hashes.

The copy holds the checkout's Snakefile, rules, profiles and package byte for byte. It stands still while
somebody edits the checkout, and a test may edit a copy of its own.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("Snakefile", "slurm", "workflow", "envs", "profiles", "src", "resources", "config")
# Results that hold what a run cost or said, not what it found
UNSTABLE = (
    "costs",
    "logs",
    "costs.parquet",
    "check.json",
    "figures/costs.png",
    "figures/costs.csv",
)
# Variables of the person who runs the tests that would change what the workflow does
# Root reads and writes whatever the permissions say; started with these words, it has to keep to them
CAPABILITIES = "-dac_override,-dac_read_search"
WITHOUT_OVERRIDE = ("setpriv", "--bounding-set", CAPABILITIES, "--inh-caps", CAPABILITIES)
FORGOTTEN = ("SEMCORR_", "SNAKEMAKE_", "SLURM", "HF_", "PYTHONSTARTUP", "CUDA_")


def copy_repository(folder: Path) -> Path:
    """Copy what the workflow consists of; return the copy's root."""
    folder.mkdir(parents=True)
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        elif source.is_dir():
            shutil.copytree(
                source,
                target,
                symlinks=True,
                ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
            )
        else:
            shutil.copy2(source, target)
    return folder


@dataclass(frozen=True)
class Plan:
    """What a dry run announced.

    Attributes:
        code: exit code.
        outputs: files and folders of all planned jobs.
        jobs: rule, wildcards, outputs, benchmark and reason of each.
        text: everything that was printed.
    """

    code: int
    outputs: frozenset[str]
    jobs: list[dict[str, Any]]
    text: str

    @classmethod
    def of(cls, answer: dict[str, Any]) -> "Plan":
        """Take the jobs out of an answer of the dry-run server."""
        outputs = frozenset(path for job in answer["jobs"] for path in job["outputs"])
        return cls(answer["code"], outputs, answer["jobs"], answer["text"])


@dataclass(frozen=True)
class Run:
    """A finished run: exit code and everything that was printed."""

    code: int
    text: str


@dataclass(frozen=True)
class Process:
    """A run under way, and the file that it prints to."""

    popen: subprocess.Popen
    output: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def is_running(self) -> bool:
        return self.popen.poll() is None

    def kill(self) -> None:
        """SIGKILL Snakemake alone; its children live on."""
        self.popen.kill()
        self.popen.wait()

    def end(self) -> Run:
        """Wait for the end."""
        code = self.popen.wait()
        return Run(code, self.output.read_text())


@dataclass
class Work:
    """A working folder of the workflow.

    Attributes:
        folder: holds config/config.yaml, results/ and .snakemake/.
        repository: root of the copy that is run.
        environment: further environment variables.
        server: answers dry runs; None starts a process for each.
        launcher: words before the command of every run, e.g. `WITHOUT_OVERRIDE`.
    """

    folder: Path
    repository: Path
    environment: dict[str, str] = field(default_factory=dict)
    server: "DryRuns | None" = None
    launcher: Sequence[str] = ()

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def write_config(self, config: dict[str, Any] | str) -> None:
        """Write config/config.yaml: text as it is, a dict as JSON, which is YAML."""
        path = self.folder / "config/config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))

    def arguments(self, *arguments: str) -> list[str]:
        return ["--snakefile", str(self.repository / "Snakefile"), *arguments]

    def variables(self) -> dict[str, str]:
        """Return the environment of a run."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(FORGOTTEN)}
        ours = {
            "PYTHONPATH": str(self.repository / "src"),
            "OMP_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(self.repository.parent / "cache"),
            "COLUMNS": "200",
        }
        return kept | ours | self.environment

    def start(self, *arguments: str, cores: int | None = 2) -> "Process":
        """Start Snakemake in its own process group; without `cores` the profile limits what runs at once."""
        words = self.arguments(*(["--cores", str(cores)] if cores else []), *arguments)
        command = [*self.launcher, sys.executable, "-m", "snakemake", *words]
        # a file, not a pipe: what outlives Snakemake must still have somewhere to write to
        text = self.folder.parent / f"run-{uuid.uuid4().hex}.txt"
        with open(text, "w") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.variables(),
                start_new_session=True,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return Process(process, text)

    def run(self, *arguments: str, cores: int = 2, succeeds: bool | None = True) -> "Run":
        """Run Snakemake to its end; fail the test if its success is not the expected one."""
        run = self.start(*arguments, cores=cores).end()
        if succeeds is not None:
            assert (run.code == 0) == succeeds, f"exit code {run.code}:\n{run.text}"
        return run

    def plan(self, *arguments: str) -> Plan:
        """Dry run with the same command line function; see dry_run_server.py."""
        return self.server.plans([(self, arguments)])[0]

    def clone(self, folder: Path) -> "Work":
        """Return a folder that shares results and metadata, for dry runs with another configuration."""
        folder.mkdir(parents=True)
        for name in ("results", ".snakemake"):
            (folder / name).symlink_to(self.folder / name)
        return Work(folder, self.repository, self.environment, self.server)

    def copy(self, folder: Path) -> "Work":
        """Return a folder of its own with the same results, metadata and time stamps."""
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        return Work(folder, self.repository, self.environment, self.server)

    def contents(self) -> dict[str, str]:
        """Return {path: content hash} of everything that must be equal between two runs."""
        return contents_of(self.results)


class DryRuns:
    """Client of dry_run_server.py for one copy of the repository."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.answers = folder
        folder.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("dry_run_server.py")
        self._log = open(folder / "server.log", "w")
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
        )

    def plans(self, wanted: Sequence[tuple[Work, Sequence[str]]]) -> list[Plan]:
        """Make several dry runs, as many at once as there are processors; in the order asked."""
        paths = []
        for number, (work, arguments) in enumerate(wanted):
            path = self.answers / f"{uuid.uuid4().hex}.json"
            paths.append(path)
            request = {
                "folder": str(work.folder),
                "arguments": work.arguments("--cores", "2", "--dry-run", "--nocolor", *arguments),
                "environment": work.environment,
                "answer": str(path),
                "last": number == len(wanted) - 1,
            }
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        for _ in wanted:
            assert self._process.stdout.readline() == "done\n", self._failure()
        return [Plan.of(json.loads(path.read_text())) for path in paths]

    def _failure(self) -> str:
        return (self.answers / "server.log").read_text()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()


def contents_of(results: Path) -> dict[str, str]:
    """Return {path: hash}: the manifest's `content` for a chunk, the bytes for any other file.

    Stores are left out: their files may be cut differently; their arrays are what a manifest hashes.
    """
    found = {}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(results).parts)
        unstable = any(name == u or name.startswith(f"{u}/") for u in UNSTABLE)
        if not path.is_file() or hidden or unstable or ".zarr/" in name:
            continue
        found[name] = manifest_content(path) or hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def manifest_content(path: Path) -> str | None:
    """Return the content hash of a chunk's manifest; None if the file is none."""
    if not (path.suffix == ".json" and path.stem.isdigit()):
        return None
    return json.loads(path.read_text())["content"]


def verified_stores(results: Path) -> int:
    """Recompute every hash of every manifest from the store's arrays; return the number of items."""
    from semcorr.store.chunk import ChunkReader
    from semcorr.store.items import content_hash

    count = 0
    for path in sorted(results.rglob("*.json")):
        if manifest_content(path) is None:
            continue
        reader = ChunkReader(path)
        for item_id in reader.ids:
            assert content_hash(reader.read(item_id)) == reader.manifest.by_id[item_id].sha256, path
            count += 1
    return count


@contextlib.contextmanager
def one_server(folder: Path, work: Work) -> Iterator[DryRuns]:
    """Yield a server of dry runs for another copy of the repository."""
    server = DryRuns(folder, work.variables())
    try:
        yield server
    finally:
        server.close()
