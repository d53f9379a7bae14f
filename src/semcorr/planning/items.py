"""Which items a data set has, in which chunks."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from semcorr.config.load import dump
from semcorr.config.root import Config
from semcorr.datasets import attribution
from semcorr.datasets import members as item_lists
from semcorr.errors import UserError
from semcorr.planning.paths import manifest

# Which columns of items.csv a stage reads: only these are in its `members`
COLUMNS = {
    "raw": ("path", "sha256", *attribution.COLUMNS),
    "export": attribution.COLUMNS,
    "meshes": ("file", "up", "front"),
    "index": ("category",),
}


class Items:
    """Data sets of one configuration, as their item lists say."""

    def __init__(self, config: Config):
        self.config = config
        # A set of ten thousand items makes thousands of jobs, which all ask the same questions
        self._known: dict[tuple, Any] = {}

    def _once(self, question: tuple, answer: Callable[[], Any]) -> Any:
        if question not in self._known:
            self._known[question] = answer()
        return self._known[question]

    @cached_property
    def datasets(self) -> dict[str, dict[str, Any]]:
        """The `datasets` section as nested builtins."""
        return dump(self.config)["datasets"]

    def chunks(self, dataset: str) -> dict[int, list[item_lists.Member]]:
        """Return {chunk: members} of a data set; empty buckets are not planned."""
        if dataset not in self.config.datasets:
            raise UserError(
                f"no data set {dataset!r}; there are: {', '.join(self.config.datasets)}"
            )
        return self._once(("chunks", dataset), lambda: item_lists.chunks_of(self.datasets, dataset))

    def members(self, stage: str, dataset: str, chunk: str) -> list[list[str]]:
        """Return the `members` parameter: sorted [id, digest of the columns that the stage reads]."""
        columns = COLUMNS.get(stage, ())

        def rows() -> list[list[str]]:
            return [[m.id, m.digest(columns)] for m in self.chunks(dataset).get(int(chunk), [])]

        # most stages read no column, and share one list: of a million rows it is not small
        return self._once(("members", columns, dataset, int(chunk)), rows)

    def files(self, stage: str, dataset: str, chunk: str) -> list[str]:
        """Return the files of a chunk's items that are there: meshes and what they name, or labels."""
        members = self.chunks(dataset).get(int(chunk), [])
        entry = item_lists.base_entry(self.datasets, dataset)
        find = item_lists.mesh_files if stage == "meshes" else item_lists.truth_files
        return self._once(("files", stage, dataset, chunk), lambda: find(entry, members))

    def index_members(self, dataset: str) -> list[list[str]]:
        """Return the `members` of the index: all items, in all chunks."""
        chunks = self.chunks(dataset)
        return sorted(row for c in chunks for row in self.members("index", dataset, str(c)))

    def index_inputs(self, dataset: str) -> dict[str, list[str]]:
        """Return {input name: manifests} of the index of a data set: meshes and truth of all chunks."""
        return {
            section: [manifest(section, None, dataset, c) for c in self.chunks(dataset)]
            for section in ("meshes", "truth")
        }
