"""Dictionaries in layers: their geometry, what codes stand for, and what is refused."""

import pytest
import torch
from torch.nn.functional import conv_transpose2d

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.sdpc.model import SDPC, Layer, Network

TWO = (Layer(5, 4, stride=2, padding=1, gain=2.0), Layer(7, 3, gain=0.5))


def test_a_network_is_drawn_from_its_generator_alone_with_atoms_of_norm_1():
    config = SDPC(TWO, size=16)
    network, same, other = (config.network(generator(s)) for s in ("a", "a", "b"))
    for D in network.dictionaries:
        torch.testing.assert_close(D.flatten(1).norm(dim=1), torch.ones(len(D)))
    assert torch.equal(network.dictionaries[1], same.dictionaries[1])
    assert not torch.equal(network.dictionaries[1], other.dictionaries[1])
    assert [tuple(D.shape) for D in network.dictionaries] == [(5, 3, 4, 4), (7, 5, 3, 3)]
    assert network.shapes((16, 20)) == [(16, 20), (8, 10), (6, 8)]
    assert not any(p.requires_grad for p in network.parameters())


def test_codes_are_decoded_through_every_layer_below():
    network = SDPC(TWO, size=16).network(generator("a"))
    with torch.no_grad():
        network.gains[0].copy_(torch.linspace(0.5, 2, 5))
    g = torch.rand(2, 7, 6, 6)
    u = conv_transpose2d(g, network.dictionaries[1])
    g_1 = u / torch.linspace(0.5, 2, 5)[None, :, None, None]
    x = conv_transpose2d(g_1, network.dictionaries[0], stride=2, padding=1)
    torch.testing.assert_close(network.decode(g, 2, (16, 16)), x)


def test_a_projected_atom_is_what_its_unit_draws():
    layers = (Layer(5, 4, stride=2, gain=2.0), Layer(7, 3))
    network = SDPC(layers, size=16).network(generator("a"))
    one = torch.zeros(1, 7, 5, 5)
    one[0, 3, 1, 2] = 1
    drawn = network.decode(one, 2, (16, 16))
    patch = network.projected(2)[3]
    assert patch.shape == (3, 8, 8)
    torch.testing.assert_close(drawn[0, :, 2:10, 4:12], patch)
    torch.testing.assert_close(drawn.square().sum(), patch.square().sum())
    assert torch.equal(network.projected(1), network.dictionaries[0])


def test_an_operator_is_made_again_when_its_dictionary_or_gain_changes():
    network = SDPC(TWO, size=16).network(generator("a"))
    first = network.operator(1, (8, 8), joint=True)
    assert network.operator(1, (8, 8), joint=True) is first
    with torch.no_grad():
        network.gains[0].mul_(2)
    second = network.operator(1, (8, 8), joint=True)
    torch.testing.assert_close(second.D, first.D / 2)
    before = network.curvature(1, (8, 8), joint=False)
    with torch.no_grad():
        network.dictionaries[1].mul_(2)
    assert network.curvature(1, (8, 8), joint=False) == pytest.approx(4 * before, rel=1e-3)


def test_where_power_iteration_stood_is_part_of_what_is_saved():
    config = SDPC(TWO, size=16)
    network, other = config.network(generator("a")), config.network(generator("b"))
    network.curvature(0, (16, 16), joint=True)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.leading_0, network.leading_0)
    assert other.leading_1.numel() == 0
    assert torch.equal(other.gains[1], network.gains[1])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Layer(0, 4), r"Layer\(atoms=0\): expected a whole number >= 1"),
        (lambda: Layer(4, 4, stride=5), r"Layer\(stride=5\): expected at most kernel=4"),
        (lambda: Layer(4, 4, padding=4), r"Layer\(padding=4\): expected 0 to kernel - 1 = 3"),
        (lambda: Layer(4, 4, threshold=-0.1), r"Layer\(threshold=-0.1\): expected a number >= 0"),
        (lambda: Layer(4, 4, gain=0.0), r"Layer\(gain=0.0\): expected a number > 0"),
        (lambda: SDPC((), size=16), "at least one layer"),
        (
            lambda: SDPC((Layer(4, 8, stride=4),), size=30),
            "an input of 30 px does not fit .* crop or pad it to 28 or 32",
        ),
        (lambda: SDPC((Layer(4, 8),), size=6), "an input of 6 px does not fit .* pad it to 8 or 9"),
        (
            lambda: Network(TWO, [torch.ones(5, 3, 4, 4), torch.ones(7, 4, 3, 3)]),
            r"dictionary 2 is \(7, 4, 3, 3\): expected \(7, 5, 3, 3\)",
        ),
        (
            lambda: Network(TWO, [torch.ones(5, 3, 4, 4), torch.zeros(7, 5, 3, 3)]),
            "dictionary 2 has an atom that is zero or not finite",
        ),
        (lambda: Network(TWO, [torch.ones(5, 3, 4, 4)]), "2 layers, 1 dictionaries"),
        (
            lambda: Network(
                TWO,
                [torch.ones(5, 3, 4, 4), torch.ones(7, 5, 3, 3)],
                [torch.ones(5), torch.zeros(7)],
            ),
            "gains 2",
        ),
    ],
)
def test_bad_networks_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
