"""Contact sheet of co-segmentation by several sources that vote."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from semcorr.evaluation.segmentation import LabelledPair, score_pair
from semcorr.evaluation.voting import Voters
from semcorr.report.contact_sheet import Prediction, part_sheet
from semcorr.stages.matched.coseg_votes import voted_pairs
from semcorr.stages.pictures.sheet_pose import Sheet, sheet_sources, sheet_target

MOST_SOURCES = 12  # pictures above the rows; more may vote


def vote_sheet(sheet: Sheet, votes: Sequence[Voters], size: int) -> UInt8[np.ndarray, "h w 3"]:
    """Draw the rows of the part sheet with the labels that most sources vote for.

    A target without labels has no score.

    Args:
        sheet: of the pose.
        votes: numbers of voters of the experiment; the last one is shown.
        size: pixels a picture.
    """
    voters = votes[-1]
    found = {method: _decisions(sheet, method, voters) for method in sheet.methods}
    used = sorted({s for rows in found.values() for pair in rows.values() for s in pair.source})
    header = used[:MOST_SOURCES]
    targets = [
        sheet_target(
            sheet,
            target,
            {
                method: _prediction(rows[source, target], header)
                for method, rows in found.items()
                if (source, target) in rows
            },
        )
        for source, target in sheet.shown
    ]
    who = f"{voters} sources vote" if len(header) == len(used) else f"{len(used)} sources vote"
    words = (f"{who}, weighted by confidence", sheet.text.subtitle)
    text = replace(sheet.text, subtitle="; ".join(filter(None, words)))
    sources = sheet_sources(sheet, header)
    return part_sheet(text, sources, targets, list(sheet.methods), sheet.names, size)


def _decisions(sheet: Sheet, method: str, voters: Voters) -> dict[tuple[str, str], LabelledPair]:
    """Return a group's decision for each row: the one that the row's source is the first of, or any."""
    rows = {target: source for source, target in sheet.shown}
    found: dict[tuple[str, str], LabelledPair] = {}
    voted = voted_pairs(
        sheet.methods[method], sheet.names, [voters], set(rows), targets_without=True
    )
    for _, pair in voted:
        row = (rows[pair.target], pair.target)
        if pair.predicted is not None and (row not in found or pair.source[0] == row[0]):
            found[row] = pair
    return found


def _prediction(pair: LabelledPair, header: list[str]) -> Prediction:
    shown = tuple(header.index(source) for source in pair.source if source in header)
    return Prediction(shown, labels=pair.predicted, score=score_pair(pair).mean_iou)
