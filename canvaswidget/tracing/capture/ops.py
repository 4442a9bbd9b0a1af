"""What each ATen op is to the tracer: linear in which of its arguments, pointwise, a product."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import fx

aten = torch.ops.aten


def overloads(*names: str) -> set[Any]:
    """Every overload that this torch has of the ops of these names, separated by spaces."""
    return {
        getattr(getattr(aten, name), overload)
        for line in names
        for name in line.split()
        if hasattr(aten, name)
        for overload in getattr(aten, name).overloads()
    }


# Linear in the arguments at these positions, all of them together; nothing is added.
LINEAR: dict[Any, tuple[int, ...]] = {
    op: positions
    for positions, names in (
        (
            (0,),
            "view _unsafe_view reshape permute transpose t numpy_T mT squeeze unsqueeze expand expand_as clone "
            "contiguous alias detach slice select narrow flip roll repeat repeat_interleave tile unfold im2col col2im "
            "pixel_shuffle pixel_unshuffle channel_shuffle flatten unflatten movedim swapaxes swapdims "
            "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact2d upsample_linear1d "
            "upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d _upsample_bilinear2d_aa avg_pool1d avg_pool2d "
            "avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d mean sum cumsum index gather take "
            "index_select diagonal triu tril real imag conj _conj _conj_physical resolve_conj resolve_neg "
            "view_as_real view_as_complex to _to_copy type_as reflection_pad1d reflection_pad2d replication_pad1d "
            "replication_pad2d grid_sampler grid_sampler_2d grid_sampler_3d split split_with_sizes chunk unbind "
            "dropout native_dropout feature_dropout _fft_c2c _fft_c2r _fft_r2c fft_fft2 fft_ifft2 fft_rfft2 fft_irfft2 "
            "fft_fft fft_ifft fft_rfft fft_irfft fft_fftn fft_ifftn fft_rfftn fft_irfftn fft_hfft fft_ihfft "
            "fft_fftshift fft_ifftshift lift_fresh_copy unsafe_split unsafe_split_with_sizes unsafe_chunk broadcast_to "
            " trapezoid atleast_1d atleast_2d atleast_3d rot90 "
            "deg2rad rad2deg trace diag diag_embed diagflat pad constant_pad_nd circular_pad masked_select",
        ),
        ((0,), "cat stack meshgrid block_diag broadcast_tensors"),
        ((1, 2), "where"),
        ((0, 1), "slice_scatter select_scatter diagonal_scatter lerp complex"),
        ((0, 2), "index_put masked_scatter masked_fill"),
        ((0, 3), "scatter scatter_add index_add index_copy index_fill scatter_reduce"),
        ((0, 3, 4), "diff"),
    )
    for op in overloads(names)
}
# Ops with a number beside the data, which is put where data would be: the position of the number.
NUMBER: dict[Any, int] = {
    op: position
    for position, names in (
        (2, ("masked_fill.Scalar", "where.ScalarOther", "constant_pad_nd.default")),
        (1, ("where.ScalarSelf",)),
        (3, ("pad.default", "scatter.value", "index_fill.int_Scalar")),
    )
    for op in (getattr(getattr(aten, name.split(".")[0]), name.split(".")[1]) for name in names)
}

ADD = overloads("add sub rsub")
SUBTRACT = overloads("sub")
SUBTRACT_FROM = overloads("rsub")
MULTIPLY = overloads("mul")
# A quotient that is rounded is another function.
DIVIDE = overloads("div") - {aten.div.Tensor_mode, aten.div.Scalar_mode}
NEGATE = overloads("neg")
SCALE = MULTIPLY | DIVIDE | NEGATE
# One of two values, at each place.
CHOICE = overloads("maximum minimum fmax fmin")
# Products: the positions of the two factors, and of a term that is added.
PRODUCTS: dict[Any, tuple[int, int, int | None]] = {
    op: positions
    for positions, names in (
        ((0, 1, None), "mul matmul mm bmm mv dot vdot inner outer cross linalg_cross"),
        (
            (0, 1, 2),
            "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution",
        ),
    )
    for op in overloads(names)
}
PRODUCTS.update(dict.fromkeys(DIVIDE, (0, 1, None)))
EINSUM = overloads("einsum")
UNARY = overloads(
    "relu relu6 gelu sin cos tan asin atan sinh cosh tanh sigmoid silu softplus leaky_relu elu celu selu mish",
    "hardtanh hardswish hardsigmoid exp expm1 exp2 log log2 log10 log1p log_sigmoid abs square pow sqrt rsqrt",
    "reciprocal erf erfc sinc sign sgn round floor ceil trunc frac clamp clamp_min clamp_max threshold neg",
    "positive prelu rrelu hardshrink softshrink nan_to_num acos acosh asinh atanh lgamma digamma erfinv i0 angle logit",
)
BINARY = (
    overloads(
        "add sub rsub mul div pow float_power atan2 hypot copysign logaddexp xlogy remainder fmod floor_divide"
    )
    | CHOICE
)
PRELU = overloads("prelu")
DETACH = overloads("detach")  # autograd stops there, a contribution does not
POINTWISE = UNARY | BINARY
# Constant gates at an input: their own dependence on it is frozen, as the rule `gated` defines.
FROZEN = overloads(
    "softmax _softmax log_softmax argmax argmin max min amax amin eq ne lt le gt ge logical_and logical_or",
    "logical_not isnan isfinite isinf sign bitwise_and bitwise_or bitwise_not any all sort argsort",
    "max_pool2d_with_indices",
    "median nanmedian kthvalue mode cummax cummin",
    "var std var_mean std_mean linalg_vector_norm norm detach",
    "fill full_like zeros_like ones_like new_zeros new_ones new_full empty_like",
)
# Written in terms of the others when a model is captured.
DECOMPOSED = overloads(
    "addcmul addcdiv addr glu rms_norm _fused_rms_norm divide multiply subtract true_divide concat concatenate",
    "hstack vstack dstack column_stack row_stack fliplr flipud rot90 take_along_dim tensordot linalg_multi_dot",
    "chain_matmul kron bilinear ger negative absolute clip special_expit cosine_similarity linalg_vecdot",
    "gru_cell lstm_cell rnn_tanh_cell rnn_relu_cell gru lstm rnn_tanh rnn_relu",
)
LAYERS: dict[Any, str] = {
    **{op: "linear" for op in overloads("linear mm matmul")},
    **{op: "conv1d" for op in overloads("conv1d")},
    **{op: "conv2d" for op in overloads("conv2d")},
    **{op: "conv3d" for op in overloads("conv3d")},
    **{op: "conv_transpose1d" for op in overloads("conv_transpose1d")},
    **{op: "conv_transpose2d" for op in overloads("conv_transpose2d")},
    **{op: "conv_transpose3d" for op in overloads("conv_transpose3d")},
}

MATRIX_PRODUCTS = overloads("matmul mm bmm")
SOFTMAX = overloads("softmax _softmax")


def is_linear(node: fx.Node) -> bool:
    """Whether an op is linear in the arguments that `LINEAR` names, as it is called here."""
    if node.target not in LINEAR:
        return False
    if "reduce" in node.kwargs:
        return False  # a product with what is scattered, or the larger of both
    if node.target in overloads("scatter_reduce"):
        return cast(Any, node.args[4]) in ("sum", "mean")
    return True
