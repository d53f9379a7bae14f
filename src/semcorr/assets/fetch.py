"""`fetch`: one asset from the first place that has it, verified, into `results/assets/{key}/`.

Layout of the destination: `{key}/{file}` and `{key}.json` are the result; `.partial/{key}/` holds
part files and `.pins/{key}.json` what was seen before. The last two are hidden beside the outputs,
not inside them, because the workflow engine deletes a rule's outputs when it starts or fails, and
bytes that already arrived must survive that.
"""

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semcorr.assets.download import (
    AbsentError,
    Patience,
    SourceError,
    TransientError,
    Wanted,
    WrongContentError,
    download,
)
from semcorr.assets.part import PartFile, Provenance, Received, ensure_space
from semcorr.assets.records import FileRecord, read_pins, write_pins, write_record
from semcorr.assets.release import check_release
from semcorr.assets.sources import Source, address_of, sources
from semcorr.assets.table import NETWORK_SCHEMES, AssetRow
from semcorr.assets.verify import compare, hash_of, hub_label
from semcorr.errors import UserError
from semcorr.store.lock import FolderLock

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Job:
    """What `fetch` was asked, for the functions below it."""

    destination: Path
    mirror: str | None
    offline: bool
    patience: Patience
    progress: bool
    pins: dict[str, FileRecord] = field(default_factory=dict)


def fetch(
    key: str,
    rows: AssetRow | Sequence[AssetRow],
    destination_dir: Path | str,
    *,
    mirror: str | None = None,
    offline: bool = False,
    accept_licences: Sequence[str] = (),
    timeouts: Patience | None = None,
    progress: bool = True,
) -> Path:
    """Bring all files of an asset to `{destination}/{key}/` and write `{destination}/{key}.json`.

    Args:
        key: the asset's name.
        rows: its rows of the table (one a file).
        destination_dir: `results/assets`.
        mirror: folder or http(s) address that is looked at first (`SEMCORR_MIRROR`).
        offline: forbid the network; a mirror that is an address counts as network.
        accept_licences: keys whose non-commercial licence the user accepts.
        timeouts: time-outs and retries; None means the defaults.
        progress: whether to show a progress bar on stderr.

    Returns:
        The path of `{key}.json`.

    Raises:
        UserError: what a retry cannot mend: licence not accepted, offline, 404, wrong hash.
        OSError: what it may mend, after the retries: time-outs, 5xx, lost connections, full disk.
    """
    rows = [rows] if isinstance(rows, AssetRow) else list(rows)
    if not rows or any(row.key != key for row in rows):
        raise ValueError(f"rows of {[row.key for row in rows]} given for asset {key!r}")
    _check_licence(key, rows, accept_licences)
    destination = Path(destination_dir)
    destination.mkdir(parents=True, exist_ok=True)
    partial = destination / ".partial" / key
    with FolderLock(partial):
        pins = read_pins(key, destination)
        job = _Job(destination, mirror, offline, timeouts or Patience(), progress, pins)
        files = []
        for row in rows:
            files.append(_bring(row, job))
            logger.info("%s: %s, %s", key, files[-1].source, files[-1].verified)
            pins[row.file] = files[-1]
            write_pins(key, destination, pins)  # after each file: the next one may fail
        record = write_record(rows, destination, files)
        shutil.rmtree(partial, ignore_errors=True)
    return record


def _check_licence(key: str, rows: Sequence[AssetRow], accepted: Sequence[str]) -> None:
    restricted = next((row for row in rows if row.non_commercial), None)
    if restricted is not None and key not in accepted:
        raise UserError(
            f"asset {key!r} is for non-commercial use ({restricted.licence}): read its licence, "
            f"then put accept_licences: [{key}] into the configuration"
        )


def _bring(row: AssetRow, job: _Job) -> FileRecord:
    """Return the record of one file that lies complete at its place."""
    target = job.destination / row.key / row.file
    pin = job.pins.get(row.file)
    expected = row.sha256 or (pin.sha256 if pin else "")
    if target.is_file():
        found = hash_of(target)
        if not expected or found == expected:
            return _record_of_existing(row, pin, found, target.stat().st_size)
        logger.warning("%s: has sha256 %s, expected %s: fetched again", target, found, expected)
    partial = job.destination / ".partial" / row.key / row.file
    partial.parent.mkdir(parents=True, exist_ok=True)
    part, record = _first_that_delivers(row, partial, expected, job)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part.path, target)
    part.note.unlink(missing_ok=True)
    return record


def _record_of_existing(row: AssetRow, pin: FileRecord | None, found: str, size: int) -> FileRecord:
    """Describe a file that lies at its place already, keeping what is known of its origin."""
    known = pin is not None and pin.sha256 == found
    verified = "sha256" if row.sha256 else pin.verified if known else "first-use"
    source, commit = (pin.source, pin.commit) if known else ("already in place", "")
    return FileRecord(row.file, found, size, verified, source, commit)


