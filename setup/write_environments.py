"""Write envs/{cpu,gpu,blender}.yaml from the pinned requirements, so that no pin is written by hand twice.

python setup/write_environments.py [--check]
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NOTE = "# Written by setup/write_environments.py from requirements.txt; used with `snakemake --sdm conda`."
# name -> what it is for, and the index that the CPU build of torch comes from, if it is that
FAMILIES = {
    "cpu": ("Everything that runs no network: the CPU build of torch.", CPU_INDEX),
    "gpu": ("Networks: the package index's torch, which on Linux is the CUDA build.", None),
    "blender": (
        "As cpu; blender.post-deploy.sh adds a Python of its own with bpy (requirements-blender.txt).",
        CPU_INDEX,
    ),
}


def pins(path: Path) -> list[str]:
    """Return the lines `name==version` of a requirements file."""
    lines = [line.split("#", 1)[0].strip() for line in path.read_text().splitlines()]
    return [line for line in lines if line]


def environment(name: str, requirements: Path) -> str:
    """Return the text of one environment file."""
    purpose, index = FAMILIES[name]
    lines = [NOTE, f"# {purpose}", f"name: semcorr-{name}"]
    lines += ["channels: [conda-forge, nodefaults]", "dependencies:"]
    lines += ["  - python=3.11", "  - pip", "  - pip:"]
    wanted = [f"--extra-index-url {index}"] if index else []
    lines += [f"      - {line}" for line in [*wanted, *pins(requirements)]]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the files, or with --check say which differ; the exit code says if any does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    differ = 0
    for name in FAMILIES:
        path = ROOT / "envs" / f"{name}.yaml"
        text = environment(name, ROOT / "requirements.txt")
        if path.is_file() and path.read_text() == text:
            continue
        differ += 1
        sys.stderr.write(f"{path.relative_to(ROOT)}: {'differs' if options.check else 'written'}\n")
        if not options.check:
            path.write_text(text)
    return int(options.check and differ > 0)


if __name__ == "__main__":
    sys.exit(main())
