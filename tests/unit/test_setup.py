"""The set-up of shared libraries, against a Python and an apt-get that only pretend."""

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "setup" / "shared_libraries.py"


@pytest.fixture(scope="module")
def setup():
    spec = importlib.util.spec_from_file_location("shared_libraries", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def machine(tmp_path, monkeypatch, setup):
    """A bare Debian: `installed/` holds the packages, apt-get puts them there and keeps a log."""
    (tmp_path / "installed").mkdir()
    for name in ("sh", "touch", "cat"):
        os.symlink(shutil.which(name), tmp_path / name)
    program(
        tmp_path / "apt-get",
        f"""#!/bin/sh
echo "$DEBIAN_FRONTEND $*" >> {tmp_path}/log
[ "$1" = install ] || exit 0
for name in "$@"; do case $name in lib*) touch {tmp_path}/installed/$name;; esac; done
""",
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(setup.os, "geteuid", lambda: 0)
    return tmp_path


def pretending_python(machine, needs, module="bpy"):
    """A Python whose import fails on the first of `needs` (library, package) not installed."""
    tests = "".join(
        f"[ -e {machine}/installed/{package} ] || {{ lib={library}; }}\n"
        for library, package in reversed(needs)
    )
    ok = '{"ok": true, "error": "", "installed": true, "version": "4.5"}'
    error = "ImportError: $lib: cannot open shared object file: No such file or directory"
    bad = f'{{\\"ok\\": false, \\"error\\": \\"{error}\\", \\"installed\\": true}}'
    return program(
        machine / "venv" / "python",
        f"""#!/bin/sh
{tests}
if [ -n "$lib" ]; then echo "{bad}"; else echo '{ok}'; fi
""",
    )


NEEDS = (("libXi.so.6", "libxi6"), ("libSM.so.6", "libsm6"))


def apt_log(machine):
    log = machine / "log"
    return log.read_text().splitlines() if log.exists() else []


def test_installs_until_everything_loads(machine, setup, capsys):
    python = pretending_python(machine, NEEDS)
    assert setup.main([f"{python}:bpy"]) == setup.LOADS
    assert sorted(p.name for p in (machine / "installed").iterdir()) == ["libsm6", "libxi6"]
    assert [line.split()[:2] for line in apt_log(machine)] == [
        ["noninteractive", "update"],
        ["noninteractive", "install"],
    ] * 2
    assert "bpy 4.5" in capsys.readouterr().out
    assert setup.main([f"{python}:bpy"]) == setup.LOADS  # again: nothing is installed
    assert len(apt_log(machine)) == 4


def test_check_only_changes_nothing(machine, setup, capsys):
    python = pretending_python(machine, NEEDS)
    assert setup.main(["--check-only", f"{python}:bpy"]) == setup.MISSING
    assert apt_log(machine) == []
    shown = capsys.readouterr().out
    line = "run: apt-get update && apt-get install -y --no-install-recommends libxi6"
    assert line in shown.splitlines()


def test_without_root_the_line_to_run_is_printed(machine, setup, monkeypatch, capsys):
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    python = pretending_python(machine, NEEDS)
    assert setup.main([f"{python}:bpy"]) == setup.MISSING
    assert apt_log(machine) == [] and "run: sudo apt-get update && sudo" in capsys.readouterr().out


def test_json(machine, setup, capsys):
    python = pretending_python(machine, NEEDS)
    assert setup.main(["--check-only", "--json", f"{python}:bpy"]) == setup.MISSING
    answer = json.loads(capsys.readouterr().out)
    assert answer["missing"] == ["libXi.so.6"] and answer["probes"][0]["module"] == "bpy"
    assert answer["command"].endswith("libxi6")


def test_failing_apt_get_ends_the_attempt(machine, setup, capsys):
    program(machine / "apt-get", "#!/bin/sh\necho E: no such package >&2\nexit 100\n")
    python = pretending_python(machine, NEEDS)
    assert setup.main([f"{python}:bpy"]) == setup.MISSING
    assert "E: no such package" in capsys.readouterr().out


def test_package_that_does_not_help_is_tried_once(machine, setup):
    program(machine / "apt-get", f'#!/bin/sh\necho "$*" >> {machine}/log\n')
    python = pretending_python(machine, NEEDS)
    assert setup.main([f"{python}:bpy"]) == setup.MISSING
    assert len(apt_log(machine)) == 2


def test_unknown_library_has_its_own_exit_code(machine, setup, capsys):
    python = pretending_python(machine, [("libstrange.so.9", "strange")])
    assert setup.main([f"{python}:bpy"]) == setup.FAILS
    assert "<package of libstrange.so.9>" in capsys.readouterr().out


def test_other_systems_get_their_own_line(machine, setup, capsys):
    (machine / "apt-get").unlink()
    python = pretending_python(machine, NEEDS)
    assert setup.main([f"{python}:bpy"]) == setup.MISSING
    assert "install the packages of your system that hold libXi.so.6" in capsys.readouterr().out
    program(machine / "dnf", "#!/bin/sh\n")
    assert setup.main([f"{python}:bpy"]) == setup.MISSING
    assert "sudo dnf install -y 'libXi.so.6()(64bit)'" in capsys.readouterr().out


def test_crash_and_absence_are_not_missing_libraries(machine, setup, capsys):
    crash = program(machine / "crash", "#!/bin/sh\necho boom >&2\nkill -9 $$\n")
    assert setup.main([f"{crash}:bpy"]) == setup.FAILS
    assert "import ended with code -9: boom" in capsys.readouterr().out
    assert setup.main([f"{machine}/none:bpy"]) == setup.FAILS
    assert "does not exist" in capsys.readouterr().out
    assert setup.main([f"{sys.executable}:no_such_module_here"]) == setup.FAILS
    assert apt_log(machine) == []


def test_real_imports_and_arguments(setup, capsys):
    assert setup.main([f"{sys.executable}:json,zlib"]) == setup.LOADS
    with pytest.raises(SystemExit) as caught:
        setup.main(["json"])
    assert caught.value.code == setup.WRONG_ARGUMENTS


def test_ldd_names_all_known_missing_libraries(setup, tmp_path, monkeypatch):
    package = tmp_path / "site" / "needy"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "core.so").touch()
    program(
        tmp_path / "ldd",
        "#!/bin/sh\necho '\tlibXi.so.6 => not found'\necho '\tlibcuda.so.1 => not found'\n"
        "echo '\tlibc.so.6 => /lib/libc.so.6 (0x0)'\n",
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    assert setup.binaries_of(sys.executable, "needy") == [package / "core.so"]
    assert setup.missing_of_binaries(sys.executable, "needy") == ["libXi.so.6"]
    (tmp_path / "ldd").unlink()
    assert setup.missing_of_binaries(sys.executable, "needy") == []


def test_runs_without_any_environment():
    command = [sys.executable, "-I", "-S", str(SCRIPT), "--check-only", f"{sys.executable}:json"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
