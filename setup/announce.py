"""Say before `make demo` starts what it will download, how large that is, and where it goes.

Standard library only: no environment exists yet. The sizes are those of the pinned wheels for Linux
on x86_64 (`pip download`); Blender's is its wheel of 373 MB and what that depends on.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES_MB = 225  # requirements.txt without torch
CPU_TORCH_MB = 192
CUDA_TORCH = "several GB"
BLENDER_MB = 400


def is_made(marker, *sources):
    """Whether an environment's marker is newer than the files that it was made from."""
    files = [ROOT / source for source in sources]
    if not marker.is_file() or not all(file.is_file() for file in files):
        return False
    return marker.stat().st_mtime >= max(file.stat().st_mtime for file in files)


def lines(blender, cpu_torch):
    """Return what to tell.

    Args:
        blender: whether our own Blender environment belongs to the demo.
        cpu_torch: whether an index or folder with a CPU wheel of torch was named.
    """
    downloads = []
    if not is_made(ROOT / ".venv" / ".installed", "requirements.txt", "pyproject.toml"):
        downloads.append(f".venv: Python packages, about {PACKAGES_MB} MB")
        if cpu_torch:
            downloads.append(f".venv: torch for the CPU, {CPU_TORCH_MB} MB")
        else:
            downloads.append(
                f".venv: torch, {CPU_TORCH_MB} MB where pip finds a CPU wheel, else {CUDA_TORCH}"
                " for CUDA (TORCH_INDEX=https://download.pytorch.org/whl/cpu avoids that)"
            )
    if blender and not is_made(ROOT / ".venv-blender" / ".installed", "requirements-blender.txt"):
        downloads.append(
            f".venv-blender: Blender as a Python module, about {BLENDER_MB} MB (GPL;"
            " RENDER=raycast does without)"
        )
    if not downloads:
        return ["Nothing is downloaded: the environments are there, weights are in the repository."]
    return [
        "To be downloaded from the package index:",
        *(f"  {line}" for line in downloads),
        "  shared libraries that are missing, with apt-get where that is allowed, a few MB",
        "Weights and shapes are part of the repository: nothing else is fetched.",
    ]


def main(arguments=None):
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blender", action="store_true")
    parser.add_argument("--cpu-torch", action="store_true")
    options = parser.parse_args(arguments)
    sys.stdout.write("\n".join(lines(options.blender, options.cpu_torch)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
