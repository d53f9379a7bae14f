"""Attention within groups of rows: windows of a grid, or the elements of a batch."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semcorr.networks.attention import attend
from semcorr.networks.sparse.voxel_set import VoxelSet

# Groups are padded to at most a quarter more than their size, and to multiples of at least this
_SMALLEST_STEP = 8


@dataclass(frozen=True)
class Bucket:
    """Groups of about one size, to be attended to at once.

    Attributes:
        rows: (g, m) rows of the members, padded with the first member.
        kept: (g, m) what is no padding; None where nothing is padded.
    """

    rows: Int[Tensor, "g m"]
    kept: Bool[Tensor, "g m"] | None


@dataclass(frozen=True)
class Groups:
    """A partition of rows into groups.

    Attributes:
        buckets: all groups, by size.
        back: position of every row among the members of all buckets in their order.
    """

    buckets: tuple[Bucket, ...]
    back: Int[Tensor, " n"]


def window_ids(voxels: VoxelSet, window: int, shift: int = 0) -> Int[Tensor, " n"]:
    """Window of every voxel: floor((index + shift) / window) per axis, and the batch element.

    Args:
        voxels: occupied voxels.
        window: cells per window and axis.
        shift: cells by which the windows are displaced, 0 <= shift < window.

    Returns:
        0..windows-1; equal for voxels of one window.
    """
    if window < 1 or not 0 <= shift < window:
        raise ValueError(f"expected 0 <= shift < window, got shift {shift}, window {window}")
    place = torch.cat([voxels.batch[:, None], (voxels.cells + shift) // window], dim=1)
    sides = place.amax(0) + 1
    key = ((place[:, 0] * sides[1] + place[:, 1]) * sides[2] + place[:, 2]) * sides[3] + place[:, 3]
    return key.unique(return_inverse=True)[1]


def groups_of(ids: Int[Tensor, " n"]) -> Groups:
    """Sort rows into groups of equal id and groups into buckets of about equal size.

    Args:
        ids: group of every row.

    Returns:
        Members of a group are in the order of their rows.
    """
    order = ids.argsort(stable=True)
    sizes = ids[order].unique_consecutive(return_counts=True)[1]
    starts = sizes.cumsum(0) - sizes
    padded = torch.tensor([_padded(size) for size in sizes.tolist()], device=ids.device)
    buckets = []
    for length in padded.unique().tolist():
        chosen = (padded == length).nonzero()[:, 0]
        buckets.append(_bucket(order, starts[chosen], sizes[chosen]))
    members = torch.cat([b.rows.flatten() if b.kept is None else b.rows[b.kept] for b in buckets])
    return Groups(tuple(buckets), members.argsort())


def _padded(size: int) -> int:
    step = max(_SMALLEST_STEP, 1 << max(size.bit_length() - 3, 0))
    return -(-size // step) * step


def _bucket(order: Tensor, starts: Tensor, sizes: Tensor) -> Bucket:
    length = int(sizes.max())
    place = torch.arange(length, device=order.device)
    kept = place < sizes[:, None]
    rows = order[starts[:, None] + place * kept]
    return Bucket(rows, None if bool(kept.all()) else kept)


def attend_in_groups(
    query: Float[Tensor, "n h d"],
    key: Float[Tensor, "n h d"],
    value: Float[Tensor, "n h d"],
    groups: Groups,
) -> Float[Tensor, "n h d"]:
    """Softmax attention of every row to the rows of its group, scale 1/sqrt(d).

    Args:
        query: queries.
        key: keys.
        value: values.
        groups: partition of the rows, see `groups_of`.

    Returns:
        Attended values, in the rows of the queries.
    """
    if len(groups.back) != len(query):
        raise ValueError(f"groups: of {len(groups.back)} rows, there are {len(query)}")
    found = []
    for bucket in groups.buckets:
        rows, kept = bucket.rows, bucket.kept
        mask = None if kept is None else kept[:, None, None]
        out = attend(query[rows], key[rows], value[rows], mask=mask)
        found.append(out.flatten(0, 1) if kept is None else out[kept])
    return torch.cat(found)[groups.back]
