"""The rows of a long list of objects, sorted by chunk in a file that is cheap to ask.

Every job of a large set asks for the rows of its own chunk. Reading 800 000 lines for them takes ten seconds
and half a gigabyte, in each of the three processes of a job. So a list above LONG bytes is read once, by
whoever comes first, into an SQLite file below FOLDER; its name holds the hash of the list's bytes and of the
code that reads them, so that it is never out of date. It is complete before it gets that name, and is never
changed: any number of processes and nodes may read it, without locks. Where it can be neither written nor
read, the list is read as a short one is.
"""

import hashlib
import json
import logging
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar

from semcorr.datasets.member import Member, chunk_of
from semcorr.errors import UserError
from semcorr.fingerprint import fingerprint
from semcorr.store.files import sha256_file, sync

log = logging.getLogger(__name__)

# Below the working folder, under a name that no search for results finds
FOLDER = Path("results/.lists")
LONG = 2**20
# Rows of so many chunks stay in memory: jobs of one chunk are planned one after another
CHUNKS_KEPT = 8
STALE_S = 24 * 3600
# Sorted by chunk and id: the rows of a chunk lie side by side, and the chunk of an id is known
SCHEMA = """
CREATE TABLE members (chunk INTEGER, id TEXT, category TEXT, status TEXT, reason TEXT, columns TEXT,
                      PRIMARY KEY (chunk, id)) WITHOUT ROWID;
CREATE TEMP TABLE arrived (chunk INTEGER, id TEXT, category TEXT, status TEXT, reason TEXT, columns TEXT);
"""
# Of rows with one id the last one counts, as in a dict
SORT = """
INSERT OR REPLACE INTO members SELECT * FROM arrived ORDER BY chunk, id, rowid;
DROP TABLE arrived;
CREATE INDEX by_category ON members (category, id);
"""

T = TypeVar("T")
Read = Callable[[str], Iterable[Member]]


def read_list(path: str, chunks: int, read: Read) -> Mapping[str, Member]:
    """Return the members of a list by id, sorted; those of a long list are looked up when asked for.

    Args:
        path: of the list.
        chunks: how many the data set has.
        read: yields the members of the list at a path; raises UserError where it is malformed.
    """
    if os.path.isfile(path) and os.path.getsize(path) >= LONG:
        try:
            return IndexedMembers(_index_of(path, chunks, read), chunks)
        except (OSError, sqlite3.Error) as error:
            log.warning("%s: no index of it in %s (%s); reading all of it", path, FOLDER, error)
    return {m.id: m for m in sorted(read(path), key=lambda m: m.id)}


class IndexedMembers(Mapping[str, Member]):
    """Members of a long list by id, sorted, without having them in memory."""

    def __init__(self, path: Path, chunks: int):
        self._path, self._count = path, chunks
        self._file = _open(path)
        (self._length,) = self._file.execute("SELECT count(*) FROM members").fetchone()
        self.in_chunk = lru_cache(CHUNKS_KEPT)(self._in_chunk)

    def __getitem__(self, item_id: str) -> Member:
        place = (chunk_of(item_id, self._count), item_id)
        for row in self._ask("SELECT * FROM members WHERE chunk = ? AND id = ?", *place):
            return _member(row)
        raise KeyError(item_id)

    def __iter__(self) -> Iterator[str]:
        return (item_id for (item_id,) in self._ask("SELECT id FROM members ORDER BY id"))

    def __len__(self) -> int:
        return self._length

    def _in_chunk(self, chunk: int) -> list[Member]:
        """Return the members of a chunk, sorted by id."""
        rows = self._ask("SELECT * FROM members WHERE chunk = ? ORDER BY id", chunk)
        return [_member(row) for row in rows]

    def chunks(self, category: str | None = None) -> list[int]:
        """Return the chunks that hold a member, of a category if one is given."""
        if category is None:
            rows = self._ask("SELECT DISTINCT chunk FROM members")
        else:
            rows = self._ask("SELECT DISTINCT chunk FROM members WHERE category = ?", category)
        return sorted(chunk for (chunk,) in rows)

    def of_category(self, category: str, limit: int | None = None) -> list[str]:
        """Return the ids of a category, sorted; at most `limit`."""
        question = "SELECT id FROM members WHERE category = ? ORDER BY id LIMIT ?"
        # a negative limit is none
        return [
            item_id for (item_id,) in self._ask(question, category, -1 if limit is None else limit)
        ]

    def _ask(self, question: str, *values: object) -> Iterator[tuple]:
        try:
            yield from self._file.execute(question, values)
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{self._path}: damaged ({error}); delete it, it is made again from the list"
            ) from None


