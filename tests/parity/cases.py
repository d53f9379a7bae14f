"""Which case is computed by which adapter, with which functions, called by which stage.

The one table behind three tests: every case of an implemented system has a row or is named as one
that comes later (`test_parity`); an adapter calls the functions of its row and no others
(`test_parity`); an end-to-end run calls every function from its stage, but for those that no stage
needs yet (`test_stage_calls`).

Functions are `module:qualified name`, modules without `semcorr.`; stages are modules of
`semcorr.stages`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One case: its adapter has the function `case_{name}`, which calls `functions`."""

    adapter: str
    functions: tuple[str, ...]


@dataclass(frozen=True)
class System:
    """One system: its cases, and those that come with a later one, with the reason."""

    cases: dict[str, Case]
    later: dict[str, str]


STAGE_OF = {
    "cameras:hammersley_yaw_pitch": "render",
    "cameras:make_cameras": "render",
    "cameras:opengl_from_opencv": "render",
    "cameras:positions_on_sphere": "render",
    "cameras:rigid_inverse": "render",
    "datasets.folder:read_item_mesh": "meshes",
    "evaluation.segmentation:class_iou": "evaluate",
    "features.conditions:condition_tokens": "features",
    "features.conditions:prenorm_tokens": "features",
    "features.conditions:prepare_picture": "features",
    "features.single_step:single_step_features": "features",
    "features.conditions:view_conditions": "features",
    "geometry.frames:used_vertices": "meshes",
    "geometry.frames:world_from_file": "meshes",
    "geometry.reader:read_mesh": "meshes",
    "geometry.transforms:apply": "meshes",
    "geometry.voxels:voxelise": "voxels",
    "matching.cells:centres": "match",
    "matching.cells:occupied_cells": "match",
    "matching.hierarchical:match_pooled": "match",
    "matching.hierarchical:pool_grid": "match",
    "matching.hierarchical:pool_levels": "match",
    "matching.lift:lift_to_voxels": "match",
    "networks.backbones:extract": "features",
    "networks.backbones:load_backbone": "features",
    "networks.dino:DinoViT.position_table": "features",
    "networks.trellis.dit:SparseStructureFlowModel.forward": "features",
    "networks.trellis.dit:TimeEmbedder.forward": "features",
    "networks.trellis.flow:noised": "train",
    "networks.trellis.flow:velocity_target": "train",
    "networks.trellis.loading:network_from": "features",
    "networks.trellis.vae:encode_cells": "latents",
    "rendering.raycast:RaycastRenderer.render": "render",
    "rendering.raycast:open_renderer": "render",
    "training.losses:flow_loss": "train",
    "training.losses:vae_loss": "train",
    "transfer.colours:spatial_rainbow": "export",
    "transfer.colours:transfer_colours": "export",
    "transfer.labels:cell_labels": "evaluate",
}

# Functions that no stage calls yet, and why; a stage that starts to call one moves it to STAGE_OF.
NO_STAGE = {
    "cameras:lens_mm": "cameras are intrinsics in pixels; a lens is Blender's way to say them",
    "geometry.reader:read_object_boxes": "no data set has an option for the published loose box",
    "networks.trellis.vae:decode_cells": "nothing generates shapes; `train` decodes by itself",
    "networks.trellis.flow:schedule": "nothing generates shapes",
    "networks.trellis.flow:sample": "nothing generates shapes",
    "transfer.colours:label_palette": "report.colours makes its table of it once, when imported",
    "transfer.labels:labels_from_annotation": "no data set has parts annotated as points",
    "transfer.labels:transfer_cell_labels": "labels are carried along maps of sites",
    "transfer.labels:merge_labels": "no experiment merges parts into classes",
}

NSR = System(
    cases={
        "voxelise": Case(
            "nsr_geometry",
            (
                "geometry.voxels:voxelise",
                "matching.cells:centres",
                "matching.cells:occupied_cells",
            ),
        ),
        "cameras_and_normalisation": Case(
            "nsr_geometry",
            (
                "cameras:hammersley_yaw_pitch",
                "cameras:lens_mm",
                "cameras:make_cameras",
                "cameras:opengl_from_opencv",
                "cameras:positions_on_sphere",
                "cameras:rigid_inverse",
                "datasets.folder:read_item_mesh",
                "geometry.frames:used_vertices",
                "geometry.frames:world_from_file",
                "geometry.reader:read_mesh",
                "geometry.reader:read_object_boxes",
                "geometry.transforms:apply",
                "rendering.raycast:RaycastRenderer.render",
                "rendering.raycast:open_renderer",
            ),
        ),
        "ss_vae_encoder": Case(
            "nsr_networks",
            ("networks.trellis.loading:network_from", "networks.trellis.vae:encode_cells"),
        ),
        "ss_vae_decoder": Case(
            "nsr_networks",
            ("networks.trellis.loading:network_from", "networks.trellis.vae:decode_cells"),
        ),
        "ss_flow_dit": Case(
            "nsr_networks",
            (
                "networks.trellis.dit:SparseStructureFlowModel.forward",
                "networks.trellis.dit:TimeEmbedder.forward",
                "networks.trellis.loading:network_from",
            ),
        ),
        "condition_path": Case(
            "nsr_networks",
            (
                "features.conditions:condition_tokens",
                "features.conditions:prenorm_tokens",
                "features.conditions:prepare_picture",
                "networks.backbones:extract",
                "networks.backbones:load_backbone",
                "networks.dino:DinoViT.position_table",
            ),
        ),
        "single_step_features": Case(
            "nsr_networks",
            (
                "features.single_step:single_step_features",
                "features.conditions:view_conditions",
                "matching.hierarchical:pool_grid",
                "networks.backbones:load_backbone",
                "networks.trellis.loading:network_from",
            ),
        ),
        "hierarchical_match": Case(
            "nsr_matching",
            (
                "matching.cells:occupied_cells",
                "matching.hierarchical:match_pooled",
                "matching.hierarchical:pool_levels",
            ),
        ),
        "label_transfer_iou": Case(
            "nsr_matching",
            (
                "evaluation.segmentation:class_iou",
                "matching.cells:centres",
                "matching.cells:occupied_cells",
                "matching.hierarchical:match_pooled",
                "matching.hierarchical:pool_levels",
                "transfer.labels:cell_labels",
                "transfer.labels:labels_from_annotation",
                "transfer.labels:merge_labels",
                "transfer.labels:transfer_cell_labels",
            ),
        ),
        "dense_colour_lift": Case(
            "nsr_matching",
            (
                "matching.lift:lift_to_voxels",
                "transfer.colours:label_palette",
                "transfer.colours:spatial_rainbow",
                "transfer.colours:transfer_colours",
            ),
        ),
        "training_losses": Case(
            "nsr_networks",
            (
                "networks.trellis.flow:noised",
                "networks.trellis.flow:velocity_target",
                "networks.trellis.loading:network_from",
                "training.losses:flow_loss",
                "training.losses:vae_loss",
            ),
        ),
        "flow_euler_sampler": Case(
            "nsr_networks",
            (
                "networks.trellis.flow:sample",
                "networks.trellis.flow:schedule",
                "networks.trellis.loading:network_from",
            ),
        ),
    },
    later={
        "part_ground_truth": "labelled point clouds as ground truth",
        "slat_blocks": "structured latents",
        "slat_encoder": "structured latents",
        "slat_flow": "structured latents",
        "voxel_view_features": "structured latents: features of voxels from views",
    },
)

SYSTEMS = {"nsr": NSR}
