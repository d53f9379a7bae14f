"""Co-segmentation by several sources: every sample of a target takes the label that they vote for."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from semcorr.evaluation.segmentation import LabelledPair, PairScore, score_pair, summarise
from semcorr.evaluation.voting import Voters, voting_groups
from semcorr.stages.matched.coseg_labels import has_labels, labels_of_shapes
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.store.items import Arrays
from semcorr.transfer.labels import transfer_labels
from semcorr.transfer.voting import vote_labels


@dataclass(frozen=True)
class Voice:
    """What one source says of one target's sites.

    Attributes:
        labels: (n,) part index, -1 = abstains.
        confidence: (n,) of the map.
        parts: part indices that the source has.
    """

    labels: Int[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    parts: frozenset[int]


def score_votes(
    pairs: PosePairs, names: list[str], votes: list[Voters], seed: int
) -> dict[str, dict[str, Any]]:
    """Return {number of voters: summary}, each as `segmentation.summarise` returns it.

    A source without labels cannot vote and is in no group; one whose map or labels could not be read
    is, and abstains. A group without any voice has no counted part and lowers coverage.

    Args:
        pairs: of one pose.
        names: part names.
        votes: numbers of voters.
        seed: of the bootstrap.
    """
    scores: dict[Voters, list[PairScore]] = {voters: [] for voters in votes}
    for voters, voted in voted_pairs(pairs, names, votes):
        scores[voters].append(score_pair(voted))
    for voters in votes:
        scores[voters] += _lost(pairs, names, voters)
    return {str(voters): summarise(found, names, seed) for voters, found in scores.items()}


def voted_pairs(
    pairs: PosePairs,
    names: list[str],
    votes: Sequence[Voters],
    only: Collection[str] | None = None,
    targets_without: bool = False,
) -> Iterator[tuple[Voters, LabelledPair]]:
    """Yield (number of voters, prediction of one group) for every labelled target, on its samples.

    Args:
        pairs: of one pose.
        names: part names.
        votes: numbers of voters.
        only: the targets to read; None for all.
        targets_without: targets without labels too, whose truth is -1 everywhere, as in
            `coseg_labels.labelled_pairs`.
    """
    labels = labels_of_shapes(pairs, names)
    for target, maps in pairs.by_target():
        if only is not None and target not in only:
            continue
        truth = labels(target)
        if truth is None and not targets_without:
            continue
        sites = pairs.sites(target)
        first = sites.num_vertices
        truth = np.full(len(sites.positions), -1) if truth is None else truth
        voices = {
            source: voice_of(labels(source), arrays, first)
            for source, arrays in maps
            if _may_vote(pairs, source)
        }
        for voters in votes:
            for group in voting_groups(list(voices), voters):
                yield voters, _decided(pairs, group, target, truth[first:], voices)


def voice_of(
    labels: Int[np.ndarray, " s"] | None, arrays: Arrays | None, first: int = 0
) -> Voice | None:
    """Return what a source says of a target's sites from site `first` on; None = nothing.

    Args:
        labels: (s,) part index of the source's sites, -1 = none; None where it has no labels.
        arrays: of the map; None where there is no map.
        first: number of vertices of the target for its samples alone.
    """
    if labels is None or arrays is None:
        return None
    return Voice(
        transfer_labels(labels, arrays["target_to_source"][first:]),
        arrays["confidence"][first:],
        frozenset(int(part) for part in np.unique(labels) if part >= 0),
    )


def _decided(
    pairs: PosePairs,
    group: tuple[str, ...],
    target: str,
    truth: Int[np.ndarray, " n"],
    voices: dict[str, Voice | None],
) -> LabelledPair:
    heard = [voices[source] for source in group if voices[source] is not None]
    predicted = None
    if heard:
        predicted = vote_labels(
            np.stack([voice.labels for voice in heard]),
            np.stack([voice.confidence for voice in heard]),
        )
    sites = pairs.sites(target)
    return LabelledPair(
        source=group,
        target=target,
        truth=truth,
        predicted=predicted,
        positions=sites.positions[sites.num_vertices :],
        source_parts=frozenset().union(*(voice.parts for voice in heard)),
    )


def _lost(pairs: PosePairs, names: list[str], voters: Voters) -> Iterator[PairScore]:
    """Yield a score without a counted part for every group of a target whose truth failed.

    Such a target counts as if it had all parts of the pose.
    """
    sources: dict[str, list[str]] = {}
    for source, target, *_ in pairs.rows():
        if pairs.truth_failure(target) and _may_vote(pairs, source):
            sources.setdefault(target, []).append(source)
    for target, there in sources.items():
        for group in voting_groups(there, voters):
            yield PairScore(group, target, tuple(range(len(names))), {}, {}, None)


def _may_vote(pairs: PosePairs, source: str) -> bool:
    return has_labels(pairs, source) or pairs.truth_failure(source) is not None
