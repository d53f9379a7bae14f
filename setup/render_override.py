"""Print the `--config` value that turns every Blender entry of `renders:` to another backend.

    snakemake -c all results/coseg/chair.json --config "$(python setup/render_override.py raycast)"

Made from the configuration, so that a renamed or added entry needs no second place to be edited.
"""

import json
import sys
from pathlib import Path

import yaml

CONFIG = Path(__file__).resolve().parent.parent / "config" / "config.yaml"
BACKENDS = ("blender", "raycast")


def override(config, backend):
    """Return `renders={...}` with `backend` for each entry that has another one."""
    entries = config.get("renders") or {}
    # an entry without `backend` has the default, which is Blender
    changed = {n: {"backend": backend} for n, e in entries.items() if e.get("backend") != backend}
    return f"renders={json.dumps(changed)}"


def main(arguments):
    """Run the command line; return the exit code."""
    if len(arguments) != 1 or arguments[0] not in BACKENDS:
        sys.stderr.write(f"RENDER is one of: {', '.join(BACKENDS)}\n")
        return 2
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    sys.stdout.write(override(config, arguments[0]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
