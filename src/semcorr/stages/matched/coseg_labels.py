"""Part labels of the shapes of one pose, and of its pairs through their maps."""

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Int

from semcorr.datasets.context import Truth
from semcorr.evaluation.segmentation import LabelledPair
from semcorr.stages.matched.pose_pairs import PosePairs, true_site_labels
from semcorr.transfer.labels import transfer_labels

# Shapes; labels of a shape's sites are some hundred kilobytes
LABELS_KEPT = 500


def part_names(pairs: PosePairs) -> list[str]:
    """Return the sorted part names of all shapes of the pose."""
    found: set[str] = set()
    for source, target, *_ in pairs.rows():
        for item_id in (source, target):
            truth = pairs.truth_of(item_id)
            found |= set(truth.label_names) if truth else set()
    return sorted(found)


def has_labels(pairs: PosePairs, item_id: str) -> bool:
    """Tell whether any face of a shape is known to be of a part."""
    truth = pairs.truth_of(item_id)
    return truth is not None and bool((truth.face_labels >= 0).any())


def shape_labels(pairs: PosePairs, item_id: str, names: list[str]) -> np.ndarray | None:
    """Return the label of every site as index into `names`; None where the shape has no labels."""
    if not has_labels(pairs, item_id):
        return None
    truth = pairs.truth_of(item_id)
    return true_site_labels(pairs.sites(item_id), truth, _common(truth, names))


def shape_face_labels(
    pairs: PosePairs, item_id: str, names: list[str]
) -> Int[np.ndarray, " f"] | None:
    """Return the label of every face, -1 = none; None where the ground truth could not be read."""
    truth = pairs.truth_of(item_id)
    return None if truth is None else _common(truth, names)[truth.face_labels]


def _common(truth: Truth, names: list[str]) -> Int[np.ndarray, " l"]:
    """Return the index into `names` of each of a truth's labels, and last that of none."""
    return np.array([*(names.index(name) for name in truth.label_names), -1])


def labels_of_shapes(
    pairs: PosePairs, names: list[str]
) -> Callable[[str], Int[np.ndarray, " n"] | None]:
    """Return `shape_labels` by the id alone; it keeps the labels of the shapes asked for last."""
    return lru_cache(LABELS_KEPT)(lambda item_id: shape_labels(pairs, item_id, names))


def labelled_pairs(
    pairs: PosePairs,
    only: Collection[tuple[str, str]] | None = None,
    targets_without: bool = False,
) -> Iterator[LabelledPair]:
    """Yield a LabelledPair for every pair of two labelled shapes, on the target's samples.

    Args:
        pairs: of one pose.
        only: the (source, target) to read; None for all.
        targets_without: targets without labels too, whose truth is -1 everywhere: nothing can be
            scored there, what was carried can be shown.
    """
    labels = labels_of_shapes(pairs, part_names(pairs))
    # no map is read of the many targets without labels that a large set has
    wanted = {
        (source, target)
        for source, target, *_ in pairs.rows()
        if (only is None or (source, target) in only)
        and has_labels(pairs, source)
        and (targets_without or has_labels(pairs, target))
    }
    for source, target, arrays in pairs.pairs(wanted, ("target_to_source",)):
        sites = pairs.sites(target)
        truth, predicted = labels(target), None
        if truth is None:
            truth = np.full(len(sites.positions), -1)
        if arrays is not None:
            predicted = transfer_labels(labels(source), arrays["target_to_source"])
            predicted = predicted[sites.num_vertices :]
        yield LabelledPair(
            source=source,
            target=target,
            truth=truth[sites.num_vertices :],
            predicted=predicted,
            positions=sites.positions[sites.num_vertices :],
            source_parts=frozenset(int(p) for p in np.unique(labels(source)) if p >= 0),
        )
