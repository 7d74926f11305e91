"""DINOv2 vision transformers, from timm (optional); these features agree best with human judgement.

Oquab et al. 2023 (DINOv2). Stein et al. 2023 found that distances in its features agree best with
humans. Features are the normalised class token at 224 px. Two departures from Stein's FD-DINOv2:
timm resamples the position embedding once when it is loaded (antialiased), whereas the original
does so in each forward pass; and resizing is from floats to floats. So numbers are close to the
published ones, but not equal.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from torch import Tensor

from bascule.core import weight_files
from bascule.core.errors import UserError, unknown
from bascule.data.images import Progress
from bascule.features import resize
from bascule.features.extractor import in_batches

VERSION = 1
SIDE = 224
BATCH = 16
Size = Literal["s", "b", "l"]
NETWORKS = {"s": "small", "b": "base", "l": "large"}


class DINOv2:
    """(N, 3, H, H) uint8 -> (N, d) float32, d = 384 (s), 768 (b) or 1024 (l).

    About 7 (s) and 2 (b) images/s per core. ``weights_path`` is a file, timm's safetensors or
    Meta's ``.pth``; without it, ``$BASCULE_WEIGHTS`` and the caches of torch hub and Hugging Face
    are searched. Raises UserError if timm or the file is missing.
    """

    def __init__(self, size: Size = "s", weights_path: Path | str | None = None) -> None:
        if size not in get_args(Size):
            raise unknown("size of DINOv2", size, get_args(Size))
        timm, filters = _timm()
        network = f"vit_{NETWORKS[size]}_patch14_dinov2.lvd142m"
        own = f"dinov2_vit{size}14_pretrain.pth"
        path = weight_files.find(
            f"dinov2-{size}",
            weights_path,
            (own, f"{network}.safetensors"),
            f"https://dl.fbaipublicfiles.com/dinov2/dinov2_vit{size}14/{own}",
            _in_hugging_face_cache(network),
        )
        self.net = timm.create_model(network, pretrained=False, num_classes=0, img_size=SIDE)
        state = filters.checkpoint_filter_fn(weight_files.read(path), self.net)
        weight_files.load(self.net, state, f"dinov2-{size}", path)
        self.name = f"dinov2-{size},{SIDE}px"
        fingerprint = weight_files.fingerprint(path)[:12]
        self.spec = f"{self.name};v{VERSION};weights {fingerprint};resize {resize.RULE}"

    def __call__(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        return in_batches(self, images, self._of_batch, BATCH, progress)

    def _of_batch(self, images: Tensor) -> Tensor:
        features: Tensor = self.net.forward_features(resize.imagenet(images, SIDE))[:, 0]
        return features


def _timm() -> tuple[Any, Any]:
    try:
        return importlib.import_module("timm"), importlib.import_module(
            "timm.models.vision_transformer"
        )
    except ImportError:
        raise UserError(
            'the extractor "dinov2" needs timm: pip install "bascule[pretrained]"'
        ) from None


def _in_hugging_face_cache(network: str) -> list[Path]:
    """The file in the cache of Hugging Face, where timm would have downloaded it; or nothing."""
    hub = importlib.import_module("huggingface_hub")  # timm needs it
    found = hub.try_to_load_from_cache(f"timm/{network}", "model.safetensors")
    return [Path(found)] if isinstance(found, str) else []
