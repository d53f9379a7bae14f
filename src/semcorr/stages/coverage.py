"""Stage `coverage`: whether enough items are there, at the end of targets that collect chunks."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from semcorr.errors import UserError
from semcorr.stages.job import StageJob, run_alone
from semcorr.store.manifest import Row, read_manifest

log = logging.getLogger(__name__)


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
        try:
            check_coverage(rows, min_coverage, str(folder), "items")
        except UserError as error:
            problems.append(str(error))
        failed = sum(row.status != "ok" for row in rows)
        log.info("%s: %d of %d items are there", folder, len(rows) - failed, len(rows))
    if problems:
        raise UserError("\n".join(problems))


def check_coverage(rows: list[Row], min_coverage: float, where: str, unit: str) -> None:
    """Raise UserError naming the most frequent reasons when too many rows failed.

    Args:
        rows: all rows of all chunks.
        min_coverage: share of rows that must be ok.
        where: pose or folder, for the message.
        unit: what a row is, in the plural.
    """
    failed = [row for row in rows if row.status != "ok"]
    share = 1 - len(failed) / max(len(rows), 1)
    if share < min_coverage:
        worst = Counter(f"{row.status}: {row.reason}" for row in failed).most_common(3)
        reasons = "".join(f"\n  {count} x {reason}" for reason, count in worst)
        raise UserError(
            f"{where}: only {share:.0%} of {len(rows)} {unit} are there (min_coverage:"
            f" {min_coverage:.0%}); most frequent reasons:{reasons}\n"
            "Mend the items and run `snakemake -c all retry_failed`, or lower min_coverage."
        )


if __name__ == "__main__":
    run_alone(main, main.__doc__)
