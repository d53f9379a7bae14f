"""Why an experiment has maps and no score."""

import logging
from collections.abc import Callable
from typing import Any

from semcorr.stages.matched.pose_pairs import PosePairs

log = logging.getLogger(__name__)


def explained(
    summary: dict[str, Any], pairs: PosePairs, known: Callable[[str], bool], what: str
) -> dict[str, Any]:
    """Return the summary of a pose; where no pair is counted, with `reason`, which the log has too.

    Args:
        summary: with `targets`, a row per counted pair.
        pairs: of the pose.
        known: tells whether a shape has what is scored.
        what: its name, "labels".
    """
    if summary["targets"]:
        return summary
    reason = f"no pair is counted: {'; '.join(_causes(pairs, known, what))}"
    log.warning("%s; maps and pictures need no %s", reason, what)
    return summary | {"reason": reason}


def _causes(pairs: PosePairs, known: Callable[[str], bool], what: str) -> list[str]:
    sides = {"sources": set(), "targets": set()}
    for source, target, *_ in pairs.rows():
        sides["sources"].add(source)
        sides["targets"].add(target)
    found = []
    for side, ids in sides.items():
        without = [i for i in ids if not pairs.truth_failure(i) and not known(i)]
        if without:
            found.append(f"{len(without)} of {len(ids)} {side} have no {what}")
    if lost := pairs.lost():
        found.append(f"{len(lost)} of {len(pairs.rows())} pairs have no map or no readable truth")
    return found or [f"sources and targets have no {what} of one name"]
