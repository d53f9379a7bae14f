"""A miniature of `microsoft/TRELLIS-image-large` as released, and a hub that serves it.

Layout, containers, key names and number types are the released ones (specification of the published
system); only widths are small and all values random.
"""

import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from semcorr.networks.backbones import build_backbone
from semcorr.networks.trellis.loading import untrained_network

REPO = "microsoft/TRELLIS-image-large"
COMMIT = "25e0d31ffbebe4b5a97464dd851910efc3002d96"
BYTES = "/bytes/"  # where the hub's redirects lead
ENCODER = {
    "in_channels": 1,
    "latent_channels": 8,
    "num_res_blocks": 2,
    "num_res_blocks_middle": 2,
    "channels": [4, 8, 16],
    "use_fp16": True,
}
FLOW = {
    "resolution": 16,
    "in_channels": 8,
    "out_channels": 8,
    "model_channels": 32,
    "cond_channels": 96,
    "num_blocks": 24,
    "num_heads": 2,
    "mlp_ratio": 4,
    "patch_size": 1,
    "pe_mode": "ape",
    "qk_rms_norm": True,
    "use_fp16": True,
}
DECODER = {
    "out_channels": 1,
    "latent_channels": 8,
    "num_res_blocks": 2,
    "num_res_blocks_middle": 2,
    "channels": [16, 8, 4],
    "use_fp16": True,
}
# what scores need
NETWORKS = {
    "ss_enc_conv3d_16l8_fp16": ("SparseStructureEncoder", ENCODER),
    "ss_flow_img_dit_L_16l8_fp16": ("SparseStructureFlowModel", FLOW),
}
# what pictures of latents and samples need besides
FURTHER = {"ss_dec_conv3d_16l8_fp16": ("SparseStructureDecoder", DECODER)}


def write_release(root: Path) -> Path:
    """Write `root/pipeline.json` and `root/ckpts/*.{json,safetensors}`; return `root`."""
    (root / "ckpts").mkdir(parents=True)
    models = {
        "sparse_structure_decoder": "ckpts/ss_dec_conv3d_16l8_fp16",
        "sparse_structure_flow_model": "ckpts/ss_flow_img_dit_L_16l8_fp16",
    }
    pipeline = {
        "name": "TrellisImageTo3DPipeline",
        "args": {"models": models, "image_cond_model": "dinov2_vitl14_reg"},
    }
    (root / "pipeline.json").write_text(json.dumps(pipeline))
    for seed, (file, (name, args)) in enumerate((NETWORKS | FURTHER).items()):
        tensors = untrained_network(name, args, seed).state_dict()
        for key, value in tensors.items():
            if _is_half(key, value):
                tensors[key] = value.half()
        save_file(tensors, root / f"ckpts/{file}.safetensors")
        (root / f"ckpts/{file}.json").write_text(json.dumps({"name": name, "args": args}))
    return root


def _is_half(key: str, value: torch.Tensor) -> bool:
    """Linear and convolution layers inside blocks are released in half precision, all else is not."""
    inside = key.startswith(("blocks.", "middle_block."))
    return inside and "norm" not in key and (value.ndim > 1 or key.endswith("bias"))


def write_image_encoder(folder: Path) -> Path:
    """Write a tiny image encoder under the name of the torch-hub file of DINOv2-L with registers."""
    folder.mkdir(parents=True)
    path = folder / "dinov2_vitl14_reg4_pretrain.pth"
    torch.save(dict(build_backbone("tiny_vit", seed=2).module.state_dict()), path)
    return path


@contextlib.contextmanager
def hub(release: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a release like the hub does; yield its address and the list of files downloaded.

    A file's own address redirects, to another host for large files and to another path for small ones;
    id, size and commit are in the first answer for large ones, in the second for small ones. GET and
    HEAD answer alike.
    """
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if "/resolve/" in self.path:
                asked.append(self.path)
            self.wfile.write(self.answer())

        def do_HEAD(self):
            self.answer()

        def answer(self) -> bytes:
            """Send status and headers; return the body."""
            for start in (f"/{REPO}/resolve/main/", f"/{REPO}/resolve/{COMMIT}/", BYTES):
                path = release / self.path.removeprefix(start)
                if self.path.startswith(start) and path.is_file():
                    return self.tell(path, final=start == BYTES)
            self.send_error(404)
            return b""

        def tell(self, path: Path, final: bool) -> bytes:
            body, large = path.read_bytes(), path.suffix == ".safetensors"
            place = BYTES + path.relative_to(release).as_posix()
            headers = {"Content-Length": str(len(body) if final else 0)}
            if not final:
                host = f"http://localhost:{self.server.server_port}" if large else ""
                headers |= {"Location": host + place, "X-Repo-Commit": COMMIT}
            if large and final:
                headers["ETag"] = f'"{hashlib.md5(body).hexdigest()}"'  # the store's own
            elif large:
                headers["X-Linked-Etag"] = f'"{hashlib.sha256(body).hexdigest()}"'
                headers["X-Linked-Size"] = str(len(body))
            elif final:
                headers["ETag"] = f'"{hashlib.sha1(_blob(body)).hexdigest()}"'
                headers["X-Repo-Commit"] = COMMIT
            self.send_response(200 if final else 302 if large else 307)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            return body if final else b""

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def _blob(body: bytes) -> bytes:
    """What git hashes of a file."""
    return b"blob %d\0" % len(body) + body
