"""Stage `fetch_asset`: one asset of `config/assets.csv` to `results/assets/`.

`python -m semcorr.stages.fetch_asset dinov2_vits14` does it without a workflow.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from semcorr.assets.download import Patience
from semcorr.assets.fetch import fetch
from semcorr.assets.sources import MIRROR_VARIABLE, mirror_from_environment
from semcorr.assets.table import AssetRow, read_table, rows_of
from semcorr.errors import UserError
from semcorr.stages.running.job import StageJob
from semcorr.stages.running.logs import logging_to

# pinned: an edit of this code must not download gigabytes again; raise it if the outputs change
VERSION = 1


def main(job: StageJob) -> None:
    """Fetch one asset: output `manifest` is `{assets}/{key}.json`, the files lie beside it.

    `cfg["rows"]` holds the rows of the table (`AssetRow.as_params()`), so that an edited row is
    a changed parameter; without it they are read from the table. Whether the network may be used,
    and which licences are accepted, comes from the runtime: neither changes the result.
    """
    output = job.outputs["manifest"]
    key = output.stem
    given = job.cfg.get("rows")
    rows = [AssetRow(**row) for row in given] if given else rows_of(key, read_table())
    fetch(
        key,
        rows,
        output.parent,
        mirror=mirror_from_environment(),
        offline=job.runtime.offline,
        accept_licences=job.runtime.accept_licences,
    )


def command_line(arguments: Sequence[str] | None = None) -> int:
    """Fetch one asset from the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m semcorr.stages.fetch_asset", description=__doc__
    )
    parser.add_argument("key", help="name of the asset in the table")
    parser.add_argument("--output", type=Path, help="default: results/assets/{key}.json")
    parser.add_argument("--table", type=Path, help="default: config/assets.csv")
    parser.add_argument("--mirror", help=f"folder or address; default: ${MIRROR_VARIABLE}")
    parser.add_argument("--offline", action="store_true", help="forbid the network")
    parser.add_argument("--accept-licences", nargs="*", default=[], metavar="KEY")
    parser.add_argument("--attempts", type=int, default=Patience.attempts)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    output = options.output or Path("results/assets") / f"{options.key}.json"
    try:
        if output.name != f"{options.key}.json":
            raise UserError(f"--output {output}: the file must be named {options.key}.json")
        with logging_to(None):
            fetch(
                options.key,
                rows_of(options.key, read_table(options.table)),
                output.parent,
                mirror=options.mirror or mirror_from_environment(),
                offline=options.offline,
                accept_licences=options.accept_licences,
                timeouts=Patience(attempts=options.attempts),
                progress=not options.quiet,
            )
    except (UserError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(command_line())
