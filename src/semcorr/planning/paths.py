"""Paths of small JSON files that stand for what lies beside them."""

CHUNK_SECTIONS = ("renders", "masks", "depth", "voxels", "latents", "features")


def manifest(section: str, variant: str | None, dataset: str, chunk: int | str) -> str:
    """Return the path of a chunk's manifest; meshes and truth have no variant."""
    middle = f"{variant}/" if variant else ""
    return f"results/{section}/{middle}{dataset}/{chunk}.json"


def weights_manifest(name: str, trained: bool) -> str:
    """Return the path of the small JSON beside weights."""
    return f"results/models/{name}/model.json" if trained else f"results/assets/{name}.json"
