"""`sweeps:` a method's score over timestep, layer and noise of its features, as generated variants."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from semcorr.config.base import Name, Strict


def _each_once(steps: tuple[int, ...]) -> tuple[int, ...]:
    for step in steps:
        if steps.count(step) > 1:
            raise ValueError(f"{step} comes twice")
    return steps


Steps = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), AfterValidator(_each_once)
]


@dataclass(frozen=True)
class Cell:
    """One setting of a sweep and the method that was generated for it."""

    method: str
    timestep: int
    noise: float
    layer: int


class Sweep(Strict):
    """Every timestep, noise and layer; one feature pass a timestep and noise gives all layers."""

    experiment: Name = Field(description="an experiment, of any task")
    method: Name = Field(description="a `hierarchical` method on features of kind `hnsr`")
    timesteps: Steps = Field(description="times shown to the network, in steps")
    layers: Steps = Field(description="blocks whose output is matched, 0-based")
    noise: Literal["feature", "timestep"] | Steps = Field(
        "feature",
        description="steps of noise: as the method's feature says, equal to the timestep, or a list",
    )

    def passes(self, own_noise: float) -> Iterator[tuple[int, float]]:
        """Yield (timestep, noise) of every feature pass.

        Args:
            own_noise: noise of the method's feature.
        """
        for timestep in self.timesteps:
            if self.noise == "feature":
                yield timestep, own_noise
            elif self.noise == "timestep":
                yield timestep, timestep
            else:
                for noise in self.noise:
                    yield timestep, noise

    def cells(self, name: str, own_noise: float) -> Iterator[Cell]:
        """Yield every setting with the name of its method; `name` is the sweep's."""
        for timestep, noise in self.passes(own_noise):
            for layer in self.ordered_layers:
                method = f"{pass_name(name, timestep, noise)}_l{layer}"
                yield Cell(method, timestep, noise, layer)

    @property
    def ordered_layers(self) -> tuple[int, ...]:
        """Layers, ascending."""
        return tuple(sorted(self.layers))


def pass_name(sweep: str, timestep: int, noise: float) -> str:
    """Return the name of the features of one pass."""
    return f"{sweep}_t{timestep}_n{noise:g}".replace(".", "p")
