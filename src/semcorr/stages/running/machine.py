"""What this machine has: each fact is found so that nothing broken can take the others with it.

Compiled libraries are imported in a process of their own that reports each import before it tries
the next; where one crashes or hangs, that one is named and a new process goes on behind it. Nothing
here uses the network, and nothing but the standard library and the asset table is imported.
"""

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import selectors
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from semcorr.assets.records import read_record, state_of
from semcorr.assets.sources import mirror_from_environment
from semcorr.assets.table import AssetRow, read_table, repository_root
from semcorr.errors import SemcorrError

PYTHON_WANTED = (3, 11)
# module -> (distribution, what needs it: all, or only some targets)
# the order of trying: what breaks on bare machines first, so that a slow machine still learns of it
IMPORTS = {
    "embreex": ("embreex", "all"),
    "OpenEXR": ("OpenEXR", "blender"),
    "numpy": ("numpy", "all"),
    "torch": ("torch", "all"),
    "timm": ("timm", "all"),
    "scipy": ("scipy", "all"),
    "zarr": ("zarr", "all"),
    "pyarrow": ("pyarrow", "all"),
    "PIL": ("pillow", "all"),
    "safetensors": ("safetensors", "all"),
    "pydantic": ("pydantic", "all"),
    "yaml": ("PyYAML", "all"),
    "trimesh": ("trimesh", "all"),
    "requests": ("requests", "all"),
    "tqdm": ("tqdm", "all"),
    "matplotlib": ("matplotlib", "all"),
    "snakemake": ("snakemake", "all"),
    "snakemake_executor_plugin_slurm": ("snakemake-executor-plugin-slurm", "slurm"),
}

_IMPORTER = """
import importlib, json, sys, time
def say(**answer):
    sys.__stdout__.write(json.dumps(answer) + "\\n")
    sys.__stdout__.flush()
for name in sys.argv[1:]:
    say(begin=name)
    start = time.perf_counter()
    error = ""
    try:
        if name == "timm":
            from semcorr.networks import torchvision_shim
            torchvision_shim.install()
        module = importlib.import_module(name)
    except BaseException as problem:
        error = f"{type(problem).__name__}: {problem}".splitlines()[0]
    say(module=name, error=error, seconds=round(time.perf_counter() - start, 2))
    if name == "torch" and not error:
        try:
            cuda = module.cuda.is_available()
            names = [module.cuda.get_device_name(i) for i in range(module.cuda.device_count())]
            say(cuda=cuda, names=names if cuda else [], built_for=module.version.cuda or "")
        except BaseException as problem:
            say(cuda=False, names=[], built_for="", problem=str(problem).splitlines()[0])
"""

_BLENDER = """
import dataclasses, json, sys
from semcorr.rendering.blender import find_blender
info = find_blender(sys.argv[1] or None, timeout_s=float(sys.argv[2]))
print("\\n" + json.dumps(dataclasses.asdict(info)))
"""


def gather(results: Path, *, fast: bool = False, blender: str = "", seconds: float = 15.0) -> dict:
    """Collect all facts.

    Args:
        results: folder of the results (assets and disk space are looked at there).
        fast: import nothing and start no Blender; only say what is installed.
        blender: Blender executable or Python with bpy named in the configuration, or empty.
        seconds: time after which an import or Blender counts as hanging.
    """
    with ThreadPoolExecutor(3) as pool:
        imports = pool.submit(packages, fast, seconds)
        renderer = pool.submit(blender_fact, blender, fast, seconds)
        libraries = pool.submit(libraries_fact, fast, seconds)
        facts = {
            "python": python_fact(),
            "assets": assets_fact(results / "assets"),
            "mirror": mirror_from_environment() or "",
            "default_weights": default_weights(repository_root() / "config" / "config.yaml"),
            "disk": disk_fact(results),
            "slurm": slurm_fact(),
        }
        facts["packages"], cuda = imports.result()
        facts["devices"] = devices_fact(cuda)
        facts["blender"] = renderer.result()
        facts["shared_libraries"] = libraries.result()
    return facts


