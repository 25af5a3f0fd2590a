"""Chains of masked convolutions: the compiled way against the one in torch, forward and backward."""

import copy

import pytest
import torch
from torch.autograd import gradcheck

from pixelrnn.kernels.memory import MEMORY
from pixelrnn.kernels.plans import chained, plan_layer
from pixelrnn.layers import MaskedConv2d, feature_groups, pointwise
from pixelrnn.layers.chain import chain_in_torch, run_chain

SHAPES = pytest.mark.parametrize("shape", [(5, 7), (7, 5), (1, 6), (6, 1), (1, 1)], ids=str)


def block(groups=1, kernel=(3, 3), dilation=1, mask_type="B"):
    """Build the three layers of a residual block, one of them without a bias; none has zeros."""
    torch.manual_seed(0)
    stream, inner = feature_groups(10, groups), feature_groups(7, groups)
    convs = [
        pointwise(stream, inner),
        MaskedConv2d(inner, inner, kernel, mask_type, dilation=dilation),
        pointwise(inner, stream, bias=False),
    ]
    for conv in convs:
        conv.double()
        if conv.bias is not None:
            torch.nn.init.normal_(conv.bias)
    return convs


def results(run, convs, shape, *, batch=3, rectified=True, residual="maps"):
    """Return what a chain gives, and all gradients of it."""
    torch.manual_seed(1)
    maps = torch.randn(batch, 10, *shape, dtype=torch.float64, requires_grad=True)
    other = torch.randn(batch, 10, *shape, dtype=torch.float64, requires_grad=True)
    added = {"maps": maps, "other": other, "none": None}[residual]
    parameters = [parameter for conv in convs for parameter in conv.parameters()]
    for parameter in parameters:
        parameter.grad = None
    out = run(convs, maps, rectified=rectified, residual=added)
    out.backward(torch.randn(out.shape, dtype=torch.float64))
    inputs = [maps, other] if residual == "other" else [maps]
    return [out, *(tensor.grad for tensor in inputs + parameters)]


def assert_equal(convs, shape, **options):
    compiled = results(run_chain, convs, shape, **options)
    in_torch = results(chain_in_torch, convs, shape, **options)
    for ours, theirs in zip(compiled, in_torch, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@SHAPES
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize(
    ("kernel", "dilation"), [((3, 3), 1), ((3, 3), 2), ((1, 5), 1), ((5, 1), 3), ((5, 3), 1)]
)
@pytest.mark.parametrize("mask_type", ["A", "B"])
def test_kernels_masks_and_sizes(shape, groups, kernel, dilation, mask_type):
    assert_equal(block(groups, kernel, dilation, mask_type), shape)


@pytest.mark.parametrize("residual", ["maps", "other", "none"])
@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("layers", [slice(0, 3), slice(1, 2), slice(0, 1), slice(2, 3)], ids=str)
def test_residuals_and_lengths(residual, rectified, layers):
    convs = block()[layers]
    inputs, outputs = convs[0].mask.shape[1], convs[-1].mask.shape[0]
    if (inputs, outputs) != (10, 10):
        torch.manual_seed(2)
        around = [pointwise(feature_groups(10, 1), feature_groups(inputs, 1)).double()]
        behind = [pointwise(feature_groups(outputs, 1), feature_groups(10, 1)).double()]
        convs = [*around, *convs, *behind]
    assert_equal(convs, (4, 6), rectified=rectified, residual=residual)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_result_does_not_depend_on_the_threads(threads, use_threads):
    convs = block()
    use_threads(3)
    before = results(run_chain, convs, (5, 7), batch=4)
    use_threads(threads)
    after = results(run_chain, convs, (5, 7), batch=4)
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other)


def test_gradcheck():
    convs = block()
    maps = torch.randn(2, 10, 2, 3, dtype=torch.float64, requires_grad=True)
    parameters = [parameter for conv in convs for parameter in conv.parameters()]

    def run(maps, *_):
        return run_chain(convs, maps, rectified=True, residual=maps)

    assert gradcheck(run, (maps, *parameters))


def test_gradients_reach_only_what_needs_them():
    convs = block()
    convs[1].weight.requires_grad_(False)
    maps = torch.randn(2, 10, 3, 4, dtype=torch.float64)
    run_chain(convs, maps, rectified=True, residual=maps).sum().backward()
    assert convs[1].weight.grad is None
    assert convs[0].weight.grad.any()


def test_maps_that_lie_in_another_order_in_memory():
    convs = block()
    maps = torch.randn(2, 10, 5, 6, dtype=torch.float64)
    moved = maps.to(memory_format=torch.channels_last)
    torch.testing.assert_close(run_chain(convs, moved), run_chain(convs, maps), rtol=0, atol=0)


def test_a_copy_has_weights_of_its_own():
    """As the moving average of a model has."""
    (conv, *_) = block()
    other = copy.deepcopy(conv)
    with torch.no_grad():
        other.weight.zero_()
    maps = torch.randn(1, 10, 3, 3, dtype=torch.float64)
    assert run_chain([conv], maps).std() > 0.1
    assert other.plan is conv.plan
    torch.testing.assert_close(run_chain([other], maps)[0, :, 0, 0], conv.bias)


def test_mixed_precision_is_left_to_torch():
    convs = [conv.float() for conv in block()]
    maps = torch.randn(1, 10, 5, 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = run_chain(convs, maps, rectified=True)
    assert mixed.dtype == torch.bfloat16
    torch.testing.assert_close(
        mixed.float(), run_chain(convs, maps, rectified=True), rtol=0.02, atol=0.02
    )


def test_half_precision_is_left_to_torch():
    (conv, *_) = block()
    conv.bfloat16()
    assert run_chain([conv], torch.randn(1, 10, 3, 3).bfloat16()).dtype == torch.bfloat16


def test_memory_of_a_batch():
    """The result, and what is between the layers: 7 + 7 + 10 maps."""
    convs = [conv.float() for conv in block()]
    maps = torch.randn(16, 10, 32, 32)
    MEMORY._waiting.clear()  # or a block of another test, larger than is asked for, may be taken again
    MEMORY.waiting_bytes, before = 0, MEMORY.used_bytes
    result = run_chain(convs, maps, residual=maps)
    kept = (7 + 7 + 10) * 16 * 32 * 32 * 4
    assert kept <= MEMORY.used_bytes - before < 1.05 * kept
    del result
    assert MEMORY.used_bytes == before


def test_spans_hold_all_weights_and_little_else():
    """Of three groups, a 1 x 1 layer reads two thirds: no more than a block more is computed."""
    ins, outs = feature_groups(60, 3), feature_groups(60, 3)
    plan = pointwise(ins, outs).plan
    read = sum(last - first for first, last in plan.spans_forward.reshape(-1, 2)) * 4
    assert len(plan.forward) <= read <= 1.05 * len(plan.forward)
    read = sum(last - first for first, last in plan.spans_backward.reshape(-1, 2)) * 4
    assert len(plan.backward) <= read <= 1.05 * len(plan.backward)


def test_a_map_without_any_connection_has_an_empty_span():
    mask = torch.zeros(4, 3, 1, 1, dtype=torch.bool).numpy()
    assert plan_layer(mask, 1).spans_forward.tolist() == [0, 0]


def test_weights_of_both_passes_are_the_same_ones():
    convs = block(groups=3)
    plan = chained(*(conv.plan for conv in convs))
    weights = plan.weights([conv.weight.detach().numpy() for conv in convs])
    assert (weights[plan.forward] == weights[plan.backward]).all()
    assert (weights != 0).sum() == 2 * len(plan.forward)
