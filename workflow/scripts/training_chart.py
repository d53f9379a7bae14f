from typing import TYPE_CHECKING

from semcorr.stages.running.job import run_rule
from semcorr.stages.training_chart import main

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run_rule(snakemake, main)
