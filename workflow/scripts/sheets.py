from typing import TYPE_CHECKING

from semcorr.stages.running.job import run_rule
from semcorr.stages.sheets import main

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run_rule(snakemake, main)
