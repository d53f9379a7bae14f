"""A checkout whose chair is small enough for a test, to be run on a cluster or on this machine alone."""

from collections.abc import Callable
from pathlib import Path

import harness
import small
import small_mirror
from cluster_runs import ClusterWork, environment_of
from slurm_cluster import Cluster

TARGET = "results/coseg/chair.json"
SECTIONS = {
    "datasets": ["chairs"],
    "renders": ["views"],
    "voxels": ["s16"],
    "latents": ["tiny"],
    "features": ["lifted"],
    "methods": ["nearest"],
    "models": ["vae"],
}


def config() -> dict:
    """Return four chairs in two chunks and one method on image features of a tiny network, `device: auto`.

    Beside what the chair needs: latents, views of Blender and a training.
    """
    chosen = {
        section: {name: small.CONFIG[section][name] for name in names}
        for section, names in SECTIONS.items()
    }
    chosen["renders"]["photos"] = small.CONFIG["renders"]["views"] | {"backend": "blender"}
    chair = {
        "category": "chair",
        "poses": {"aligned": "chairs"},
        "sources": 2,
        "methods": ["nearest"],
    }
    return {"seed": 0, "device": "auto", "offline": True, **chosen, "coseg": {"chair": chair}}


def checkouts(folder_of: Callable[[str], Path]) -> Callable[..., ClusterWork]:
    """Return what makes a checkout with the configuration, for a cluster or for this machine alone.

    Args:
        folder_of: makes an empty folder of a name.
    """
    mirror = small_mirror.write_mirror(folder_of("mirror") / "mirror")

    def make(cluster: Cluster | None = None) -> ClusterWork:
        root = harness.copy_repository(folder_of("chair") / "checkout")
        variables = environment_of(root) | {"SEMCORR_MIRROR": str(mirror)}
        # Blender's environment is looked for in the checkout
        (root / ".venv-blender").symlink_to(harness.ROOT / ".venv-blender")
        work = ClusterWork(root, root, variables, cluster=cluster)
        work.write_config(config())
        return work

    return make