def python_fact() -> dict:
    """Version and place of this Python."""
    return {
        "version": platform.python_version(),
        "executable": sys.executable,
        "platform": sysconfig.get_platform(),
        "ok": sys.version_info[:2] == PYTHON_WANTED,
    }


def packages(fast: bool, seconds: float) -> tuple[dict[str, dict], dict]:
    """Import every library in another process; return `{module: fact}` and torch's word on CUDA."""
    found = {}
    for name, (distribution, needed_by) in IMPORTS.items():
        fact = {"version": _version(distribution), "needed_by": needed_by, "ok": None, "error": ""}
        if fast:
            fact["ok"] = bool(fact["version"])
            fact["error"] = "" if fact["ok"] else "is not installed"
        found[name] = fact
    cuda = {"cuda": False, "names": [], "built_for": ""}
    deadline = time.monotonic() + seconds
    waiting = [] if fast else list(IMPORTS)
    while waiting:
        tried = _import_until_it_breaks(waiting, found, cuda, deadline)
        waiting = waiting[tried:]
    return found, cuda


def _import_until_it_breaks(names: Sequence[str], found: dict, cuda: dict, deadline: float) -> int:
    """Import in one process until it ends; return how many of `names` are settled (one or more)."""
    if time.monotonic() >= deadline:
        for name in names:  # installed, as far as anyone knows: no reason to call it broken
            there = found[name]["version"]
            error = "not tried: out of time" if there else "is not installed"
            found[name].update(ok=None if there else False, error=error)
        return len(names)
    command = [sys.executable, "-c", _IMPORTER, *names]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    settled = 0
    begun = names[0]
    for line in _lines_until(process, deadline):
        try:
            answer = json.loads(line)
        except ValueError:
            continue  # a library that writes to standard output while it is imported
        if "begin" in answer:
            begun = answer["begin"]
        elif "module" in answer:
            error = answer["error"]
            found[answer["module"]].update(ok=not error, error=error, seconds=answer["seconds"])
            settled += 1
        elif "cuda" in answer:
            cuda.update(answer)
    code = process.poll()
    hangs = code is None
    if hangs:
        process.kill()
    process.wait()
    process.stdout.close()
    late = "had no end yet: it hangs, or the machine is busy (try more --seconds)"
    end = late if hangs else f"ends Python (code {code})"
    if begun in names[:settled]:
        if begun == "torch" and (hangs or code):
            cuda["problem"] = f"torch's look for GPUs {end}"
    elif settled < len(names):
        found[begun].update(ok=None if hangs else False, error=f"its import {end}")
        settled += 1
    return settled


