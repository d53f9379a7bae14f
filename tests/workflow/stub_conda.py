"""A conda that only pretends: environments are folders whose Python is this one without site-packages.

So a job that runs in one finds the packages only as Snakemake's fallback (the folder that Snakemake lies in),
and semcorr, which lies there through a .pth file if at all, only beside the workflow's scripts.
"""

import json
import stat
import sys
from pathlib import Path

CONDA = """#!/bin/bash
case "$1 $2" in
  "info --json") echo '{info}';;
  "--version ") echo "conda 25.1.0";;
  "clean -y") ;;
  "config --get") echo '{{"get": {{"channel_priority": "strict"}}}}';;
  "env create")
    while [ $# -gt 0 ]; do
      case "$1" in --file) file=$2;; --prefix) prefix=$2;; esac
      shift
    done
    mkdir -p "$prefix/bin" "$prefix/conda-meta"
    cp "$file" "$prefix/made_from.yaml"
    printf '#!/bin/sh\\necho "$CONDA_PREFIX" >> {base}/used\\nexec {python} -S "$@"\\n' > "$prefix/bin/python"
    printf '#!/bin/sh\\ncp "$1" "$CONDA_PREFIX/post_deploy"\\n' > "$prefix/bin/bash"
    chmod +x "$prefix/bin/python" "$prefix/bin/bash";;
  *) echo "stub: $*" >&2; exit 1;;
esac
"""
ACTIVATE = 'export CONDA_PREFIX="$1"; export PATH="$1/bin:$PATH"\n'


def write_stub(base: Path) -> str:
    """Write the stub; return the PATH entry under which `conda` is found."""
    (base / "bin").mkdir(parents=True)
    info = json.dumps({"conda_prefix": str(base), "platform": "linux-64"})
    conda = base / "bin/conda"
    conda.write_text(CONDA.format(info=info, base=base, python=sys.executable))
    conda.chmod(conda.stat().st_mode | stat.S_IXUSR)
    (base / "bin/activate").write_text(ACTIVATE)
    return str(base / "bin")


def made_from(work: Path) -> dict[str, Path]:
    """Return {name of the environment: its folder} of all that were made for a working folder."""
    found = {}
    for path in (work / ".snakemake/conda").glob("*/made_from.yaml"):
        (name,) = [ln for ln in path.read_text().splitlines() if ln.startswith("name: ")]
        found[name.removeprefix("name: ")] = path.parent
    return found
