"""Which method `pair` uses: the one asked for, or the best of those whose weights can be had here."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from semcorr.assets.download import Patience, TransientError
from semcorr.assets.fetch import fetch
from semcorr.assets.sources import mirror_from_environment
from semcorr.assets.table import read_table, rows_of
from semcorr.config.base import Variant
from semcorr.config.root import Config
from semcorr.errors import UserError
from semcorr.planning import Plan, weights_manifest
from semcorr.stages.running.job import Runtime

log = logging.getLogger(__name__)

AUTO_ORDER = ("guided_dinov2_s", "guided_mobilenetv2", "guided_tiny")
# one short try: a laptop without network must not wait
SHORT = Patience(connect=5.0, attempts=1)


@dataclass(frozen=True)
class Choice:
    """A method and why it was taken.

    Attributes:
        name: entry of `methods`.
        entry: its options.
        reasons: one sentence per method that was looked at.
        weights: names of all weights that it rests on.
    """

    name: str
    entry: Variant
    reasons: tuple[str, ...]
    weights: frozenset[str] = frozenset()


class PairMethods:
    """Finds methods and brings their weights.

    Args:
        config: validated configuration.
        runtime: offline, licences.
        results: folder of results; fetched weights go to its assets/.
    """

    def __init__(self, config: Config, runtime: Runtime, results: Path):
        self._config = config
        self._runtime = runtime
        self._results = results

    def choose(self, asked: str) -> Choice:
        """Return the method `asked`, or with `auto` the first of AUTO_ORDER that can run here.

        Raises:
            UserError: there is no such method, or its weights cannot be had.
        """
        if asked != "auto":
            if asked not in self._config.methods:
                raise UserError(
                    f"method={asked}: there is no such method; use auto or one of:"
                    f" {', '.join(self._config.methods)}"
                )
            entry = self._config.methods[asked]
            try:
                self._bring(asked, Patience())
            except TransientError as error:
                raise UserError(
                    f"{asked}: its weights cannot be fetched now ({str(error).splitlines()[0]});"
                    " try again, put them into a mirror (SEMCORR_MIRROR), or use"
                    " method=spatial_yaw, which needs none"
                ) from None
            return Choice(asked, entry, (f"{asked}: asked for",), self._behind(asked))
        reasons = []
        for name in AUTO_ORDER:
            if name not in self._config.methods:
                reasons.append(f"{name}: not in the configuration")
                continue
            entry = self._config.methods[name]
            try:
                self._bring(name, SHORT)
            except (UserError, OSError) as error:
                reasons.append(f"{name}: {str(error).splitlines()[0]}")
                continue
            reasons.append(f"{name}: weights are here")
            return Choice(name, entry, tuple(reasons), self._behind(name))
        raise UserError(
            "no method with features can run here (method=spatial_yaw needs no weights):\n  "
            + "\n  ".join(reasons)
        )

    def weights(self, name: str) -> Path:
        """Return the small JSON of weights that `choose` brought."""
        manifest = Path(weights_manifest(name, trained=name in self._config.models))
        return self._results.parent / manifest

    def _behind(self, method: str) -> frozenset[str]:
        return frozenset(Plan(self._config).weights_behind(method))

    def _bring(self, method: str, patience: Patience) -> None:
        for name in sorted(self._behind(method)):
            if name in self._config.models:
                if not self.weights(name).exists():
                    raise UserError(f"{name} is not trained yet: snakemake -c all models")
                continue
            if self._runtime.offline:
                patience = replace(patience, attempts=1)
            fetch(
                name,
                rows_of(name, read_table()),
                self._results / "assets",
                mirror=mirror_from_environment(),
                offline=self._runtime.offline,
                accept_licences=self._runtime.accept_licences,
                timeouts=patience,
            )
