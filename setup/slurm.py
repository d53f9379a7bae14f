"""Make sure that Slurm and munge are there: the tests of `make test-cluster` start a cluster of their own.

For the tests with accounting, slurmdbd and the server of MariaDB come after them, where no cluster has its
configuration: without these, only those tests are skipped.

Debian's packages start no service where there is no init system; where there is one, they leave services
without a configuration, which do not run.
"""

import sys
from pathlib import Path

import debian

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")
ACCOUNTING = ("slurmdbd", "mariadbd")

if __name__ == "__main__":
    status = debian.ensure(PROGRAMS, ("slurm-wlm", "munge"))
    if status == 0 and not Path("/etc/slurm/slurm.conf").exists():
        debian.ensure(ACCOUNTING, ("slurmdbd", "mariadb-server-core"))
    sys.exit(status)
