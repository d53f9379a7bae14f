"""The one training loop: precision, schedule, moving average, checkpoints, progress.

All randomness of a step comes from (seed, step), and a checkpoint holds the whole state: a training
that was killed and resumed ends with the same bytes as one that was not.
"""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from semcorr.errors import UserError
from semcorr.seeds import seed_of
from semcorr.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

log = logging.getLogger(__name__)

# Number of rows that the history of a whole training has, and of validations among them
ROWS, VALIDATIONS = 200, 10
FLOOR = 0.02


class Objective(Protocol):
    """What is trained; one module of `semcorr.training` per kind makes one.

    Attributes:
        networks: name -> network; the parameters of all are trained together.
    """

    networks: Mapping[str, nn.Module]

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a step's batch and named values for the history."""
        ...

    def validate(self) -> dict[str, float]:
        """Return scores on shapes that are not trained on."""
        ...


@dataclass(frozen=True)
class Schedule:
    """How an objective is trained.

    Attributes:
        steps: length.
        batch: samples per step, for the progress bar.
        learning_rate: after the warm-up; falls along a cosine to 2 % of it.
        weight_decay: decoupled.
        warmup_steps: linear rise from 0.
        ema: decay of the moving average of the weights; less in the first steps.
        clip_norm: largest gradient norm.
        precision: "bf16" (autocast) or "fp32".
        checkpoint_seconds: time between checkpoints; decides nothing but what a kill costs.
    """

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    ema: float
    clip_norm: float
    precision: str
    checkpoint_seconds: float

    @classmethod
    def of(cls, entry: Any, checkpoint_seconds: float) -> "Schedule":
        """Take the schedule out of a `models` entry."""
        steps = math.ceil(entry.samples / entry.batch)
        return cls(
            steps=steps,
            batch=entry.batch,
            precision=entry.precision,
            checkpoint_seconds=checkpoint_seconds,
            **entry.optimiser.model_dump(),
        )

    def rate(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then a cosine."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        part = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.learning_rate * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * part)))

    def decay(self, step: int) -> float:
        """Decay of the moving average: short at first, so that it forgets the initial weights."""
        return min(self.ema, (1 + step) / (10 + step))


def generator(seed: int, stage: str, step: int) -> torch.Generator:
    """Return the random generator of one step."""
    return torch.Generator().manual_seed(seed_of(seed, stage, str(step)))


class Training:
    """State of a training; `run` takes it to its end.

    Args:
        objective: what is trained.
        schedule: how.
        folder: of the checkpoint.
        device: torch device of the networks.
        name: shown in the progress bar.
    """

    def __init__(
        self,
        objective: Objective,
        schedule: Schedule,
        folder: Path,
        device: str = "cpu",
        name: str = "training",
    ):
        self.objective, self.schedule, self.folder = objective, schedule, Path(folder)
        self.device, self.name = device, name
        self.parameters = dict(_parameters(objective.networks))
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.optimiser = torch.optim.AdamW(
            list(self.parameters.values()),
            lr=schedule.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=schedule.weight_decay,
        )
        self.step = 0
        self.rows: list[dict[str, float]] = []
        self.sums: dict[str, float] = {}
        self.summed = 0

    def run(self) -> list[dict[str, float]]:
        """Train from the last checkpoint, if any, to the end; the networks then hold the average.

        Returns:
            Rows of the history: step, learning rate, means of the values since the last row.
        """
        self._resume()
        progress = tqdm(
            total=self.schedule.steps * self.schedule.batch,
            initial=self.step * self.schedule.batch,
            desc=self.name,
            unit="sample",
            mininterval=2,
        )
        saved = time.monotonic()
        with progress:
            while self.step < self.schedule.steps:
                self._one_step()
                progress.update(self.schedule.batch)
                if self.rows and self.rows[-1]["step"] == self.step:
                    progress.set_postfix(loss=f"{self.rows[-1]['loss']:.4f}", refresh=False)
                if time.monotonic() - saved >= self.schedule.checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()
        self.save()
        self._take_average()
        return self.rows

    def _one_step(self) -> None:
        rate = self.schedule.rate(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        with self._autocast():
            loss, values = self.objective.loss(self.step)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), self.schedule.clip_norm)
        self._count({"loss": float(loss.detach()), "gradient_norm": float(norm), **values})
        self.optimiser.step()
        decay = self.schedule.decay(self.step)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                self.average[name].lerp_(parameter, 1 - decay)
        self.step += 1
        self._write_row(rate)

    def _autocast(self):
        enabled = self.schedule.precision == "bf16"
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=enabled)

    def _count(self, values: dict[str, float]) -> None:
        if not math.isfinite(values["loss"]):
            raise UserError(
                f"{self.name}: the loss is {values['loss']} at step {self.step}; "
                "lower optimiser.learning_rate or set precision: fp32"
            )
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.summed += 1

    def _write_row(self, rate: float) -> None:
        last = self.step == self.schedule.steps
        if not last and not _is_due(self.step, self.schedule.steps, ROWS):
            return
        row = {"step": self.step, "samples": self.step * self.schedule.batch, "rate": rate}
        row |= {name: value / self.summed for name, value in self.sums.items()}
        if last or _is_due(self.step, self.schedule.steps, VALIDATIONS):
            row |= {f"held_out_{name}": value for name, value in self._validate().items()}
        self.rows.append(row)
        self.sums, self.summed = {}, 0

    def _validate(self) -> dict[str, float]:
        """Scores of the moving average; the trained weights come back afterwards."""
        trained = {name: p.detach().clone() for name, p in self.parameters.items()}
        self._take_average()
        with torch.no_grad(), self._autocast():
            scores = self.objective.validate()
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(trained[name])
        return scores

    @torch.no_grad()
    def _take_average(self) -> None:
        for name, parameter in self.parameters.items():
            parameter.copy_(self.average[name])

    def save(self) -> None:
        """Write the checkpoint; a failure leaves the last one as it is and is raised."""
        tensors = {f"parameter/{name}": value for name, value in self.parameters.items()}
        tensors |= {f"average/{name}": value for name, value in self.average.items()}
        for name, parameter in self.parameters.items():
            for key, value in self.optimiser.state[parameter].items():
                tensors[f"{key}/{name}"] = value
        notes = {"rows": self.rows, "sums": self.sums, "summed": self.summed}
        write_checkpoint(self.folder, Checkpoint(self.step, tensors, notes))

    def _resume(self) -> None:
        checkpoint = read_checkpoint(self.folder)
        if checkpoint is None:
            return
        log.info(
            "%s: resuming after step %d of %d", self.name, checkpoint.step, self.schedule.steps
        )
        tensors = checkpoint.tensors
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(tensors[f"parameter/{name}"])
                self.average[name].copy_(tensors[f"average/{name}"])
        state = self.optimiser.state_dict()
        keys = ("step", "exp_avg", "exp_avg_sq")
        # A parameter that never got a gradient (a head that no loss reads) has no state
        state["state"] = {
            index: {key: tensors[f"{key}/{name}"] for key in keys}
            for index, name in enumerate(self.parameters)
            if f"step/{name}" in tensors
        }
        self.optimiser.load_state_dict(state)
        self.step = checkpoint.step
        self.rows = checkpoint.notes["rows"]
        self.sums, self.summed = checkpoint.notes["sums"], checkpoint.notes["summed"]


def _parameters(networks: Mapping[str, nn.Module]) -> Iterator[tuple[str, nn.Parameter]]:
    for prefix, network in networks.items():
        for name, parameter in network.named_parameters():
            yield f"{prefix}.{name}", parameter


def _is_due(step: int, steps: int, count: int) -> bool:
    """Whether one of `count` evenly spaced marks lies at this step."""
    return step * count // steps > (step - 1) * count // steps