class ByChunk(Mapping[int, list[T]], Generic[T]):
    """What there is of a long list in each of some chunks, looked up when asked for."""

    def __init__(self, chunks: list[int], look_up: Callable[[int], list[T]]):
        self._chunks, self._look_up = chunks, look_up

    def __getitem__(self, chunk: int) -> list[T]:
        if found := self._look_up(chunk):
            return found
        raise KeyError(chunk)

    def __iter__(self) -> Iterator[int]:
        return iter(self._chunks)

    def __len__(self) -> int:
        return len(self._chunks)


def _index_of(path: str, chunks: int, read: Read) -> Path:
    """Return the index of a list, written if it is not there."""
    code = fingerprint(read.__module__, __name__)
    whose = hashlib.sha256(f"{read.__module__} {path} {chunks}".encode()).hexdigest()[:12]
    state = hashlib.sha256(f"{sha256_file(Path(path))} {code}".encode()).hexdigest()[:16]
    index = FOLDER / f"{whose}-{state}.sqlite"
    if not _is_whole(index):
        log.info("%s: %s is read for its index", index, path)
        _write(index, read(path), chunks)
        _forget_others(index, whose)
    return index


def _is_whole(index: Path) -> bool:
    """Tell whether an index is there in full: file systems may lose what a crashed machine wrote."""
    try:
        file = _open(index)
        (size,) = file.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
        file.close()
        return index.stat().st_size == size > 0
    except (OSError, sqlite3.Error):
        return False


def _open(path: Path) -> sqlite3.Connection:
    # immutable: nothing is locked, which network file systems may not be able to
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, check_same_thread=False)


def _write(index: Path, members: Iterable[Member], chunks: int) -> None:
    index.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=index.parent, prefix=f".{index.stem}.", suffix=".tmp")
    os.close(handle)
    try:
        _fill(Path(name), members, chunks)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp's is for one user
        sync(Path(name))
        os.replace(name, index)
    finally:
        Path(name).unlink(missing_ok=True)


def _fill(path: Path, members: Iterable[Member], chunks: int) -> None:
    # nobody else knows the file: no locks, no journal
    uri = f"{path.absolute().as_uri()}?vfs=unix-none"
    file = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        file.execute("PRAGMA journal_mode = OFF")
        file.execute("PRAGMA synchronous = OFF")
        file.executescript(SCHEMA)
        file.execute("BEGIN")
        rows = ((chunk_of(m.id, chunks), *_row(m)) for m in members)
        file.executemany("INSERT INTO arrived VALUES (?, ?, ?, ?, ?, ?)", rows)
        file.execute("COMMIT")
        file.executescript(SORT)
    finally:
        file.close()


def _row(member: Member) -> tuple[str, ...]:
    columns = json.dumps(dict(member.columns), ensure_ascii=False)
    return member.id, member.category, member.status, member.reason, columns


def _member(row: tuple) -> Member:
    _, item_id, category, status, reason, columns = row
    return Member(item_id, category, status, reason, json.loads(columns))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _forget_others(index: Path, whose: str) -> None:
    """Remove what was made of the list as it was before, and what killed writers have left."""
    for old in index.parent.glob(f"{whose}-*.sqlite"):
        if old != index:
            old.unlink(missing_ok=True)
    for left in index.parent.glob(".*.tmp"):
        if left.stat().st_mtime < time.time() - STALE_S:
            left.unlink(missing_ok=True)
