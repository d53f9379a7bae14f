"""Find and install the shared libraries that compiled packages load and a bare machine lacks.

Wheels bring most of what they need, but not the libraries of the windowing system, which Blender
links even when it draws no window. They are found by trying: each package is imported by the Python
that owns it, and where the loader says "cannot open shared object file", the package's own binaries
are asked for everything else that is missing. Standard library only: this runs before any
environment exists.

    python3 setup/shared_libraries.py                                      both environments
    python3 setup/shared_libraries.py .venv-blender/bin/python:bpy         one package
    python3 setup/shared_libraries.py --check-only [--json]                change nothing

Exit codes: 0 everything loads; 1 libraries are missing (the line to run is printed);
2 wrong arguments; 3 a package fails for another reason, or no package is known for a library.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PROBES = (
    (".venv/bin/python", ("embreex", "OpenEXR")),
    (".venv-blender/bin/python", ("bpy",)),
)
LOADS, MISSING, WRONG_ARGUMENTS, FAILS = 0, 1, 2, 3
IMPORT_SECONDS = 120
ROUNDS = 6  # an installed library may need a further one

# library -> Debian package (names also hold on Ubuntu: its t64 packages provide the old names)
PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLU.so.1": "libglu1-mesa",
    "libGLX.so.0": "libglx0",
    "libGLX_mesa.so.0": "libglx-mesa0",
    "libGLdispatch.so.0": "libglvnd0",
    "libICE.so.6": "libice6",
    "libOpenGL.so.0": "libopengl0",
    "libSM.so.6": "libsm6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libXau.so.6": "libxau6",
    "libXcursor.so.1": "libxcursor1",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXinerama.so.1": "libxinerama1",
    "libXrandr.so.2": "libxrandr2",
    "libXrender.so.1": "libxrender1",
    "libXt.so.6": "libxt6",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libwayland-client.so.0": "libwayland-client0",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
}

PROBE = """
import importlib.metadata, json, sys
name = sys.argv[1]
answer = {"ok": True, "error": "", "installed": True, "version": ""}
try:
    importlib.import_module(name)
except BaseException as error:
    installed = not (isinstance(error, ModuleNotFoundError) and error.name == name)
    answer.update(ok=False, installed=installed, error=f"{type(error).__name__}: {error}")
try:
    answer["version"] = importlib.metadata.version(name)
except importlib.metadata.PackageNotFoundError:
    pass
print("\\n" + json.dumps(answer))
"""


def probe(python, module):
    """Import `module` with `python` and say what happened.

    Returns:
        dict: python, module, ok, installed, version, error (one line), missing (library names).
    """
    result = {"python": str(python), "module": module, "ok": False, "installed": False}
    result.update(version="", error="", missing=[])
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        run = subprocess.run(
            [str(python), "-c", PROBE, module],
            capture_output=True,
            text=True,
            timeout=IMPORT_SECONDS,
            env=environment,
        )
    except FileNotFoundError:
        return {**result, "error": f"{python} does not exist"}
    except (OSError, subprocess.TimeoutExpired) as error:
        return {**result, "installed": True, "error": " ".join(str(error).split())}
    try:
        result.update(json.loads(run.stdout.splitlines()[-1]))
    except (ValueError, IndexError):
        lines = run.stderr.strip().splitlines() or ["no message"]
        result.update(installed=True, error=f"import ended with code {run.returncode}: {lines[-1]}")
    if not result["ok"]:
        found = missing_in(result["error"])
        result["missing"] = sorted(
            {*found, *missing_of_binaries(python, module)} if found else found
        )
    return result


def missing_in(text):
    """Return the libraries that a loader's message names."""
    return re.findall(r"(\S+\.so[.\d]*): cannot open shared object file", text)


def missing_of_binaries(python, module):
    """Return what `ldd` does not find for the package's binaries: the import stops at the first."""
    ldd = shutil.which("ldd")
    if ldd is None:
        return []
    missing = set()
    for binary in binaries_of(python, module):
        run = subprocess.run([ldd, str(binary)], capture_output=True, text=True)
        missing.update(re.findall(r"^\s*(\S+) => not found", run.stdout, re.MULTILINE))
    # only known ones: plug-ins that the import does not load name drivers and files of their own
    return sorted(missing & PACKAGES.keys())


