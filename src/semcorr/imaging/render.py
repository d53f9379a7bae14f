"""Kind `render`: exact depth, as the renderer has it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from semcorr.config.kinds.render import Options
from semcorr.features.upstream import Upstream
from semcorr.store.items import Arrays

RAGGED = frozenset()


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Yield the function id -> {depth: (views, h, w) float32 along the optical axis, 0 = no hit}."""
    yield lambda item_id: upstream.renders.read(item_id, ("depth",))