def _first_that_delivers(
    row: AssetRow, partial: Path, expected: str, job: _Job
) -> tuple[PartFile, FileRecord]:
    """Try the sources in order; raise what is fitting if none delivers."""
    refused: list[str] = []
    passing: list[str] = []
    places = sources(job.mirror, row)
    check_release(row, places)
    for source in places:
        if source.remote and (job.offline or (source.mirror and passing)):
            continue  # a mirror that does not answer is not asked for its other places
        try:
            if source.remote:
                part = PartFile(partial.with_name(partial.name + ".part"))
                received = _download(source, row, part, expected, job)
            else:
                part = PartFile(partial.with_name(partial.name + ".copy"))
                received = _copy(source.location, row, part, expected)
            return part, _judged(source, row, received, part, job)
        except AbsentError as error:
            if not source.mirror:
                refused.append(f"{source.name}: {error}")
            continue
        except SourceError as error:
            refused.append(f"{source.name}: {error}")
        except TransientError as error:
            passing.append(f"{source.name}: {error}")
        if source.mirror:
            logger.warning("%s: %s; trying the next place", row.key, (refused + passing)[-1])
    if passing:
        raise TransientError(f"asset {row.key!r}, {row.file}: " + "; ".join(passing + refused))
    raise UserError(_how_to_get(row, refused, job))


def _download(source: Source, row: AssetRow, part: PartFile, expected: str, job: _Job) -> Received:
    """Download one source; wrong content is fetched once more: the damage may be the line's."""
    if row.bytes is not None:
        ensure_space(job.destination, row.bytes - part.size)
    wanted = Wanted(str(source.location), expected, row.bytes, row.size_cap, row.key)

    def once() -> Received:
        try:
            received = download(wanted, part, job.patience, progress=job.progress)
            compare(received, expected)
            if source.hub:
                hub_label(received, part.path)
            return received
        except WrongContentError:
            part.discard()
            raise

    try:
        return once()
    except WrongContentError as error:
        logger.warning("%s: %s; fetching it once more from the first byte", row.key, error)
        return once()


def _copy(path: Path, row: AssetRow, part: PartFile, expected: str) -> Received:
    """Copy a local file, hashing it on the way; what cannot be read there counts as absent."""
    if not path.is_file():
        raise AbsentError("no such file")
    size = path.stat().st_size
    if row.size_cap is not None and size > row.size_cap:
        raise SourceError(f"{size} bytes, more than the {row.size_cap} expected")
    part.discard()
    ensure_space(part.path.parent, size)
    try:
        source = path.open("rb")
    except PermissionError as error:
        raise SourceError(f"cannot be read: {error.strerror}") from error
    with source, part.path.open("wb") as copy:
        while block := source.read(1 << 20):
            copy.write(block)
            part.hasher.update(block)
        copy.flush()
        os.fsync(copy.fileno())
    received = Received(part.hasher.hexdigest(), part.size, Provenance(url=""))
    try:
        compare(received, expected)
    except WrongContentError:
        part.discard()
        raise
    return received


def _judged(
    source: Source, row: AssetRow, received: Received, part: PartFile, job: _Job
) -> FileRecord:
    """Say how far the bytes are verified."""
    label = hub_label(received, part.path) if source.hub else "first-use"
    pin = job.pins.get(row.file)
    if row.sha256:
        label = "sha256"
    elif pin is not None and label == "first-use":
        label = pin.verified  # the same bytes as before: what was found out then still holds
    commit = received.provenance.commit if source.hub else ""
    return FileRecord(row.file, received.sha256, received.bytes, label, source.name, commit)


def _how_to_get(row: AssetRow, refused: list[str], job: _Job) -> str:
    """Return one line: which file is missing, why, and what to do."""
    what = f"asset {row.key!r}: {row.file} "
    why = f" ({'; '.join(refused)})" if refused else ""
    if row.shipped:
        return what + f"cannot be taken from {row.url}{why}: restore the file with git"
    folder = job.mirror if job.mirror and not job.mirror.startswith(NETWORK_SCHEMES) else "<folder>"
    remedy = f"put the file at {folder}/{row.key}/{row.file}"
    if folder == "<folder>":
        remedy += " and set SEMCORR_MIRROR=<folder>"
    pin = job.pins.get(row.file)
    if pin is not None and not row.sha256 and refused:
        pins = job.destination / ".pins" / f"{row.key}.json"
        remedy = (
            f"it was first seen with sha256 {pin.sha256}; to accept other content delete {pins}"
        )
    if row.mirror_only:
        asked = "SEMCORR_MIRROR is not set" if not job.mirror else "the mirror does not have it"
        return what + f"has no address to download from, and {asked}{why}: {remedy}"
    if job.offline:
        return what + f"is missing and offline is set{why}: download {address_of(row)}, {remedy}"
    return what + f"cannot be fetched{why}: {remedy}"
