"""Stage `check`: what is there, what is missing, which targets stay possible, what to type.

`python -m semcorr.stages.check` prints a table and writes `results/check.json`; exit code 0 when
the demo is possible. No network, under 20 seconds, and no broken library can stop it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from semcorr.assets.table import repository_root
from semcorr.stages.running.machine import gather

SCHEMA = 1
FREE_GB = {
    "demo": 2.0,
    "hnsr": 6.0,
}  # space that the results (and fetched weights) of a target take
MAKE_ENV = "make env"
MAKE_BLENDER = "make env-blender"
RAYCAST = "make demo RENDER=raycast"
# `method=auto` of pair tries these in order
GUIDED = {
    "guided DINOv2-S": "dinov2_vits14",
    "guided MobileNetV2": "mobilenetv2_imagenet",
    "guided tiny": "image_encoder_tiny",
}
PRESET_HNSR = "config/presets/hnsr.yaml"
HNSR_ASSETS = ("trellis_ss_enc", "trellis_ss_flow_img", "dinov2_vitl14_reg")
HERE = ("present", "mirror", "shipped")


def missing(what: str, type_: str) -> dict:
    """Return one thing that is missing and the command that mends it."""
    return {"what": what, "type": type_}


@dataclass(frozen=True)
class Wanted:
    """What the experiments of a configuration need.

    Attributes:
        weights: asset keys.
        backends: of renders.
        offline: whether nothing may be fetched.
    """

    weights: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    offline: bool = False


def targets(facts: dict, wanted: Wanted | None = None) -> dict[str, dict]:
    """Say which targets are possible.

    Args:
        facts: as `machine.gather` returns them.
        wanted: of the configuration in use; without it nothing is said of its experiments.

    Returns:
        `{target: {"possible": bool, "note": str, "missing": [{"what", "type"}]}}`.
    """
    core = _core(facts)
    weights = _shipped_weights(facts)
    space = _space(facts["disk"], FREE_GB["demo"])
    blender = _blender(facts)
    method, pair = _pair(facts["assets"])
    hnsr = _assets(facts["assets"], HNSR_ASSETS)
    if not (repository_root() / PRESET_HNSR).is_file():
        hnsr.append(missing(PRESET_HNSR, f"git checkout {PRESET_HNSR}"))
    download = [k for k in HNSR_ASSETS if facts["assets"].get(k, {}).get("state") == "network"]
    device = "on " + facts["devices"]["gpus"][0] if facts["devices"]["gpus"] else "on the CPU: slow"
    note = f"{device}; to download: {', '.join(download) or 'nothing'}"
    big = _space(facts["disk"], FREE_GB["hnsr"])
    plugin = facts["packages"]["snakemake_executor_plugin_slurm"]
    slurm = (
        [] if facts["slurm"]["ok"] else [missing("sbatch", "work on a node with Slurm's client")]
    )
    slurm += (
        [] if plugin["ok"] is not False else [missing(f"Slurm plug-in {plugin['error']}", MAKE_ENV)]
    )
    found = {} if wanted is None else {"experiments": _experiments(facts, wanted, core, blender)}
    return found | {
        "demo": _target("make demo", core + weights + space + blender),
        "demo_raycast": _target(RAYCAST, core + weights + space),
        "pair": _target(f"method=auto takes {method}" if method else "", core + pair),
        "preset_hnsr": _target(note, core + hnsr + big + blender),
        "slurm": _target(facts["slurm"]["version"], core + slurm),
    }


def _experiments(facts: dict, wanted: Wanted, core: list[dict], blender: list[dict]) -> dict:
    """What the tables of the configuration in use need."""
    fetched = [k for k in wanted.weights if facts["assets"].get(k, {}).get("state") == "network"]
    lacks = core + _assets(facts["assets"], wanted.weights)
    if wanted.offline:
        lacks += [
            missing(f"asset {key} (offline: true)", "set `offline: false`") for key in fetched
        ]
    if "blender" in wanted.backends:
        lacks += blender
    return _target(f"this configuration; to download: {', '.join(fetched) or 'nothing'}", lacks)


def _target(note: str, lacks: list[dict]) -> dict:
    unique = list({json.dumps(item): item for item in lacks}.values())
    return {"possible": not unique, "note": note, "missing": unique}


def _core(facts: dict) -> list[dict]:
    """What every target needs: this Python and the libraries that all stages import."""
    found = []
    if not facts["python"]["ok"]:
        version = facts["python"]["version"]
        found.append(missing(f"Python 3.11 (this is {version})", f"{MAKE_ENV} PYTHON3=python3.11"))
    for name, fact in facts["packages"].items():
        if fact["needed_by"] == "all" and fact["ok"] is False:
            found.append(missing(f"{name}: {fact['error']}", _remedy(fact, facts)))
    return found


def _remedy(fact: dict, facts: dict) -> str:
    """The command for a library that does not import."""
    if ".so" in fact["error"] and facts["shared_libraries"]["command"]:
        return facts["shared_libraries"]["command"]
    return MAKE_ENV if not fact["version"] else f"rm -rf .venv && {MAKE_ENV}"


def _shipped_weights(facts: dict) -> list[dict]:
    """Weights that the default configuration names and that are not on this machine."""
    assets = facts["assets"]
    if "error" in assets:
        problem = f"config/assets.csv: {assets['error']['error']}"
        return [missing(problem, "git checkout config/assets.csv")]
    return [
        missing(f"weights {key}", "git checkout config resources/weights   (or: make tiny-weights)")
        for key in facts["default_weights"]
        if assets.get(key, {}).get("state", "missing") not in HERE
    ]


def _space(disk: dict, needed_gb: float) -> list[dict]:
    if disk["free_gb"] >= needed_gb:
        return []
    text = f"{needed_gb:.0f} GB of disk space ({disk['free_gb']} GB free)"
    return [missing(text, "make room, or link results/ to another disk")]


def _blender(facts: dict) -> list[dict]:
    fact = facts["blender"]
    if fact["ok"]:
        return []
    what = f"Blender: {fact['problem']}"
    if facts["shared_libraries"]["command"] and fact["missing_library"]:
        remedy = facts["shared_libraries"]["command"]
    else:
        remedy = MAKE_BLENDER
    return [missing(what, f"{remedy}   (or do without: {RAYCAST})")]


def _pair(assets: dict) -> tuple[str, list[dict]]:
    """Return the method that `method=auto` would take, and what is missing if there is none."""
    better = []  # would be taken instead, if the download succeeds
    for name, key in GUIDED.items():
        state = assets.get(key, {}).get("state", "missing")
        if state in HERE:
            return name + "".join(f" ({b} if it can be downloaded)" for b in better[:1]), []
        if state == "network":
            better.append(name)
    if better:
        return f"{better[0]}, which must be downloaded", []
    remedy = "git checkout config resources/weights, or set SEMCORR_MIRROR"
    return "", [missing("weights of every guided method", remedy)]


def _assets(assets: dict, keys: Iterable[str]) -> list[dict]:
    """Assets that can be had nowhere."""
    found = []
    for key in keys:
        if assets.get(key, {}).get("state", "missing") == "missing":
            remedy = f"python -m semcorr.stages.fetch_asset {key}   (it says where to put the file)"
            found.append(missing(f"asset {key}", remedy))
    return found


def text(facts: dict, possible: dict) -> str:
    """Return the table for people."""
    lines: list[str] = []
    _section(lines, "machine", _machine(facts))
    packages = facts["packages"].items()
    rows = [(n, f["version"] or "-", "ok" if f["ok"] else f["error"]) for n, f in packages]
    _section(lines, "packages", rows)
    _section(lines, "assets", [_asset_row(key, asset) for key, asset in facts["assets"].items()])
    rows = [(n, "yes" if t["possible"] else "no", t["note"]) for n, t in possible.items()]
    _section(lines, "possible targets", rows)
    wanted = {i["what"]: i["type"] for t in possible.values() for i in t["missing"]}
    if wanted:
        _section(lines, "missing, and what to type", list(wanted.items()))
    return "\n".join(lines) + "\n"


def _machine(facts: dict) -> list[tuple]:
    """Rows of the first section."""
    python, devices, blender = facts["python"], facts["devices"], facts["blender"]
    libraries, slurm = facts["shared_libraries"], facts["slurm"]
    gpus = ", ".join(devices["gpus"]) or devices["problem"] or "none"
    return [
        ("Python", python["version"], python["executable"]),
        ("processors", devices["cpus"], f"{devices['memory_gb']} GB of memory"),
        ("CUDA", "yes" if devices["cuda"] else "no", gpus),
        ("Blender", blender["version"] or ("there" if blender["ok"] else "no"), blender["problem"]),
        (
            "shared libraries",
            "missing" if libraries["missing"] else "ok" if not libraries["problem"] else "?",
            ", ".join(libraries["missing"]) or libraries["problem"],
        ),
        ("mirror", facts["mirror"] or "no", "" if facts["mirror"] else "SEMCORR_MIRROR is not set"),
        ("disk", f"{facts['disk']['free_gb']} GB free", facts["disk"]["path"]),
        ("Slurm client", slurm["version"] or "no", slurm["sbatch"]),
    ]


def _asset_row(key: str, asset: dict) -> tuple:
    if "error" in asset:
        return key, asset["state"], asset["error"]
    size = f"{asset['bytes'] / 1e6:.1f} MB"
    size = size if asset["bytes_are"] == "exact" else f"<= {size}"
    terms = asset["licence"] + (" (non-commercial)" if asset["non_commercial"] else "")
    return key, asset["state"], f"{asset['verified']:<10}", f"{size:>13}", terms


def _section(lines: list[str], title: str, rows: Sequence[tuple]) -> None:
    """Append a titled block whose columns are as wide as their contents."""
    lines.append(title)
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [
        max((len(row[i]) for row in cells if i < len(row) - 1), default=0)
        for i in range(max(map(len, cells), default=0))
    ]
    for row in cells:
        padded = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        lines.append(("  " + "  ".join(padded)).rstrip())
    lines.append("")


def check(
    output: Path,
    write: Callable[[str], object],
    *,
    fast: bool = False,
    blender: str = "",
    wanted: Wanted | None = None,
    seconds: float = 15.0,
) -> int:
    """Gather, write `output`, show the table; return the exit code (0: the demo is possible)."""
    facts = gather(output.parent, fast=fast, blender=blender, seconds=seconds)
    possible = targets(facts, wanted)
    output.parent.mkdir(parents=True, exist_ok=True)
    record = {"schema": SCHEMA, **facts, "targets": possible}
    temporary = output.with_name(f".{output.name}.tmp")
    temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    temporary.replace(output)
    write(text(facts, possible))
    demo = possible["demo"]["possible"]
    if not demo and possible["demo_raycast"]["possible"]:
        write(f"The demo is not possible as it stands; without Blender it is: {RAYCAST}\n")
    elif not demo:
        write("The demo is not possible.\n")
    else:
        write("The demo is possible: make demo\n")
    return 0 if demo else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stage from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m semcorr.stages.check", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("results/check.json"))
    parser.add_argument("--blender", default="", help="Blender, or a Python with bpy")
    parser.add_argument("--experiments", help="JSON of what the configuration in use needs")
    parser.add_argument("--fast", action="store_true", help="import nothing, start no Blender")
    parser.add_argument("--seconds", type=float, default=15.0, help="what takes longer, hangs")
    options = parser.parse_args(arguments)
    return check(
        options.output,
        sys.stdout.write,
        fast=options.fast,
        blender=options.blender,
        wanted=Wanted(**json.loads(options.experiments)) if options.experiments else None,
        seconds=options.seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
