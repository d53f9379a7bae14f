"""Unpack the archive of a data set into a folder, without trusting it.

Example:
    python -m semcorr.stages.unpack 03001627.zip /data/ShapeNetCore.v2/03001627
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from semcorr.assets.archive import Limits, unpack
from semcorr.assets.verify import hash_of
from semcorr.errors import UserError


def command_line(arguments: Sequence[str] | None = None) -> int:
    """Unpack an archive from the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m semcorr.stages.unpack",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("archive", type=Path, help=".zip, .tar, .tar.gz, .tar.bz2, .tar.xz")
    parser.add_argument("folder", type=Path, help="folder to make; must not exist")
    parser.add_argument("--max-bytes", type=int, default=Limits.bytes, help="of all files together")
    parser.add_argument("--max-files", type=int, default=Limits.files, help="files and folders")
    parser.add_argument("--sha256", help="what the archive must be")
    options = parser.parse_args(arguments)
    try:
        if options.sha256 and options.archive.is_file():
            found = hash_of(options.archive)
            if found != options.sha256.lower():
                raise UserError(
                    f"{options.archive}: sha256 is {found}, expected {options.sha256}; fetch it again"
                )
        limits = Limits(options.max_bytes, options.max_files)
        count = unpack(options.archive, options.folder, limits)
    except (UserError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{options.folder}: {count} files\n")
    return 0


if __name__ == "__main__":
    sys.exit(command_line())
