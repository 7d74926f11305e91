"""What "auto" becomes, and what is refused on this machine."""

import os

import pytest
import torch

from bascule.core.errors import UserError
from bascule.core.processes import cores
from bascule.gan.recipe import GANRecipe
from bascule.training import hardware
from bascule.training.hardware import describe, fast_bf16, resolve_auto


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def with_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_auto_is_cuda_where_there_is_one(with_cuda):
    assert resolve_auto(GANRecipe(device="auto")).device == "cuda"


def test_auto_is_the_cpu_where_there_is_no_cuda(no_cuda):
    assert resolve_auto(GANRecipe(device="auto")).device == "cpu"


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:1"])
def test_cuda_is_refused_without_cuda(no_cuda, device):
    with pytest.raises(UserError, match=f"device='{device}': this machine has no CUDA device; use"):
        resolve_auto(GANRecipe(device=device))


def test_more_devices_than_there_are_are_refused(with_cuda, monkeypatch):
    assert resolve_auto(GANRecipe(device="cuda:1")).device == "cuda:1"
    with pytest.raises(UserError, match="'cuda:2': needs 3 CUDA devices, but this machine has 2"):
        resolve_auto(GANRecipe(device="cuda:2"))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert resolve_auto(GANRecipe(device="cuda")).device == "cuda"
    with pytest.raises(UserError, match="'cuda:1' on 2 processes: expected device=cuda, one GPU"):
        resolve_auto(GANRecipe(device="cuda:1"))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(UserError, match="on 3 processes: needs 3 CUDA devices, but this machine"):
        resolve_auto(GANRecipe(device="auto"))


def test_apple_s_gpus_are_refused_with_the_reason():
    with pytest.raises(UserError, match="64 bits, which they lack; use device=cpu"):
        resolve_auto(GANRecipe(device="mps"))


@pytest.mark.parametrize("device", ["gpu", "xpu", "cuda:x", "", "cpu cuda", "os.system"])
def test_an_unknown_device_is_refused_in_one_line(device):
    with pytest.raises(UserError, match="expected auto, cpu, cuda or cuda:0") as refusal:
        resolve_auto(GANRecipe(device=device))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("claimed", [True, False])
@pytest.mark.parametrize("faster", [True, False])
def test_auto_precision_is_bf16_where_it_is_claimed_and_measured(
    monkeypatch, no_cuda, claimed, faster
):
    asked = []
    monkeypatch.setattr(hardware, "fast_bf16", lambda kind: claimed)
    monkeypatch.setattr(hardware, "bf16_is_faster", lambda *told: asked.append(told) or faster)
    recipe = GANRecipe(precision="auto", threads=1)
    expected = "bf16" if claimed and faster else "fp32"
    assert resolve_auto(recipe).precision == expected
    assert len(asked) == claimed  # no trial where nothing is claimed
    for tried, machine in asked:
        assert (tried.device, tried.threads) == ("cpu", 1) and machine


def test_several_processes_go_by_what_is_claimed(monkeypatch, no_cuda):
    monkeypatch.setattr(hardware, "fast_bf16", lambda kind: True)
    monkeypatch.setattr(hardware, "bf16_is_faster", lambda *told: pytest.fail("a trial"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert resolve_auto(GANRecipe(precision="auto")).precision == "bf16"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stated_precision_stays(monkeypatch, precision):
    monkeypatch.setattr(hardware, "fast_bf16", lambda kind: precision == "fp32")
    assert resolve_auto(GANRecipe(precision=precision, device="cpu")).precision == precision


def test_fast_bf16_asks_the_right_device(monkeypatch):
    # A GPU that only emulates bfloat16 says yes unless it is asked for more.
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation
    )
    assert not fast_bf16("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    assert fast_bf16("cuda") and not fast_bf16("cpu")


def test_a_pytorch_that_cannot_be_asked_has_no_fast_bf16(monkeypatch):
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert not fast_bf16("cpu")


def test_threads_become_the_cores_of_this_process(monkeypatch):
    monkeypatch.setattr(hardware, "cores", lambda: 3)
    assert resolve_auto(GANRecipe(threads=None, device="cpu")).threads == 3
    assert resolve_auto(GANRecipe(threads=7, device="cpu")).threads == 7


def test_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 5}, raising=False)
    assert cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert cores() == 12


def test_settling_changes_nothing_else_and_settles_for_good(tiny):
    loose = tiny.replace(device="auto", precision="auto", threads=None)
    settled = resolve_auto(loose)
    assert resolve_auto(settled) == settled
    assert settled.replace(device="auto", precision="auto", threads=None) == loose


def test_the_record_names_python_torch_system_and_processor(no_cuda):
    told = describe()
    assert told["torch"] == torch.__version__
    assert told["python"].startswith("3.")
    assert told["cores"] == str(cores())
    assert set(told) == {"python", "torch", "system", "processor", "cores"}
    assert all(isinstance(value, str) and value for value in told.values())
