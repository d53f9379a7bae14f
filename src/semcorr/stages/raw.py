"""Stage `raw`: one chunk of a large set as it was downloaded, with what is known of every object."""

import hashlib
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from os import link
from pathlib import Path

from semcorr.assets.sources import mirror_from_environment
from semcorr.datasets import members as item_lists
from semcorr.datasets.members import Member
from semcorr.datasets.objaverse import RAW_RAGGED, raw_arrays, record_of
from semcorr.datasets.objaverse_fetch import Asked, Outcome, fetch_all
from semcorr.datasets.objaverse_source import Place
from semcorr.datasets.xl_identifiers import SOURCES
from semcorr.errors import ItemError
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.chunk import ChunkJob, ChunkReader, Compute, write_chunk
from semcorr.store.items import Arrays
from semcorr.store.lock import FolderLock
from semcorr.store.shared import shared_chunk

log = logging.getLogger(__name__)

# pinned: an edit of this code must not download a data set again; raise it if the outputs change
VERSION = 2
# names that no search for chunks finds
STORE, MANIFEST = "store.zarr", "manifest.json"


def main(job: StageJob) -> None:
    """Write raw/{dataset}/{chunk}: `content`, the bytes of each file, and `record`, JSON with its licence.

    The workflow engine deletes outputs before a job starts, and a chunk starts again whenever an object
    joins it. So two hidden folders lie beside the outputs: `.{chunk}.partial` with what is on its way,
    and `.{chunk}.kept`, the last finished store once more (hard links, no second copy of the bytes).
    """
    store = job.outputs["store"]
    partial = store.with_name(f".{store.stem}.partial")
    with FolderLock(partial):  # a writer with another list must not find it gone
        kept = Kept(store.with_name(f".{store.stem}.kept"))
        described = _chunk_job(job)
        shared = shared_chunk("raw", described.key, *_addresses(job))
        write_chunk(described, _preparation(job, partial, kept), unit="object", shared=shared)
        kept.replace(store, job.outputs["manifest"])
        shutil.rmtree(partial, ignore_errors=True)


def _preparation(job: StageJob, partial: Path, kept: "Kept"):
    """Return what brings the missing objects and gives the function id -> arrays."""
    datasets, name = job.config["datasets"], job.wildcards["dataset"]
    entry, members = datasets[name], item_lists.read_members(datasets, name)
    asset_row = import_module(f"semcorr.datasets.{entry['kind']}_source").asset_row
    place = Place(
        mirror=mirror_from_environment(),
        offline=job.runtime.offline,
        max_bytes=job.cfg["max_bytes"],
    )

    @contextmanager
    def prepare(missing: list[str]) -> Iterator[Compute]:
        usable = {i: members[i] for i in missing if members[i].status == "ok"}
        absent = {i: m for i, m in usable.items() if not kept.has(m, place.max_bytes)}
        log.info("%d objects kept, %d to fetch", len(usable) - len(absent), len(absent))
        wanted = {
            i: Asked(asset_row(m.columns, entry), m.columns.get("sha256", ""))
            for i, m in absent.items()
        }
        outcomes = fetch_all(wanted, partial, place, entry["connections"]) if wanted else {}
        yield lambda item_id: _arrays(members[item_id], outcomes.get(item_id), kept)

    return prepare


def _addresses(job: StageJob) -> list[str]:
    # where files come from is no parameter of the rule, but says what they are
    entry = job.config["datasets"][job.wildcards["dataset"]]
    return [str(entry[name]) for name in ("url", *SOURCES) if name in entry]


def _chunk_job(job: StageJob) -> ChunkJob:
    return ChunkJob(
        store=job.outputs["store"],
        manifest=job.outputs["manifest"],
        ids=job.ids,
        cfg=job.cfg,
        code=job.code,
        members=tuple(tuple(m) for m in job.members),
        inputs={},
        ragged=RAW_RAGGED,
        attributes={
            "seed": job.config.get("seed", 0),  # for readers: no download depends on it
            "weights_sha256": {},
            "frame": "of the file",
            "units": "of the file",
        },
    )


def _arrays(member: Member, outcome: Outcome | None, kept: "Kept") -> Arrays:
    if member.status != "ok":
        raise ItemError(member.reason, member.status)
    if isinstance(outcome, ItemError):
        raise outcome
    if outcome is None:
        return raw_arrays(member.columns, *kept.read(member.id))
    return raw_arrays(member.columns, outcome.path.read_bytes(), outcome.sha256)


@dataclass
class Kept:
    """The last finished store of a chunk under a hidden name: its objects are not fetched again."""

    folder: Path

    def __post_init__(self):
        self._reader: ChunkReader | None = None
        try:
            reader = ChunkReader(self.folder / MANIFEST, self.folder / STORE)
            self._records = {i: record_of(reader.read(i, ["record"])) for i in reader.ids}
            self._reader = reader
        except (OSError, ValueError, KeyError) as error:
            self._records = {}
            if self.folder.exists():
                log.warning("%s: not usable (%s); fetching again", self.folder, error)

    def has(self, member: Member, max_bytes: int) -> bool:
        """Tell whether the object of a row is there, undamaged, and is what the list says now."""
        record = self._records.get(member.id)
        if record is None or record["path"] != member.columns["path"]:
            return False
        expected = member.columns.get("sha256") or record["sha256"]
        wanted = record["sha256"] == expected and record["bytes"] <= max_bytes
        return wanted and self._is_whole(member.id)

    def _is_whole(self, item_id: str) -> bool:
        try:
            found = hashlib.sha256(self.read(item_id)[0]).hexdigest()
        except (OSError, ValueError, RuntimeError) as error:
            log.warning("%s: %s cannot be read (%s)", self.folder, item_id, error)
            return False
        if found != self._records[item_id]["sha256"]:
            log.warning("%s: %s is damaged; fetching it again", self.folder, item_id)
        return found == self._records[item_id]["sha256"]

    def read(self, item_id: str) -> tuple[bytes, str]:
        """Return the bytes of an object and their sha256."""
        data = self._reader.read(item_id, ["content"])["content"].tobytes()
        return data, self._records[item_id]["sha256"]

    def replace(self, store: Path, manifest: Path) -> None:
        """Keep a finished store; where the file system has no hard links nothing is kept."""
        self._reader = None
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            shutil.copytree(store, self.folder / STORE, copy_function=link)
            link(manifest, self.folder / MANIFEST)
        except (OSError, shutil.Error) as error:
            log.warning("%s: no hard links (%s); nothing is kept", self.folder, error)
            shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    run_alone(main, main.__doc__)
