"""Who votes together when several labelled sources are used at once."""

from collections.abc import Sequence
from typing import Literal

Voters = int | Literal["all"]


def voting_groups(sources: Sequence[str], voters: Voters) -> list[tuple[str, ...]]:
    """Return the groups of sources that vote on one target.

    Of n sources these are the n runs of `voters` neighbours in a circle: every source is in equally
    many groups and comes first in one of them, and the mean over groups of one is the score of single
    sources. Where all that there are vote, that is one group.

    Args:
        sources: those that can vote on the target, sorted.
        voters: how many vote at once; fewer where there are fewer.
    """
    count = len(sources)
    if voters == "all" or voters >= count:
        return [tuple(sources)] if count else []
    around = [*sources, *sources]
    return [tuple(around[start : start + voters]) for start in range(count)]
