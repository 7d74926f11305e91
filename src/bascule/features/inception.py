"""The Inception network of the published FID and KID, from torch-fidelity (optional).

Heusel et al. 2017 (FID), Bińkowski et al. 2018 (KID). The network, the TensorFlow 1 bilinear resize
to 299 px and the normalisation are torch-fidelity's, so the numbers equal its numbers. Only such
numbers may be called FID and KID. One departure: weights are read without executing code from the
file (which torch-fidelity would do), and are never downloaded.
"""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bascule.core import weight_files
from bascule.core.errors import UserError
from bascule.data.images import Progress
from bascule.features.extractor import PUBLISHED, in_batches

VERSION = 1
PUBLISHED_SHA256 = "6726825d"  # the beginning of the published file's hash, also in its name
FILES = (
    "weights-inception-2015-12-05-6726825d.pth",
    "pt_inception-2015-12-05-6726825d.pth",  # its name in pytorch-fid
)
BATCH = 16


class InceptionV3:
    """(N, 3, H, H) uint8 -> (N, 2048) float32: the last pooling layer. About 9 images/s per core.

    ``weights_path`` is a file; without it, ``$BASCULE_WEIGHTS`` and torch hub's cache are
    searched. With other weights than the published ones, the name has their hash, so that nothing
    computed with them is called FID. Raises UserError if torch-fidelity or the file is missing.
    """

    def __init__(self, weights_path: Path | str | None = None) -> None:
        module = _torch_fidelity()
        path = weight_files.find("inception-v3", weights_path, FILES, module.URL_INCEPTION_V3)
        sha = weight_files.fingerprint(path)
        # torch-fidelity would unpickle any file, so it gets our own copy of the tensors.
        copy = io.BytesIO()
        torch.save(weight_files.read(path), copy)
        copy.seek(0)
        try:
            self.net = module.FeatureExtractorInceptionV3(
                "inception-v3", ["2048"], feature_extractor_weights_path=copy
            )
        except RuntimeError as error:
            raise weight_files.foreign("inception-v3", path, error) from None
        published = sha.startswith(PUBLISHED_SHA256)
        self.name = PUBLISHED if published else f"inception-v3-{sha[:8]},299px"
        self.spec = f"{self.name};v{VERSION};weights {sha[:12]};resize TensorFlow 1 bilinear"

    def __call__(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        return in_batches(self, images, self._of_batch, BATCH, progress)

    def _of_batch(self, images: Tensor) -> Tensor:
        features: Tensor = self.net(images)[0]
        return features


def _torch_fidelity() -> Any:
    try:
        return importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    except ImportError:
        raise UserError(
            'the extractor "inception" needs torch-fidelity: pip install "bascule[pretrained]"'
        ) from None
