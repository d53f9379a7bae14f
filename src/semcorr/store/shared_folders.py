"""Folders that several users write to: what is made below one is open to whom that one is open."""

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from os import link
from pathlib import Path

# of whoever may look into a folder: what they must be able to do with the files in it
READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


def make_below(top: Path, folder: Path) -> None:
    """Make `folder` and what is missing between it and `top`, each like the folder that it lies in.

    The umask of whoever is first would else keep all others out. Group and mode are taken over, setgid
    and sticky bits included; where the system refuses the group, the mode alone. `top` itself is made as
    any folder where it is missing: only what an administrator prepared says who may write.

    Args:
        top: the shared folder.
        folder: below it.
    """
    top.mkdir(parents=True, exist_ok=True)
    path = top
    for name in folder.relative_to(top).parts:
        path /= name
        with suppress(FileExistsError):
            make_like_parent(path)


def make_like_parent(folder: Path) -> None:
    """Make one folder with the group and the mode of the one it lies in; FileExistsError if it is there."""
    parent = folder.parent.stat()
    folder.mkdir()
    _give_group(folder, parent.st_gid)
    folder.chmod(stat.S_IMODE(parent.st_mode))


def copy_tree(source: Path, target: Path, make_folder: Callable[[Path], None] = Path.mkdir) -> None:
    """Copy a folder, file by file as `link_or_copy` does; permissions are those of its new place.

    Args:
        source: a folder.
        target: where it goes; nothing may be there.
        make_folder: makes one folder.
    """
    for folder, _, files in os.walk(source, onerror=_raise):
        there = target / Path(folder).relative_to(source)
        make_folder(there)
        for name in files:
            link_or_copy(Path(folder) / name, there / name)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or a copy where disks, owners or permissions do not allow that.

    Stores are never edited, only replaced: both names may share their bytes. A link has the permissions
    of the file; where these would keep out somebody whom the target's folder lets in, it is a copy.
    """
    if _open_to_all_of(target.parent.stat(), source.stat()):
        with suppress(OSError):  # another disk, another owner
            link(source, target)
            return
    copy_file(source, target)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file; whoever may look into the folder may read it."""
    folder = target.parent.stat()
    shutil.copyfile(source, target)
    _give_group(target, folder.st_gid)
    target.chmod(stat.S_IMODE(target.stat().st_mode) | (folder.st_mode & READ))


def _give_group(path: Path, group: int) -> None:
    if path.stat().st_gid != group:  # a setgid folder has given it already
        with suppress(PermissionError):  # not a member of that group
            os.chown(path, -1, group)


def _open_to_all_of(folder: os.stat_result, file: os.stat_result) -> bool:
    wanted = folder.st_mode & READ
    if file.st_mode & wanted != wanted:
        return False
    by_group = wanted & stat.S_IRGRP and not file.st_mode & stat.S_IROTH
    return not by_group or file.st_gid == folder.st_gid


def _raise(error: OSError) -> None:
    raise error
