"""Make sure that programs of Debian packages are there, for the scripts of this folder that name some.

Installs the packages where this is root on a Debian-like system, else prints the one line to run. Standard
library only.
"""

import os
import shutil
import subprocess
import sys

# daemons lie where the path of a user does not lead
FURTHER = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def missing(programs):
    """Return the programs that are neither on the path nor among the daemons."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *FURTHER])
    return [name for name in programs if shutil.which(name, path=path) is None]


def ensure(programs, packages):
    """Install packages if one of their programs is missing; return the exit code."""
    if not missing(programs):
        return 0
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        absent = ", ".join(missing(programs))
        sys.stderr.write(f"{absent} missing (for the tests only); run: sudo {line}\n")
        return 1
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in ("apt-get update -q", line.replace("install", "install -q", 1)):
        subprocess.run(command.split(), env=environment, check=False)
    return 1 if missing(programs) else 0
