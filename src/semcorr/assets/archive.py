"""Unpacking archives of strangers: every entry stays in the folder, and no more comes out than was agreed.

Zip and tar files of data sets. An archive is taken whole or not at all: what is written goes into a hidden
folder beside the target, which takes the target's place at the end, so that a refused or interrupted
archive leaves nothing.
"""

import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from semcorr.assets.part import ensure_space
from semcorr.errors import UserError
from semcorr.store.folders import replaced_folder

BLOCK = 1 << 20
MAX_NAME = 1000  # bytes of a whole path, 255 of each part
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Limits:
    """What may come out of an archive, whatever its headers claim.

    Attributes:
        bytes: of all files together.
        files: number of files and folders.
    """

    bytes: int = 50_000_000_000
    files: int = 1_000_000


@dataclass(frozen=True)
class Entry:
    """One file or folder of an archive.

    Attributes:
        name: as the archive has it.
        size: bytes that its header claims.
        refused: why an entry of this kind is never unpacked, else empty.
        handle: opened file, None for a folder.
    """

    name: str
    size: int
    refused: str = ""
    handle: BinaryIO | None = None


def unpack(archive: Path, folder: Path, limits: Limits) -> int:
    """Unpack an archive into a new folder.

    Permissions, owners and times of the archive are not taken over.

    Args:
        archive: .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz, told by content.
        folder: must not exist; appears when everything is written.
        limits: what may come out.

    Returns:
        Number of files.

    Raises:
        UserError: no such archive, damaged, an entry that leaves the folder, that is a link, a device or
            encrypted, that comes twice, or more than the limits allow. The message names the entry.
        OSError: the disk is full.
    """
    if folder.exists() or folder.is_symlink():
        raise UserError(f"{folder}: is there already; choose a folder that does not exist")
    with replaced_folder(folder) as new:
        try:
            return _write_all(archive, new, limits)
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError) as error:
            raise UserError(f"{archive}: is damaged ({error})") from None
        except NotImplementedError as error:  # a way of compression that Python does not know
            raise UserError(f"{archive}: cannot be unpacked ({error})") from None


def _write_all(archive: Path, root: Path, limits: Limits) -> int:
    taken, entries, left, files = set(), 0, limits.bytes, 0
    for entry in _entries(archive):
        entries += 1
        if entries > limits.files:
            raise UserError(f"{archive}: holds more than {limits.files} entries (--max-files)")
        parts = _parts(archive, entry)
        if not parts:  # the folder itself, as `./`
            continue
        target = root.joinpath(*parts)
        if entry.handle is None:
            _make_folder(archive, entry, root, target)
            continue
        if parts in taken:
            raise _refused(archive, entry, "comes twice")
        taken.add(parts)
        _make_folder(archive, entry, root, target.parent)
        left -= _write_file(archive, entry, target, left, limits)
        files += 1
    return files


def _entries(archive: Path) -> Iterator[Entry]:
    if not archive.is_file():
        raise UserError(f"{archive}: no such archive")
    if zipfile.is_zipfile(archive):
        yield from _zip_entries(archive)
    elif tarfile.is_tarfile(archive):
        yield from _tar_entries(archive)
    else:
        raise UserError(f"{archive}: is neither a zip nor a tar file")


def _zip_entries(archive: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            name, refused = info.orig_filename, ""
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                refused = "is a link or a device"
            elif info.flag_bits & 1:
                refused = "is encrypted"
            if refused or info.is_dir():
                yield Entry(name, 0, refused)
                continue
            with opened.open(info) as handle:
                yield Entry(name, info.file_size, "", handle)


def _tar_entries(archive: Path) -> Iterator[Entry]:
    # a stream: entries are met in order, and a compressed file is read once
    with tarfile.open(archive, "r|*") as opened:
        for info in opened:
            if info.isdir():
                yield Entry(info.name, 0)
            elif info.isreg():
                yield Entry(info.name, info.size, "", opened.extractfile(info))
            else:
                yield Entry(info.name, 0, "is a link or a device")


def _parts(archive: Path, entry: Entry) -> tuple[str, ...]:
    """Return the parts of an entry's path; refuse whatever is no plain relative path."""
    name = entry.name
    if entry.refused:
        raise _refused(archive, entry, entry.refused)
    if not name or "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise _refused(archive, entry, "has an unusable name")
    if "\\" in name or name.startswith("/") or _DRIVE.match(name):
        raise _refused(archive, entry, "is no relative path")
    parts = PurePosixPath(name).parts
    if ".." in parts:
        raise _refused(archive, entry, "leaves the folder")
    if len(name.encode()) > MAX_NAME or any(len(part.encode()) > 255 for part in parts):
        raise _refused(archive, entry, "has an unusable name")
    return parts


def _make_folder(archive: Path, entry: Entry, root: Path, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        inside = folder.relative_to(root)
        raise _refused(archive, entry, f"needs the folder {inside}, which is a file") from None


def _write_file(archive: Path, entry: Entry, target: Path, left: int, limits: Limits) -> int:
    """Write one file; count what comes out, not what the header says."""
    if target.is_dir():
        raise _refused(archive, entry, "is a file and a folder")
    ensure_space(target.parent, min(entry.size, left))
    written = 0
    with open(target, "xb") as out:
        while block := entry.handle.read(BLOCK):
            written += len(block)
            if written > left:
                raise UserError(
                    f"{archive}: unpacks to more than {limits.bytes} bytes, at {entry.name[:200]!r}"
                    " (--max-bytes)"
                )
            out.write(block)
    return written


def _refused(archive: Path, entry: Entry, reason: str) -> UserError:
    return UserError(f"{archive}: entry {entry.name[:200]!r} {reason}; nothing was unpacked")
