"""What each ATen op is to the tracer: linear in which of its arguments, pointwise, a product, a norm."""

from __future__ import annotations

from typing import Any

import torch

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
            "avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d mean sum cumsum diff index gather "
            "index_select as_strided diagonal triu tril real imag conj _conj _conj_physical resolve_conj resolve_neg "
            "view_as_real view_as_complex to _to_copy type_as reflection_pad1d reflection_pad2d replication_pad1d "
            "replication_pad2d grid_sampler grid_sampler_2d grid_sampler_3d split split_with_sizes chunk unbind "
            "dropout native_dropout feature_dropout _fft_c2c _fft_c2r _fft_r2c fft_fft2 fft_ifft2 fft_rfft2 fft_irfft2 "
            "fft_fft fft_ifft fft_rfft fft_irfft lift_fresh_copy",
        ),
        ((0,), "cat stack"),
        ((1,), "copy"),
        ((1, 2), "where"),
        ((0, 1), "slice_scatter select_scatter diagonal_scatter lerp"),
        ((0, 2), "index_put"),
        ((0, 3), "scatter scatter_add index_add index_copy"),
    )
    for op in overloads(names)
}
# Those with a constant beside the data: what the position of the constant is, and what leaves it out.
CONSTANT_PAD = overloads("pad constant_pad_nd")
MASKED_FILL = overloads("masked_fill")

ADD = overloads("add sub rsub")
SCALE = overloads("mul div neg")
MULTIPLY = overloads("mul")
DIVIDE = overloads("div")
# Products: the positions of the two factors, and of a term that is added.
PRODUCTS: dict[Any, tuple[int, int, int | None]] = {
    op: positions
    for positions, names in (
        ((0, 1, None), "mul div matmul mm bmm mv dot inner outer"),
        (
            (0, 1, 2),
            "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution",
        ),
        ((1, 2, 0), "addmm baddbmm addbmm addmv"),
    )
    for op in overloads(names)
}
EINSUM = overloads("einsum")
UNARY = overloads(
    "relu relu6 gelu sin cos tan asin atan sinh cosh tanh sigmoid silu softplus leaky_relu elu celu selu mish",
    "hardtanh hardswish hardsigmoid exp expm1 exp2 log log2 log10 log1p log_sigmoid abs square pow sqrt rsqrt",
    "reciprocal erf erfc sinc sign sgn round floor ceil trunc frac clamp clamp_min clamp_max threshold neg",
    "positive prelu rrelu hardshrink softshrink nan_to_num",
)
PRELU = overloads("prelu")
DETACH = overloads("detach")  # autograd stops there, a contribution does not
BINARY = overloads("add sub rsub mul div maximum minimum pow atan2")
POINTWISE = UNARY | BINARY
NORMS = overloads("layer_norm batch_norm _native_batch_norm_legit_no_training instance_norm group_norm")
# Constant gates at an input: their own dependence on it is frozen, as the rule `gated` defines.
FROZEN = overloads(
    "softmax _softmax log_softmax argmax argmin max min amax amin eq ne lt le gt ge logical_and logical_or",
    "logical_not isnan isfinite isinf sign bitwise_and bitwise_or bitwise_not any all sort argsort",
    "max_pool2d_with_indices",
    "var std var_mean std_mean linalg_vector_norm norm detach",
    "fill full_like zeros_like ones_like new_zeros new_ones new_full empty_like",
)
# Written in terms of the others when a model is captured.
DECOMPOSED = overloads(
    "addcmul addcdiv addr glu rms_norm _fused_rms_norm divide multiply subtract true_divide concat concatenate",
    "hstack vstack dstack column_stack row_stack fliplr flipud rot90 take_along_dim tensordot linalg_multi_dot",
    "chain_matmul kron bilinear ger negative absolute clip logit special_expit cosine_similarity linalg_vecdot",
)
LAYERS: dict[Any, str] = {
    **{op: "linear" for op in overloads("linear addmm mm matmul")},
    **{op: "conv1d" for op in overloads("conv1d")},
    **{op: "conv2d" for op in overloads("conv2d")},
    **{op: "conv3d" for op in overloads("conv3d")},
    **{op: "conv_transpose2d" for op in overloads("conv_transpose2d")},
}
