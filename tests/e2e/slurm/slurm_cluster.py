"""A Slurm of our own for tests: munged, slurmctld and one slurmd per node, on loopback, in one folder.

The daemons run in the foreground as children of the tests: they are stopped by their process ids, and end
with the tests if those are killed (jobs under way then go on to their own end). The configuration must lie
in /etc/slurm (the executor starts `srun` without SLURM_CONF), so links are put there for as long as the
cluster lives. A machine that has a configuration of its own is left alone.
"""

import getpass
import os
import socket
import subprocess
from pathlib import Path

import slurm_accounting
from daemons import (
    NoSlurm,
    free_ports,
    missing_programs,
    processes_of,
    start_daemon,
    stop_daemon,
    wait,
)

ETC = Path("/etc/slurm")
TEMPLATES = Path(__file__).with_name("etc")
NODES = ("cpu1", "cpu2", "gpu1")
PROGRAMS = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "squeue",
    "scontrol",
    "scancel",
    "sinfo",
)
OWNER = "owner.pid"


class Cluster:
    """The cluster in a folder: `start`, ask and tell, `stop`; with `accounting`, slurmdbd keeps its jobs."""

    def __init__(self, root: Path, accounting: bool = False):
        self.root = root
        self.accounting = accounting
        names = ["slurmctld", *NODES, *(["slurmdbd", "mariadbd"] if accounting else [])]
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.daemons: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Start all daemons and wait for the nodes.

        Raises:
            NoSlurm: a program is missing, /etc/slurm is not ours to write to, or a daemon does not come up.
        """
        missing = missing_programs(PROGRAMS)
        if missing:
            raise NoSlurm(f"{', '.join(missing)} not installed")
        if self.accounting:
            slurm_accounting.require()
        self._write_files()
        self._claim()
        try:
            self._start_daemons()
            self._wait_for_nodes()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Cancel all jobs, stop the daemons, take back the links."""
        if "slurmctld" in self.daemons:
            self._cancel_all()
        for name in reversed(self.daemons):
            stop_daemon(self.daemons[name])
        self.daemons.clear()
        for link in self._links():
            if link.is_symlink() and Path(os.readlink(link)).parent == self.root:
                link.unlink()

    def left(self) -> list[str]:
        """Return what still runs out of this cluster's folder or links to it: nothing, after `stop`."""
        links = [str(link) for link in self._links() if link.is_symlink() or link.exists()]
        return [*links, *processes_of(self.root).values()]

    def tell(self, *words: str, check: bool = True) -> str:
        """Run a command of Slurm; return what it says."""
        run = subprocess.run(words, capture_output=True, text=True, timeout=60)
        if check and run.returncode:
            raise RuntimeError(f"{' '.join(words)}: {run.stderr or run.stdout}")
        return run.stdout

    def jobs(self, name: str) -> list[dict[str, str]]:
        """Return Slurm's records of all jobs of a name, also ended ones; one per task of an array."""
        found = []
        for line in self.tell("scontrol", "show", "job", "-o", check=False).splitlines():
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if fields.get("JobName") == name:
                found.append(fields)
        return sorted(found, key=lambda job: int(job["JobId"]))

    def state_of(self, node: str) -> str:
        """Return the state of a node as sinfo says it, e.g. `idle`, `drained`."""
        return self.tell("sinfo", "-h", "-N", "-n", node, "-o", "%T").split()[0]

    def _write_files(self) -> None:
        for name in ("munge", "state", "log", "run"):
            (self.root / name).mkdir(parents=True)
        (self.root / OWNER).write_text(str(os.getpid()))
        key = self.root / "munge/key"
        key.write_bytes(os.urandom(1024))
        for private in (key, key.parent, self.root / "state"):
            private.chmod(0o700 if private.is_dir() else 0o400)
        values = {
            "ROOT": self.root,
            "HOST": socket.gethostname().split(".")[0],
            "USER": getpass.getuser(),
        }
        values |= {f"PORT-{name}": port for name, port in self.ports.items()}
        values["ACCOUNTING"] = (
            slurm_accounting.DAEMON.format(root=self.root, port=self.ports["slurmdbd"])
            if self.accounting
            else slurm_accounting.NONE
        )
        for template in TEMPLATES.iterdir():
            text = template.read_text()
            for name, value in values.items():
                text = text.replace(f"@{name}@", str(value))
            (self.root / template.name).write_text(text)
        if self.accounting:
            slurm_accounting.write_files(self.root, self.ports["mariadbd"], self.ports["slurmdbd"])

    def _links(self) -> list[Path]:
        return [ETC / template.name for template in TEMPLATES.iterdir()]

    def _claim(self) -> None:
        for link in self._links():
            if link.is_symlink() and _is_left_over(Path(os.readlink(link)).parent):
                link.unlink()
            if link.is_symlink() or link.exists():
                raise NoSlurm(f"{link} is there already: this machine belongs to a cluster")
        try:
            ETC.mkdir(exist_ok=True)
            for link in self._links():
                link.symlink_to(self.root / link.name)
        except OSError as error:
            raise NoSlurm(f"cannot write to {ETC} ({error.strerror})") from None

    def _start_daemons(self) -> None:
        munge = self.root / "munge"
        self._start(
            "munged", "--foreground", "--force", f"--socket={munge}/socket", f"--key-file={munge}/key",
            f"--pid-file={munge}/pid", f"--log-file={self.root}/log/munged.log", f"--seed-file={munge}/seed",
            "--num-threads=2",
        )  # fmt: skip
        wait(lambda: (munge / "socket").exists(), "munged did not come up")
        if self.accounting:
            self._start_accounting()
        configuration = str(self.root / "slurm.conf")
        self._start("slurmctld", "-D", "-f", configuration)
        for node in NODES:
            self._start("slurmd", "-D", "-f", configuration, "-N", node)

    def _start_accounting(self) -> None:
        # slurmdbd looks for its configuration beside that of the cluster
        where = {"SLURM_CONF": str(self.root / "slurm.conf")}
        database = slurm_accounting.database_command(self.root, self.ports["mariadbd"])
        for command, variables in ((database, {}), (["slurmdbd", "-D"], where)):
            name = Path(command[0]).name
            self._start(*command, **variables)
            self._wait_for_port(name)

    def _wait_for_port(self, name: str) -> None:
        def answers() -> bool:
            self._ensure_running()
            return slurm_accounting.answers(self.ports[name])

        wait(answers, f"{name} did not come up")

    def _start(self, program: str, *arguments: str, **environment: str) -> None:
        name = Path(program).name
        name = f"{name}-{arguments[-1]}" if name == "slurmd" else name
        output = self.root / f"log/{name}.out"
        self.daemons[name] = start_daemon([program, *arguments], output, **environment)

    def _ensure_running(self) -> None:
        for name, process in self.daemons.items():
            if process.poll() is not None:
                raise NoSlurm(f"{name} ended: {self._last_words(name)}")

    def _wait_for_nodes(self) -> None:
        def all_idle() -> bool:
            self._ensure_running()
            states = self.tell("sinfo", "-h", "-N", "-o", "%N %T", check=False).splitlines()
            return {line for line in states} >= {f"{node} idle" for node in NODES}

        wait(all_idle, "the nodes did not come up")

    def _last_words(self, name: str) -> str:
        lines = (self.root / f"log/{name}.out").read_text(errors="replace").strip().splitlines()
        return " ".join(lines[-2:]) or "it said nothing"

    def _cancel_all(self) -> None:
        for node in NODES:  # a drained one would keep its jobs
            self.tell("scontrol", "update", f"nodename={node}", "state=resume", check=False)
        self.tell("scancel", "--user", getpass.getuser(), check=False)
        try:
            wait(lambda: not self.tell("squeue", "-h", check=False).strip(), "jobs did not end")
        except NoSlurm:
            self.tell("scancel", "--signal=KILL", "--user", getpass.getuser(), check=False)


def _is_left_over(folder: Path) -> bool:
    """Whether a folder held the cluster of tests that have ended, or is gone."""
    if not folder.exists():
        return True
    owner = folder / OWNER
    return owner.exists() and not Path(f"/proc/{owner.read_text()}").exists()
