"""What a stage is given, whether a workflow or a person starts it."""

import argparse
import errno
import json
import logging
import os
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semcorr.errors import UserError
from semcorr.stages.running.logs import logging_to
from semcorr.stages.running.threads import settle_threads
from semcorr.stages.running.work_record import peak_mb, record_path, write_work_record
from semcorr.store.chunk import ChunkJob
from semcorr.store.files import sha256_file
from semcorr.store.lock import end_if_orphaned_before_writing

log = logging.getLogger(__name__)

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Runtime:
    """Where and how a job runs; nothing here may change a result, so it is no rule parameter."""

    device: str = "auto"
    attention: str = "auto"
    offline: bool = False
    accept_licences: tuple[str, ...] = ()
    min_coverage: float = 0.9
    blender: str | None = None
    scratch: str | None = None
    threads: int = 1

    @classmethod
    def from_config(cls, config: Mapping[str, Any], threads: int) -> "Runtime":
        """Take the operational keys out of a normalised configuration."""
        names = (n for n in cls.__dataclass_fields__ if n in config)
        values = {name: config[name] for name in names}
        values["accept_licences"] = tuple(values.get("accept_licences", ()))
        return cls(**values, threads=threads)

    def scratch_folder(self) -> Path | None:
        """Return the node's own disk, variables expanded; None where none is configured.

        Raises:
            UserError: it holds a variable that is not set on this node, or is no folder.
        """
        if self.scratch is None:
            return None
        path = Path(os.path.expandvars(self.scratch)).expanduser()
        if not path.is_dir():
            raise UserError(
                f"scratch: {self.scratch}: no such folder on {socket.gethostname()} ({path}); set it"
                " to one that every node has, or leave it out"
            )
        return path


@dataclass(frozen=True)
class StageJob:
    """Inputs, outputs and parameters of one job.

    Attributes:
        inputs: name -> paths; manifests and `{key}.json` of weights, stores are found beside them.
        outputs: name -> path.
        cfg: the variant's validated options (`params.cfg`).
        code: fingerprint of the code (`params.code`).
        members: [id, digest] of the items of this chunk (`params.members`).
        wildcards: names of variant, data set, chunk ...
        config: the whole normalised configuration, for what is no parameter (roots of data sets).
        runtime: device, threads ...
    """

    inputs: dict[str, list[Path]]
    outputs: dict[str, Path]
    cfg: dict[str, Any]
    code: str = ""
    members: list[list[str]] = field(default_factory=list)
    wildcards: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    runtime: Runtime = field(default_factory=Runtime)

    def input(self, name: str) -> Path:
        """Return the only path of an input; raise KeyError with the names there are."""
        if name not in self.inputs:
            raise KeyError(f"no input {name!r}; there are {sorted(self.inputs)}")
        (path,) = self.inputs[name]
        return path

    @property
    def ids(self) -> tuple[str, ...]:
        """Item ids of the chunk."""
        return tuple(item_id for item_id, _ in self.members)

    def chunk_job(
        self,
        ids: tuple[str, ...] | None = None,
        ragged: frozenset[str] = frozenset(),
        *,
        frame: str,
        units: str,
        weights: Mapping[str, str] | None = None,
        on_scratch: bool = False,
    ) -> ChunkJob:
        """Describe the chunk this job writes (outputs `store` and `manifest`).

        Args:
            ids: items where they are not the members.
            ragged: names of arrays whose first axis differs between items.
            frame: coordinate frame of the arrays, for readers of the store.
            units: their units, likewise.
            weights: field of the entry -> sha256 of the weights that are used.
            on_scratch: collect items on the node's own disk where the configuration names one.
        """
        return ChunkJob(
            store=self.outputs["store"],
            manifest=self.outputs["manifest"],
            ids=self.ids if ids is None else ids,
            cfg=self.cfg,
            code=self.code,
            members=tuple(tuple(m) for m in self.members),
            inputs=self.input_hashes(),
            ragged=ragged,
            attributes={
                "seed": self.cfg["global_seed"],
                "weights_sha256": dict(sorted((weights or {}).items())),
                "frame": frame,
                "units": units,
            },
            scratch=self.runtime.scratch_folder() if on_scratch else None,
        )

    def input_hashes(self) -> dict[str, str]:
        """Return {path: sha256} of all inputs that are files."""
        paths = sorted({p for paths in self.inputs.values() for p in paths if p.is_file()})
        return {str(path): sha256_file(path) for path in paths}


def run_rule(rule: Any, main: Callable[[StageJob], None]) -> None:
    """Run a stage for a workflow engine's rule object (only its attributes are used)."""
    end_if_orphaned_before_writing()
    params = dict(rule.params.items())
    job = StageJob(
        inputs={name: _paths(value) for name, value in rule.input.items()},
        outputs={name: Path(str(value)) for name, value in rule.output.items()},
        cfg=params.get("cfg", {}),
        code=params.get("code", ""),
        members=[list(m) for m in params.get("members", [])],
        wildcards={k: str(v) for k, v in rule.wildcards.items()},
        config=dict(rule.config),
        runtime=Runtime.from_config(rule.config, rule.threads),
    )
    log_path = Path(str(rule.log[0])) if rule.log else None
    with logging_to(log_path):
        _run(main, job)
    if log_path and (record := record_path(log_path)):
        write_work_record(record, job.outputs.values())


def run_alone(main: Callable[[StageJob], None], description: str) -> None:
    """Run a stage from the command line: `python -m semcorr.stages.<name> job.json`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "job",
        type=Path,
        help='JSON file: {"inputs": {name: [paths]}, "outputs": {name: path}, "cfg": {...},'
        ' "members": [[id, digest]], "wildcards": {...}, "config": {...}}',
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="1, as in the workflow: another number may give other last digits",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments = parser.parse_args()
    settle_threads(arguments.threads)
    value = json.loads(arguments.job.read_text())
    runtime = Runtime.from_config(
        value.get("config", {}) | {"device": arguments.device}, arguments.threads
    )
    job = StageJob(
        inputs={k: _paths(v) for k, v in value["inputs"].items()},
        outputs={k: Path(v) for k, v in value["outputs"].items()},
        cfg=value.get("cfg", {}),
        code=value.get("code", ""),
        members=value.get("members", []),
        wildcards=value.get("wildcards", {}),
        config=value.get("config", {}),
        runtime=runtime,
    )
    with logging_to(None):
        _run(main, job)


def _run(main: Callable[[StageJob], None], job: StageJob) -> None:
    start = time.monotonic()
    try:
        main(job)
        log.info("finished in %.1f s, peak memory %.0f MB", time.monotonic() - start, peak_mb())
    except UserError as error:
        log.error("%s", error)
        raise SystemExit(1) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            log.error(
                "the disk is full (%s). Free some space and run the same command again:"
                " nothing was recorded as failed, and finished items are kept",
                error,
            )
        else:
            log.error("%s", traceback.format_exc())
        raise SystemExit(1) from None


def _paths(value: Any) -> list[Path]:
    if isinstance(value, (str, os.PathLike)):
        return [Path(str(value))]
    return [Path(str(v)) for v in value]
