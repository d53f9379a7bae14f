"""Cases of the sparse-structure networks and of the features made with them.

Each function reads one case, calls what the stages call, and returns arrays under the expected
names; it selects rows and reshapes, nothing else. Sizes and strides follow from the case file.
"""

import re
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from adapters.case_files import every, every_cell, numbered, read_case, shape

from semcorr.cameras import Cameras, intrinsics_of, opencv_from_opengl, rigid_inverse
from semcorr.features import conditions, single_step, voxel_features
from semcorr.geometry.voxels import cell_of_points
from semcorr.matching.hierarchical import pool_grid
from semcorr.networks import backbones
from semcorr.networks.trellis import flow, loading, vae
from semcorr.training import losses


def _dino(config: dict, path: Path) -> backbones.Backbone:
    names = ("img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio")
    overrides = {name: config[name] for name in names if name in config}
    overrides["init_values"] = config.get("init_values", 1.0)
    overrides["reg_tokens"] = config["num_register_tokens"]
    name = "dinov2_vitl14_reg" if config["num_register_tokens"] else "dinov2_vitl14"
    return backbones.load_backbone(name, path, overrides=overrides)


def case_ss_vae_encoder(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    path = case_dir / "weights.safetensors"
    encoder = loading.network_from("SparseStructureEncoder", case["config"], path)
    side = shape(case, "mean")[-1] * encoder.factor
    found = vae.encode_cells(encoder, list(numbered(inputs, "occupied_")), side)
    mean, logvar = (part.numpy() for part in found)
    return {
        "mean": mean,
        "logvar_strided2": every_cell(logvar, case, "logvar_strided2"),
    }


def case_ss_vae_decoder(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    path = case_dir / "weights.safetensors"
    decoder = loading.network_from("SparseStructureDecoder", case["config"], path)
    logits, cells = vae.decode_cells(decoder, torch.from_numpy(inputs["latent"]))
    arrays = {
        # for the rules of the bits: all logits, in the shape that the bits were packed from
        "_logits": logits.numpy(),
        "logits_strided": every_cell(logits.numpy(), case, "logits_strided"),
        "occupied_bits": np.packbits((logits > 0).numpy().ravel()),
    }
    for name in case["expected"]:
        if match := re.fullmatch(r"coords_of_first_(\d+)", name):
            arrays[name] = cells[: int(match.group(1))]
    return arrays


def case_ss_flow_dit(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    path = case_dir / "weights.safetensors"
    model = loading.network_from("SparseStructureFlowModel", case["config"], path)
    x, t, cond = (torch.from_numpy(inputs[name]) for name in ("x", "t", "cond"))
    last = case["config"]["num_blocks"] - 1
    with torch.inference_mode():
        output = model(x, t, cond, taps=range(last + 1))
        zero = model(x, t, torch.zeros_like(cond), taps=[last])
        t_emb = model.t_embedder(t)
    arrays = {"velocity": output.velocity, "velocity_zero_cond": zero.velocity, "t_emb": t_emb}
    for name in case["expected"]:
        match = re.fullmatch(r"hidden_after_(?:block_(\d+)|last_block)(_zero_cond)?_b(\d+)", name)
        if match:
            block, unconditional, item = match.groups()
            hidden = (zero if unconditional else output).hidden
            tokens = hidden[last if block is None else int(block)][int(item)]
            arrays[name] = every(tokens, case, name)
    return {name: array.numpy() for name, array in arrays.items()}


def case_condition_path(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    backbone = _dino(case["config"], case_dir / "weights.safetensors")
    encoder = backbone.module
    size = case["config"]["img_size"]
    pictures = [conditions.prepare_picture(p, size) for p in numbered(inputs, "rgba_")]
    arrays = {f"preprocessed_{i}": picture for i, picture in enumerate(pictures)}
    # The case asks for tokens of its own pictures, which another Pillow may make a little different.
    with np.load(case_dir / "expected.npz") as expected:
        pictures = [expected[name] for name in arrays]
    tokens = conditions.condition_tokens(encoder, np.stack(pictures)).numpy()
    arrays["tokens_view0"] = tokens[0]
    arrays["tokens_strided"] = every(tokens, case, "tokens_strided", axis=1)
    prenorm = conditions.prenorm_tokens(encoder, np.stack(pictures)).numpy()
    for name in case["expected"]:
        if match := re.fullmatch(r"x_prenorm_first(\d+)tokens", name):
            arrays[name] = prenorm[:, : int(match.group(1))]
    for index, picture in enumerate(numbered(inputs, "rgb_other_size_")):
        grid = (picture.shape[0] // encoder.patch_size, picture.shape[1] // encoder.patch_size)
        tokens = conditions.prenorm_tokens(encoder, picture[None])[0].numpy()
        normed = backbones.extract(backbone, picture[None], ["norm"])["norm"][0]
        arrays[f"x_prenorm_other_size_{index}"] = tokens
        arrays[f"pos_embed_other_size_{index}"] = encoder.position_table(grid)[0].numpy()
        arrays[f"x_norm_patchtokens_other_size_{index}"] = normed.flatten(1).T.numpy()
    return {name: array for name, array in arrays.items() if name in case["expected"]}


def case_single_step_features(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    config = case["config"]
    size = config["image_encoder"]["img_size"]
    encoder = _dino(config["image_encoder"], case_dir / "weights_image_encoder.safetensors").module
    path = case_dir / "weights_flow.safetensors"
    model = loading.network_from("SparseStructureFlowModel", config["flow"], path)
    tokens = conditions.view_conditions(encoder, numbered(inputs, "rgba_"), size)
    options = single_step.SingleStep(
        layers=tuple(range(config["flow"]["num_blocks"])),
        steps=config["steps"],
        timestep=config["extract_time"],
        noise=config["noise_time"],
        guidance=config["cfg_strength"],
    )
    features = single_step.single_step_features(model, inputs["latent"][0], tokens, options)
    arrays = {}
    for name in case["expected"]:
        if match := re.fullmatch(r"(guided|pooled(\d+))_layer_(\d+).*", name):
            grid = features[int(match.group(3))]
            if match.group(2):
                grid = pool_grid(grid, grid.shape[-1] // int(match.group(2)))
            arrays[name] = every(grid.reshape(len(grid), -1).T, case, name)
    name = "cond_tokens_view0_strided"
    return arrays | {name: every(tokens[0].numpy(), case, name)}


def _trainable(name: str, args: dict, path: Path) -> torch.nn.Module:
    return loading.network_from(name, args, path).requires_grad_(True)


def _gradient_norm(network: torch.nn.Module) -> np.ndarray:
    """As the training loop measures it; nothing is clipped."""
    return torch.nn.utils.clip_grad_norm_(network.parameters(), torch.inf).numpy()


def _vae_losses(case_dir: Path, config: dict, inputs: dict) -> dict[str, np.ndarray]:
    grids = tuple(inputs["occupancy_shape"])
    bits = np.unpackbits(inputs["occupancy_bits"], count=int(np.prod(grids)))
    occupancy = torch.from_numpy(bits.reshape(grids).astype(np.float32))
    noise = torch.from_numpy(inputs["vae_eps"])
    arrays = {}
    for kind in ("bce", "l1", "dice"):
        networks = {
            part: _trainable(
                f"SparseStructure{part.capitalize()}",
                config[part],
                case_dir / f"weights_{part}.safetensors",
            )
            for part in ("encoder", "decoder")
        }
        pair = (networks["encoder"], networks["decoder"])
        loss = losses.vae_loss(pair, occupancy, noise, kind, config["lambda_kl"])
        loss.total.backward()
        arrays[f"vae_{kind}"] = loss.reconstruction.detach().numpy()
        arrays[f"vae_loss_{kind}"] = loss.total.detach().numpy()
        arrays["vae_kl"] = loss.kl.detach().numpy()
        for part, network in networks.items():
            arrays[f"vae_{kind}_grad_norm_{part}"] = _gradient_norm(network)
    return arrays


def case_training_losses(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    config = case["config"]
    arrays = _vae_losses(case_dir, config, inputs)
    path = case_dir / "weights_flow.safetensors"
    model = _trainable("SparseStructureFlowModel", config["flow"], path)
    x0, noise, t, cond = (
        torch.from_numpy(inputs[f"flow_{name}"]) for name in ("x0", "noise", "t", "cond")
    )
    sigma = config["sigma_min"]
    loss = losses.flow_loss(model, x0, noise, t, cond, sigma)
    loss.backward()
    return arrays | {
        "flow_x_t": flow.noised(x0, noise, t, sigma).numpy(),
        "flow_target": flow.velocity_target(x0, noise, sigma).numpy(),
        "flow_mse": loss.detach().numpy(),
        "flow_grad_norm": _gradient_norm(model),
        "flow_grad_input_layer_weight": model.input_layer.weight.grad.numpy(),
    }


def case_flow_euler_sampler(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    config = case["config"]
    path = case_dir / "weights.safetensors"
    model = loading.network_from("SparseStructureFlowModel", config["flow"], path)
    noise, cond = (torch.from_numpy(inputs[name]) for name in ("noise", "cond"))
    times = flow.schedule(config["steps"], config["rescale_t"])
    strength = config["cfg_strength"]
    samplers = {
        "plain": flow.Guidance(),
        "cfg_everywhere": flow.Guidance(strength),
        "cfg_interval_corrected": flow.Guidance(strength, tuple(config["cfg_interval"])),
        # The fork ignores its interval.
        "cfg_interval_original_fork": flow.Guidance(strength),
    }
    arrays = {"schedule": times}
    for name, guidance in samplers.items():
        run = flow.sample(model, noise, cond, times, guidance, config["sigma_min"])
        arrays[f"trajectory_{name}"] = run.states[:, 0].numpy()
        arrays[f"samples_{name}"] = run.states[-1].numpy()
        arrays[f"pred_x0_{name}"] = run.estimates[:, 0].numpy()
    return {name: array for name, array in arrays.items() if name in case["expected"]}


def case_voxel_view_features(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    encoder = _dino(case["config"], case_dir / "weights.safetensors").module
    pictures = numbered(inputs, "rgba_")
    poses = rigid_inverse(opencv_from_opengl(inputs["camera_to_world"]))
    # a picture one pixel wide: its places are those in 0..1
    intrinsics = np.tile(intrinsics_of(float(inputs["fov_rad"]), 1), (len(poses), 1, 1))
    cameras = Cameras(poses, intrinsics, 1, 1)
    centres, size = inputs["voxel_positions"], case["config"]["img_size"]
    places = voxel_features.voxel_places(cameras, centres)
    mean = voxel_features.voxel_features(encoder, pictures, cameras, centres, size)
    arrays = {
        "extrinsics": cameras.cam_from_world,
        "intrinsics": cameras.intrinsics,
        "indices": cell_of_points(centres, 64),
    }
    for name in case["expected"]:
        if name.startswith("uv_strided"):
            arrays[name] = every(places.numpy(), case, name, axis=1)
        elif match := re.fullmatch(r"feature_view(\d+)_strided\d*", name):
            samples = voxel_features.samples_of_views(encoder, pictures, places, size)
            sample = next(islice(samples, int(match.group(1)), None))
            arrays[name] = every(sample.numpy(), case, name)
        elif name.startswith("feature_mean"):
            # in float16, too: the rule of that array rounds
            arrays[name] = every(mean, case, name)
    return arrays
