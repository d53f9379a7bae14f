"""Archives that try to get out, to fill the disk or to break: refused whole, nothing outside touched."""

import io
import stat
import tarfile
import zipfile

import pytest

from semcorr.assets import archive
from semcorr.assets.archive import Limits, unpack
from semcorr.assets.verify import hash_of
from semcorr.errors import UserError
from semcorr.stages.unpack import command_line

FILES = {"set/items.csv": b"id,file\na,a.obj\n", "set/meshes/a.obj": b"v 0 0 0\n", "b.txt": b""}


def zip_of(path, entries, method=zipfile.ZIP_DEFLATED):
    """Write (name or ZipInfo, bytes) as they are: `ZipFile` itself would mend no name."""
    with zipfile.ZipFile(path, "w", method) as opened:
        for name, data in entries:
            opened.writestr(name, data)
    return path


def tar_of(path, entries, mode="w:gz"):
    """Write (name or TarInfo, bytes)."""
    with tarfile.open(path, mode) as opened:
        for name, data in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return path


def everything(folder):
    """Return {path: bytes} of a folder, links as their targets."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture
def place(tmp_path):
    """A folder of its own with a file in it that nobody may touch."""
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz"])
def test_files_come_out_as_they_are(tmp_path, place, name):
    path = tmp_path / name
    entries = [("set/", b""), *FILES.items()] if name == "a.zip" else list(FILES.items())
    mode = {"a.tar": "w", "a.tar.gz": "w:gz", "a.tar.xz": "w:xz"}
    zip_of(path, entries) if name == "a.zip" else tar_of(path, entries, mode[name])
    assert unpack(path, place / "out", Limits()) == 3
    assert everything(place / "out") == FILES
    assert sorted(p.name for p in place.iterdir()) == ["mine.txt", "out"]


def test_permissions_are_not_taken_over(tmp_path, place):
    info = zipfile.ZipInfo("run")
    info.external_attr = (stat.S_IFREG | 0o6777) << 16
    unpack(zip_of(tmp_path / "a.zip", [(info, b"x")]), place / "out", Limits())
    assert not (place / "out/run").stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR)


def link_in_zip():
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def in_tar(kind, name="link", target="../mine.txt"):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


LONG = "x" * 300
# what is wrong -> (entries of a zip, what the message must say)
HOSTILE_ZIPS = {
    "up": ([("../mine.txt", b"!")], r"'\.\./mine\.txt' leaves the folder"),
    "up inside": ([("a/../../mine.txt", b"!")], "leaves the folder"),
    "up and back": ([("a/../b.txt", b"!")], "leaves the folder"),
    "absolute": ([("/tmp/mine.txt", b"!")], "is no relative path"),
    "backslashes": ([("..\\mine.txt", b"!")], "is no relative path"),
    "a drive": ([("C:/mine.txt", b"!")], "is no relative path"),
    "a link": ([(link_in_zip(), b"../mine.txt")], "is a link or a device"),
    "endless name": ([(LONG, b"!")], "has an unusable name"),
    "endless path": ([("/".join(["ab"] * 600), b"!")], "has an unusable name"),
    "a file in a file": ([("a", b"!"), ("a/b", b"!")], "needs the folder a, which is a file"),
    "a file on a folder": ([("a/b", b"!"), ("a", b"!")], "is a file and a folder"),
    "good ones before": ([*FILES.items(), ("../mine.txt", b"!")], "leaves the folder"),
}
HOSTILE_TARS = {
    "up": ([("../mine.txt", b"!")], "leaves the folder"),
    "absolute": ([("/tmp/mine.txt", b"!")], "is no relative path"),
    "a link": ([(in_tar(tarfile.SYMTYPE), b"")], "is a link or a device"),
    "through a link": (
        [(in_tar(tarfile.SYMTYPE, "d", ".."), b""), ("d/mine.txt", b"!")],
        "'d' is a link or a device",
    ),
    "a hard link": ([(in_tar(tarfile.LNKTYPE), b"")], "is a link or a device"),
    "a device": ([(in_tar(tarfile.CHRTYPE, "zero"), b"")], "is a link or a device"),
    "a pipe": ([(in_tar(tarfile.FIFOTYPE, "pipe"), b"")], "is a link or a device"),
    "twice": ([("a", b"1"), ("./a", b"2")], "comes twice"),
}
HOSTILE = [("zip", name) for name in HOSTILE_ZIPS] + [("tar", name) for name in HOSTILE_TARS]


@pytest.mark.parametrize("kind, name", HOSTILE)
def test_hostile_entries_are_refused_and_nothing_is_touched(tmp_path, place, kind, name):
    entries, message = (HOSTILE_ZIPS if kind == "zip" else HOSTILE_TARS)[name]
    path = tmp_path / f"a.{kind}"
    zip_of(path, entries) if kind == "zip" else tar_of(path, entries)
    before = everything(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        unpack(path, place / "out", Limits())
    assert str(path) in str(caught.value)
    assert everything(tmp_path) == before
    assert sorted(p.name for p in place.iterdir()) == ["mine.txt"]


def test_an_entry_that_comes_twice_in_a_zip(tmp_path, place):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zip_of(tmp_path / "a.zip", [("a", b"1"), ("a", b"2")])
    with pytest.raises(UserError, match="comes twice"):
        unpack(path, place / "out", Limits())


def test_an_encrypted_entry(tmp_path, place):
    path = zip_of(tmp_path / "a.zip", [("a", b"secret")], zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="is encrypted"):
        unpack(path, place / "out", Limits())


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_bomb_ends_at_the_declared_limit(tmp_path, place, kind, monkeypatch):
    """200 MB of zeros in a few kB: no more than the limit and one block is ever written."""
    monkeypatch.setattr(archive, "BLOCK", 1 << 16)
    path = tmp_path / f"a.{kind}"
    entries = [("small", b"1"), ("zeros", bytes(200_000_000))]
    zip_of(path, entries) if kind == "zip" else tar_of(path, entries)
    assert path.stat().st_size < 1_000_000
    largest = []
    real = archive._write_file

    def watched(*arguments):
        try:
            return real(*arguments)
        finally:
            largest.append(arguments[2].stat().st_size)

    monkeypatch.setattr(archive, "_write_file", watched)
    message = r"unpacks to more than 1000000 bytes, at 'zeros' \(--max-bytes\)"
    with pytest.raises(UserError, match=message):
        unpack(path, place / "out", Limits(bytes=1_000_000))
    assert max(largest) <= 1_000_000
    assert sorted(p.name for p in place.iterdir()) == ["mine.txt"]


def test_a_zip_whose_header_lies_about_its_size(tmp_path, place):
    path = zip_of(tmp_path / "a.zip", [("zeros", bytes(5_000_000))])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 24 : data.index(b"PK\1\2") + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged|more than"):
        unpack(path, place / "out", Limits(bytes=1_000_000))


def test_too_many_entries(tmp_path, place):
    path = zip_of(tmp_path / "a.zip", [(f"f{n}", b"") for n in range(50)])
    with pytest.raises(UserError, match=r"more than 20 entries \(--max-files\)"):
        unpack(path, place / "out", Limits(files=20))


BROKEN = {
    "empty": b"",
    "no archive": b"<html>please log in</html>",
    "a cut zip": None,
    "a cut tar": None,
    "a zip with a flipped byte": None,
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_archives(tmp_path, place, name):
    path = tmp_path / "a"
    whole = [("a", bytes(range(256)) * 400)]
    if name == "a cut tar":
        data = tar_of(path, whole).read_bytes()[:-200]
    elif BROKEN[name] is None:
        data = bytearray(zip_of(path, whole, zipfile.ZIP_STORED).read_bytes())
        if name == "a cut zip":
            data = data[: len(data) // 2]
        else:
            data[len(data) // 2] ^= 1
    else:
        data = BROKEN[name]
    path.write_bytes(data)
    with pytest.raises(UserError, match=f"^{path}: is (damaged|neither)"):
        unpack(path, place / "out", Limits())
    assert sorted(p.name for p in place.iterdir()) == ["mine.txt"]


def test_the_disk_is_looked_at_before_and_a_folder_is_not_replaced(tmp_path, place, monkeypatch):
    path = zip_of(tmp_path / "a.zip", list(FILES.items()))
    (place / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("mine.txt", "link"):
        with pytest.raises(UserError, match="is there already"):
            unpack(path, place / name, Limits())
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("U", (), {"free": 10}))
    with pytest.raises(OSError, match="no space left"):
        unpack(path, place / "out", Limits())
    assert sorted(p.name for p in place.iterdir()) == ["link", "mine.txt"]


def test_command_line(tmp_path, place, capsys):
    path = zip_of(tmp_path / "a.zip", list(FILES.items()))
    out = place / "out"
    assert command_line([str(path), str(out), "--sha256", "0" * 64]) == 1
    assert f"sha256 is {hash_of(path)}, expected 000" in capsys.readouterr().err
    assert command_line([str(path), str(out), "--max-bytes", "3"]) == 1
    assert "--max-bytes" in capsys.readouterr().err
    assert not out.exists()
    assert command_line([str(path), str(out), "--sha256", hash_of(path).upper()]) == 0
    assert capsys.readouterr().out == f"{out}: 3 files\n"
    assert command_line([str(tmp_path / "none.zip"), str(place / "b")]) == 1
    assert "no such archive" in capsys.readouterr().err
