"""Stage `coverage`: whether enough items are there, at the end of targets that collect chunks."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from semcorr.errors import UserError
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.manifest import Row, read_manifest

log = logging.getLogger(__name__)

# Of a count, against rounding; far below one thing of any set
_ROUNDING = 1e-6


def main(job: StageJob) -> None:
    """Check the manifests of a target, all chunks of one variant and data set together."""
    check_manifests(job.inputs.get("manifests", []), job.runtime.min_coverage)


def check_manifests(manifests: Iterable[Path], min_coverage: float) -> None:
    """Check every folder of chunks by itself: none may hide behind the others.

    Raises:
        UserError: naming all folders with too many failed rows and their most frequent reasons.
    """
    folders: dict[Path, list[Row]] = defaultdict(list)
    for path in manifests:
        folders[path.parent].extend(read_manifest(path).rows)
    problems = []
    for folder, rows in sorted(folders.items()):
        failed = [f"{row.status}: {row.reason}" for row in rows if row.status != "ok"]
        try:
            check_coverage(failed, len(rows), min_coverage, str(folder), "items are there")
        except UserError as error:
            problems.append(str(error))
        log.info("%s: %d of %d items are there", folder, len(rows) - len(failed), len(rows))
    if problems:
        raise UserError("\n".join(problems))


def check_coverage(
    lost: Sequence[str], count: int, min_coverage: float, where: str, what: str
) -> None:
    """Raise UserError naming the most frequent reasons when too much is lost.

    Args:
        lost: why, for everything that is not there.
        count: number of all, lost or not.
        min_coverage: share that must be there.
        where: pose or folder, for the message.
        what: things and what is true of those that are there, for the message.
    """
    there = count - len(lost)
    # a share of a count is rarely exact: 0.2 of 10 must not become 2.0000000000000004
    if there < min_coverage * count - _ROUNDING:
        reasons = "".join(f"\n  {n} x {reason}" for reason, n in Counter(lost).most_common(3))
        raise UserError(
            f"{where}: only {there / count:.0%} of {count} {what} (min_coverage: {min_coverage:.0%});"
            f" most frequent reasons:{reasons}\n"
            "Mend the items and run `snakemake -c all retry_failed`, or lower min_coverage."
        )


if __name__ == "__main__":
    run_alone(main, main.__doc__)
