"""Make sure that Slurm and munge are there: the tests of `make test-cluster` start a cluster of their own.

Debian's packages start no service where there is no init system; where there is one, they leave services
without a configuration, which do not run.
"""

import sys

import debian

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")

if __name__ == "__main__":
    sys.exit(debian.ensure(PROGRAMS, ("slurm-wlm", "munge")))
