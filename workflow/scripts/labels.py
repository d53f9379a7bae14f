from typing import TYPE_CHECKING

from semcorr.stages.labels import main
from semcorr.stages.running.job import run_rule

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run_rule(snakemake, main)