def _lines_until(process: subprocess.Popen, deadline: float):
    """Yield the process's lines until it closes its output or the time is over."""
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and selector.select(left):
            block = os.read(process.stdout.fileno(), 1 << 16)
            if not block:
                process.wait()
                return
            *lines, buffer = (buffer + block).split(b"\n")
            yield from lines


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def devices_fact(cuda: dict) -> dict:
    """Processors, memory, and what torch says of CUDA."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages / 1e9, 1),
        "cuda": cuda["cuda"],
        "gpus": cuda["names"],
        "torch_built_for_cuda": cuda["built_for"],
        "problem": cuda.get("problem", ""),
    }


def assets_fact(assets_dir: Path) -> dict[str, dict]:
    """State, size and licence of every asset; a broken table is itself a fact."""
    try:
        table = read_table()
    except Exception as error:  # noqa: BLE001 - any fault of the table must leave the rest readable
        return {"error": {"state": "missing", "error": str(error)}}
    mirror = mirror_from_environment()
    return {key: _asset(key, rows, assets_dir, mirror) for key, rows in table.items()}


def _asset(key: str, rows: Sequence[AssetRow], assets_dir: Path, mirror: str | None) -> dict:
    record = read_record(key, assets_dir) or {}
    exact = all(row.bytes is not None for row in rows)
    sizes = [row.bytes if row.bytes is not None else row.max_bytes or 0 for row in rows]
    state = state_of(rows, assets_dir, mirror)
    verified = "sha256" if all(row.sha256 for row in rows) else "unverified"
    return {
        "state": state,
        "bytes": record.get("bytes", sum(sizes)),
        "bytes_are": "exact" if record or exact else "at most",
        "licence": rows[0].licence,
        "non_commercial": any(row.non_commercial for row in rows),
        "verified": record.get("verified", verified) if state == "present" else verified,
        "description": rows[0].description,
    }


def default_weights(config: Path) -> list[str]:
    """Return the weights behind the experiments of the default configuration.

    Where a library that reads it does not import, every name that the text gives as weights: a broken
    library must not take this answer with it.
    """
    try:
        return _weights_of_experiments(config)
    except (ImportError, SemcorrError, OSError):
        return _weights_in_text(config)


def _weights_of_experiments(config: Path) -> list[str]:
    import yaml

    from semcorr.assets.table import asset_keys
    from semcorr.config.load import validate
    from semcorr.planning import Plan

    plan = Plan(validate(yaml.safe_load(config.read_text(encoding="utf-8")), asset_keys()))
    return plan.asked_of_machine()["weights"]


def _weights_in_text(config: Path) -> list[str]:
    try:
        lines = config.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    code = "\n".join(line.split("#")[0] for line in lines)
    return sorted(set(re.findall(r"\b(?:weights|image_encoder):\s*([a-z0-9_]+)", code)))


def disk_fact(results: Path) -> dict:
    """Free space where results will lie."""
    place = results.resolve()
    while not place.exists():
        place = place.parent
    return {"path": str(results), "free_gb": round(shutil.disk_usage(place).free / 1e9, 1)}


def slurm_fact() -> dict:
    """Whether the Slurm client is here; the cluster is not asked."""
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        return {"sbatch": "", "version": "", "ok": False}
    text = _output([sbatch, "--version"], 5)
    return {"sbatch": sbatch, "version": text.removeprefix("slurm").strip(), "ok": bool(text)}


def blender_fact(named: str, fast: bool, seconds: float) -> dict:
    """Whether Blender loads, found the way the renderer finds it, in another process."""
    if fast:
        named = named or os.environ.get("SEMCORR_BLENDER", "")
        program = Path(named) if named else repository_root() / ".venv-blender" / "bin" / "python"
        there = shutil.which(str(program)) is not None
        problem = "" if there else f"{program} is not there"
        return {"ok": there, "version": "", "missing_library": "", "problem": problem}
    command = [sys.executable, "-c", _BLENDER, named, str(seconds - 1)]
    try:
        info = json.loads(_output(command, seconds).splitlines()[-1])
    except (ValueError, IndexError):
        problem = "the renderer's own code does not load, or Blender hangs"
        return {"ok": False, "version": "", "missing_library": "", "problem": problem}
    return {
        "ok": bool(info["version"]),
        "version": info["version"] or "",
        "missing_library": info["missing_library"] or "",
        "problem": info["problem"] or "",
        "command": list(info["command"]),
    }


def libraries_fact(fast: bool, seconds: float) -> dict:
    """Ask the set-up script which shared libraries are missing; it installs nothing here."""
    script = repository_root() / "setup" / "shared_libraries.py"
    nothing = {"missing": [], "command": "", "problem": ""}
    if fast:
        return {**nothing, "problem": "not tried"}
    try:
        answer = json.loads(
            _output([sys.executable, str(script), "--check-only", "--json"], seconds)
        )
    except ValueError:
        return {**nothing, "problem": f"{script} gave no answer"}
    return {**nothing, "missing": answer["missing"], "command": answer["command"]}


def _output(command: Sequence[str], seconds: float) -> str:
    """Return a program's standard output, empty where it does not start or does not end."""
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            cwd=repository_root(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip()