def binaries_of(python, module):
    """Return the shared objects of a top-level package, found without importing it."""
    code = (
        "import importlib.util as u, sys\n"
        "spec = u.find_spec(sys.argv[1])\n"
        "print(*(spec.submodule_search_locations or [spec.origin]) if spec else '', sep='\\n')"
    )
    run = subprocess.run([str(python), "-c", code, module], capture_output=True, text=True)
    found = []
    for path in map(Path, filter(None, run.stdout.splitlines())):
        found += sorted(path.rglob("*.so*")) if path.is_dir() else [path]
    return [binary for binary in found if binary.is_file()]


def default_probes():
    """Return (python, module) of the environments that exist in this checkout."""
    pairs = [(ROOT / python, module) for python, modules in DEFAULT_PROBES for module in modules]
    return [(python, module) for python, module in pairs if python.exists()]


def parse_probe(text):
    """Turn `python:module,module` into pairs."""
    python, _, modules = text.rpartition(":")
    if not python or not modules:
        raise argparse.ArgumentTypeError(f"{text!r} is not python:module,module")
    return [(Path(python), module) for module in modules.split(",")]


def packages_for(libraries):
    """Split libraries into Debian packages and those without a known one."""
    known = sorted({PACKAGES[name] for name in libraries if name in PACKAGES})
    return known, sorted(name for name in libraries if name not in PACKAGES)


def install_line(libraries):
    """Return the one line that a person runs on this machine."""
    packages, unknown = packages_for(libraries)
    if shutil.which("apt-get"):
        sudo = "" if os.geteuid() == 0 else "sudo "
        names = " ".join(packages + [f"'<package of {name}>'" for name in unknown])
        return f"{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {names}"
    if shutil.which("dnf"):
        return "sudo dnf install -y " + " ".join(f"'{name}()(64bit)'" for name in sorted(libraries))
    return "install the packages of your system that hold " + ", ".join(sorted(libraries))


def can_install():
    """Whether this process may install packages: root on a Debian-like system."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages, write):
    """Install Debian packages without asking; return whether apt-get succeeded."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    for command in (["apt-get", "update"], ["apt-get", "install", *options, *packages]):
        write(f"running: {' '.join(command)}\n")
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if run.returncode:
            write((run.stdout + run.stderr).strip()[-2000:] + "\n")
            # an unreachable list need not matter; a failed installation does
            if command[1] == "install":
                return False
    return True


def look(pairs):
    """Probe all pairs and collect the missing libraries."""
    results = [probe(python, module) for python, module in pairs]
    return results, sorted({name for result in results for name in result["missing"]})


def repair(pairs, write):
    """Probe, install and probe again until nothing is missing or nothing more can be done."""
    results, missing = look(pairs)
    tried = set()
    for _ in range(ROUNDS):
        packages = [name for name in packages_for(missing)[0] if name not in tried]
        if not packages or not can_install():
            break
        tried.update(packages)
        if not install(packages, write):
            break
        results, missing = look(pairs)
    return results, missing


def report(results, missing, write):
    """Write one line a package, then what to run."""
    for result in results:
        name = f"{result['module']} {result['version']}".strip()
        state = "loads" if result["ok"] else f"does not load: {result['error']}"
        write(f"{name} ({result['python']}): {state}\n")
    if missing:
        write(f"missing shared libraries: {', '.join(missing)}\nrun: {install_line(missing)}\n")


def exit_code(results, missing):
    """Return the exit code described at the top of this file."""
    if missing:
        return FAILS if packages_for(missing)[1] else MISSING
    return LOADS if all(result["ok"] for result in results) else FAILS


def main(arguments=None):
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("probes", nargs="*", type=parse_probe, metavar="PYTHON:MODULE,...")
    parser.add_argument("--check-only", action="store_true", help="install nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    pairs = [pair for probes in options.probes for pair in probes] or default_probes()
    write = (sys.stderr if options.json else sys.stdout).write
    if options.check_only:
        results, missing = look(pairs)
    else:
        results, missing = repair(pairs, write)
    if options.json:
        line = install_line(missing) if missing else ""
        answer = {"probes": results, "missing": missing, "command": line}
        sys.stdout.write(json.dumps(answer, indent=1) + "\n")
    else:
        report(results, missing, write)
    return exit_code(results, missing)


if __name__ == "__main__":
    sys.exit(main())
