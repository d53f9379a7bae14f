"""Scoring of co-segmentation: part labels carried from the source to the target's samples."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from semcorr.evaluation.segmentation import PairScore, score_pair, summarise
from semcorr.seeds import seed_of
from semcorr.stages.matched.coseg_labels import (
    has_labels,
    labelled_pairs,
    part_names,
    shape_labels,
)
from semcorr.stages.matched.coseg_votes import score_votes
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.stages.matched.uncounted import explained

log = logging.getLogger(__name__)


def score(pairs: PosePairs, cfg: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of one method and pose in coseg/{experiment}.json.

    Pairs whose source or target has no labels are left out: there is nothing to score. Pairs with a
    shape whose labels could not be read count against `coverage`. Where no pair is left, `reason` says
    why. Where the experiment says `votes`, the entry has the same numbers for that many sources at once.
    """
    names, seed = part_names(pairs), _seed(cfg)
    _warn_of_unknown(pairs)
    scores = [score_pair(pair) for pair in labelled_pairs(pairs)]
    summary = summarise([*scores, *lost_scores(pairs, names)], names, seed)
    if cfg["votes"]:
        summary["votes"] = score_votes(pairs, names, cfg["votes"], seed)
    return explained(summary, pairs, lambda item_id: has_labels(pairs, item_id), "labels")


def _warn_of_unknown(pairs: PosePairs) -> None:
    """Say which keys of `part_names` no shape of the pose has: they may be misspelt."""
    if unknown := sorted(pairs.part_names.keys() - pairs.names_in_data):
        there = ", ".join(sorted(pairs.names_in_data)) or "none"
        log.warning("part_names: no part is called %s; there are: %s", ", ".join(unknown), there)


def lost_scores(pairs: PosePairs, names: list[str]) -> Iterator[PairScore]:
    """Yield a score without a counted part for every pair with a shape whose truth failed.

    A target whose labels could not be read counts as if it had all parts of the pose.
    """
    for source, target, *_ in pairs.rows():
        if pairs.truth_failure(target):
            parts = tuple(range(len(names)))
        elif pairs.truth_failure(source):
            labels = shape_labels(pairs, target, names)
            if labels is None:
                continue
            of_samples = labels[pairs.sites(target).num_vertices :]
            parts = tuple(int(part) for part in np.unique(of_samples[of_samples >= 0]))
        else:
            continue
        yield PairScore(source, target, parts, {}, {}, None)


def _seed(cfg: dict[str, Any]) -> int:
    return seed_of(cfg["global_seed"], "bootstrap", cfg["category"])
