"""Networks for other programs: what the files draw is what the run draws, at any batch size."""

import subprocess
import sys

import pytest
import torch

from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.export.formats import write_onnx, write_program
from bascule.export.networks import portables
from bascule.flow.model import UNet
from bascule.flow.recipe import FlowRecipe
from bascule.gan.recipe import GANRecipe
from bascule.models.stylegan2 import StyleGAN2
from bascule.runs.execute import execute
from bascule.runs.generate import generate
from bascule.sdpc.recipe import SDPCRecipe

SMALL = {
    **{"data": Faces(n=40, size=32), "epochs": 1, "batch": 8, "threads": 1, "device": "cpu"},
    **{"keep_every_epochs": 1, "sample_every_epochs": 1},
}
STYLE = StyleGAN2(base=128, most=16, mapping=1, z_dim=8, w_dim=8, size=32)
UNTRAINED = """
import sys, torch
sys.modules["bascule"] = None  # so that its import fails
net = torch.export.load(sys.argv[1]).module()
torch.save(net(torch.load(sys.argv[2])), sys.argv[3])
"""


def trained(recipe, make_run):
    run = make_run(recipe)
    execute(run, recipe.data.load(), [])
    return run


def test_a_program_draws_what_the_run_draws_without_bascule(tiny, make_run, tmp_path):
    run = trained(tiny, make_run)
    (net,) = portables(run)
    file = tmp_path / "g.pt2"
    assert write_program(net, file) < 1e-5
    from bascule.core.context import generator

    z = torch.randn(250, tiny.z_dim, generator=generator("evaluation z", 0, 0))[:5]
    torch.save(z, tmp_path / "z.pt")
    words = [str(tmp_path / name) for name in ("g.pt2", "z.pt", "x.pt")]
    done = subprocess.run([sys.executable, "-c", UNTRAINED, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    x = torch.load(tmp_path / "x.pt")
    assert (255 * x - torch.from_numpy(generate(run, 5).pictures)).abs().max() <= 0.51


@pytest.mark.parametrize(
    "recipe",
    [
        GANRecipe(model=STYLE, precision="fp32", **SMALL),
        FlowRecipe(model=UNet(widths=(8, 8), blocks=1, size=32), steps=2, **SMALL),
    ],
    ids=["stylegan2", "flow"],
)
def test_onnx_takes_any_number_of_latents(recipe, make_run, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    (net,) = portables(run := trained(recipe, make_run))
    assert write_onnx(net, tmp_path / "g.onnx", run) < 1e-3
    session = onnxruntime.InferenceSession(str(tmp_path / "g.onnx"))
    assert session.get_modelmeta().custom_metadata_map["run"] == run.id
    for n in (1, 4, 40):
        x = net.inputs(n)
        (found,) = session.run(None, {"z": x.numpy()})
        assert (torch.from_numpy(found) - net.outputs(x)).abs().max() < 1e-3


def test_a_run_without_a_g_or_a_translator_is_refused(make_run):
    recipe = SDPCRecipe(data=Faces(n=40), device="cpu")
    with pytest.raises(UserError, match="no G and no translator: it is a SDPCRecipe"):
        portables(make_run(recipe))
