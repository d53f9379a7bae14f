"""What the module of a latent or feature kind is given: readers of what its entry refers to."""

from dataclasses import dataclass, field
from pathlib import Path

from semcorr.store.chunk import ChunkReader


@dataclass(frozen=True)
class Upstream:
    """Readers of the chunk's meshes and of the stores that the variant's entry names.

    Attributes:
        meshes: always there for latents and features.
        renders, masks, depth, voxels, latents: where the entry (or what it rests on) refers to them.
        weights: field of the entry -> small JSON of the weights.
        seed: global seed.
        precision: "fp32" or "bf16".
        device: "auto", "cpu" or "cuda".
        attention: "auto", "sdpa" or "xformers".
        threads: cores to use.
    """

    meshes: ChunkReader | None = None
    renders: ChunkReader | None = None
    masks: ChunkReader | None = None
    depth: ChunkReader | None = None
    voxels: ChunkReader | None = None
    latents: ChunkReader | None = None
    weights: dict[str, Path] = field(default_factory=dict)
    seed: int = 0
    precision: str = "fp32"
    device: str = "auto"
    attention: str = "auto"
    threads: int = 1
