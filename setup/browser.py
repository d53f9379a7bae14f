"""Make sure that a headless Chromium and its driver are there: the tests turn the page of a pair in them.

Installs Debian's packages where this is root on a Debian-like system, else prints the one line to run.
"""

import os
import shutil
import subprocess
import sys

PACKAGES = ("chromium", "chromium-driver")
PROGRAMS = ("chromium", "chromedriver")


def missing():
    """Return the programs that are not on the path."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def main():
    """Install what is missing; return the exit code."""
    if not missing():
        return 0
    line = f"apt-get install -y --no-install-recommends {' '.join(PACKAGES)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.stderr.write(f"{', '.join(missing())} missing (for the tests only); run: sudo {line}\n")
        return 1
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in ("apt-get update -q", line.replace("install", "install -q", 1)):
        status = subprocess.run(command.split(), env=environment, check=False).returncode
        if status != 0 and command == line:
            return status
    return 1 if missing() else 0


if __name__ == "__main__":
    sys.exit(main())
