"""Vectors of sixteen float32 numbers inside kernels, for loops too short for the vectoriser.

`load` and `store` move 16 consecutive numbers of a flat float32 array; ``+ - *`` work on lanes.
Arrays are padded to multiples of 16, so no loop has a remainder. LLVM maps a vector to registers
(one of AVX-512, two of AVX2, four of NEON). Under ``NUMBA_DISABLE_JIT=1`` they are numpy slices.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

WIDTH = 16
"""Numbers in a vector, its lanes."""

_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_INTS = ir.VectorType(ir.IntType(32), WIDTH)
_FLAGS = ("contract", "reassoc", "nsz", "arcp", "afn")


def padded(n: int) -> int:
    """Return `n` rounded up to a multiple of the width."""
    return -(-n // WIDTH) * WIDTH


class _VectorType(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="float32x16")


vector = _VectorType()


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, _VECTOR)


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [float(np.float32(value))] * WIDTH)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index], inbounds=True), _VECTOR.as_pointer())


def _is_flat(array: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.dtype == types.float32


@intrinsic
def _load(typing, array, index):  # type: ignore[no-untyped-def]
    if not _is_flat(array):
        return None

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        pointer = _pointer(context, builder, array, args[0], args[1])
        loaded = builder.load(pointer)
        loaded.align = 4
        return loaded

    return vector(array, types.intp), generate


@intrinsic
def _store(typing, array, index, value):  # type: ignore[no-untyped-def]
    if not _is_flat(array):
        return None

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        pointer = _pointer(context, builder, array, args[0], args[1])
        builder.store(args[2], pointer).align = 4
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


def _everywhere(builder: Any, number: Any) -> Any:
    """Put a number into every lane."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(_INTS, [0] * WIDTH))


@intrinsic
def _splat(typing, value):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _everywhere(builder, args[0])

    return vector(types.float32), generate


def _give_operator(symbol: Any, name: str) -> None:
    """Let vectors be combined by an operator of Python, as one instruction."""

    @type_callable(symbol)
    def get_type(context):  # type: ignore[no-untyped-def]
        return lambda a, b: vector if a is vector and b is vector else None

    @lower_builtin(symbol, vector, vector)
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return getattr(builder, name)(args[0], args[1], flags=_FLAGS)


_give_operator(operator.add, "fadd")
_give_operator(operator.sub, "fsub")
_give_operator(operator.mul, "fmul")
_give_operator(operator.truediv, "fdiv")


def _fold(builder: Any, value: Any, combine: Any) -> Any:
    """Fold the lanes pairwise by `combine` and return the scalar.

    The order is the same on every machine, which a sum left to LLVM is not.
    """
    width = WIDTH
    while width > 1:
        width //= 2
        indices = list(range(width, 2 * width)) + [0] * (WIDTH - width)
        upper = builder.shuffle_vector(value, value, ir.Constant(_INTS, indices))
        value = combine(value, upper)
    return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))


@intrinsic
def _reduce_sum(typing, value):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _fold(builder, args[0], lambda a, b: builder.fadd(a, b, flags=_FLAGS))

    return types.float32(vector), generate


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


@intrinsic
def _maximum(typing, a, b):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _larger(builder, args[0], args[1])

    return vector(vector, vector), generate


@intrinsic
def _minimum(typing, a, b):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[0], args[1])

    return vector(vector, vector), generate


@intrinsic
def _reduce_max(typing, value):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _fold(builder, args[0], lambda a, b: _larger(builder, a, b))

    return types.float32(vector), generate


@intrinsic
def _absolute(typing, value):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        bits = builder.bitcast(args[0], _INTS)
        clear = builder.and_(bits, ir.Constant(_INTS, [0x7FFFFFFF] * WIDTH))
        return builder.bitcast(clear, _VECTOR)

    return vector(vector), generate


@intrinsic
def _same_sign_mask(typing, value, label):  # type: ignore[no-untyped-def]
    """Lanes where (value > 0) equals (label > 0), as 1.0 or 0.0."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        zero = _constant(0.0)
        same = builder.icmp_signed(
            "==",
            builder.fcmp_ordered(">", args[0], zero),
            builder.fcmp_ordered(">", args[1], zero),
        )
        return builder.select(same, _constant(1.0), zero)

    return vector(vector, vector), generate


@intrinsic
def _greater_mask(typing, a, b):  # type: ignore[no-untyped-def]
    """Lanes where a > b, as 1.0 or 0.0."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        larger = builder.fcmp_ordered(">", args[0], args[1])
        return builder.select(larger, _constant(1.0), _constant(0.0))

    return vector(vector, vector), generate


@intrinsic
def _iota(typing, first):  # type: ignore[no-untyped-def]
    """Lanes of first, first + 1, first + 2 and so on."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.fadd(
            _everywhere(builder, args[0]), ir.Constant(_VECTOR, [float(i) for i in range(WIDTH)])
        )

    return vector(types.float32), generate


@intrinsic
def _mantissa(typing, value):  # type: ignore[no-untyped-def]
    """The factor of a positive normal number that is at least 1 and below 2."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        bits = builder.bitcast(args[0], _INTS)
        kept = builder.and_(bits, ir.Constant(_INTS, [0x007FFFFF] * WIDTH))
        scaled = builder.or_(kept, ir.Constant(_INTS, [0x3F800000] * WIDTH))
        return builder.bitcast(scaled, _VECTOR)

    return vector(vector), generate


@intrinsic
def _exponent(typing, value):  # type: ignore[no-untyped-def]
    """The power of two that goes with the mantissa."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        bits = builder.lshr(builder.bitcast(args[0], _INTS), ir.Constant(_INTS, [23] * WIDTH))
        return builder.sitofp(builder.sub(bits, ir.Constant(_INTS, [127] * WIDTH)), _VECTOR)

    return vector(vector), generate


@intrinsic
def _reduce_product(typing, value):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _fold(builder, args[0], lambda a, b: builder.fmul(a, b, flags=_FLAGS))

    return types.float32(vector), generate


# 2^f on [-0.5, 0.5]: near-minimax, from the Taylor series of exp(f ln 2), 2e-8 relative.
_EXP2 = (1.535336188319500e-4, 1.339887440266574e-3, 9.618437357674640e-3, 5.550332471162809e-2,
         2.402264791363012e-1, 6.931472028550421e-1, 1.0)  # fmt: skip


def _rint(module: Any) -> Any:
    """Declare the rounding to the nearest integer (a magic constant would be optimised away)."""
    name = f"llvm.rint.v{WIDTH}f32"
    if name in module.globals:
        return module.globals[name]
    return ir.Function(module, ir.FunctionType(_VECTOR, [_VECTOR]), name)


def _clamped(builder: Any, x: Any) -> Any:
    low, high = _constant(-80.0), _constant(80.0)
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    return builder.select(builder.fcmp_ordered(">", x, high), high, x)


def _power_of_two(builder: Any, x: Any) -> Any:
    """Return 2^x lane by lane, |x| below 120."""
    whole = builder.call(_rint(builder.module), [x])
    fraction = builder.fsub(x, whole)
    power = _constant(_EXP2[0])
    for coefficient in _EXP2[1:]:
        power = builder.fadd(
            builder.fmul(power, fraction, flags=_FLAGS), _constant(coefficient), flags=_FLAGS
        )
    exponent = builder.shl(builder.fptosi(whole, _INTS), ir.Constant(_INTS, [23] * WIDTH))
    return builder.bitcast(builder.add(builder.bitcast(power, _INTS), exponent), _VECTOR)


_LOG2E = 1.4426950408889634


@intrinsic
def _exponential(typing, value):  # type: ignore[no-untyped-def]
    """exp(value) with the value clamped to +-80."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        x = builder.fmul(_clamped(builder, args[0]), _constant(_LOG2E), flags=_FLAGS)
        return _power_of_two(builder, x)

    return vector(vector), generate


@intrinsic
def _logistic(typing, value):  # type: ignore[no-untyped-def]
    """1 / (1 + exp(-value)) with the value clamped to +-80."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        x = builder.fmul(_clamped(builder, args[0]), _constant(-_LOG2E), flags=_FLAGS)
        one = _constant(1.0)
        return builder.fdiv(one, builder.fadd(one, _power_of_two(builder, x)))

    return vector(vector), generate


def _load_slice(array: Any, index: int) -> Any:
    return array[index : index + WIDTH].copy()


def _store_slice(array: Any, index: int, value: Any) -> None:
    array[index : index + WIDTH] = value


def _logistic_slice(value: Any) -> Any:
    return (1 / (1 + np.exp(-np.clip(value, -80, 80)))).astype(np.float32)


def _exponential_slice(value: Any) -> Any:
    return np.exp(np.clip(value, -80, 80)).astype(np.float32)


def _mantissa_slice(value: Any) -> Any:
    return 2 * np.frexp(value)[0]


def _exponent_slice(value: Any) -> Any:
    return (np.frexp(value)[1] - 1).astype(np.float32)


_COMPILED: dict[str, Any] = {
    "load": _load,
    "store": _store,
    "splat": _splat,
    "reduce_sum": _reduce_sum,
    "reduce_max": _reduce_max,
    "maximum": _maximum,
    "minimum": _minimum,
    "absolute": _absolute,
    "same_sign_mask": _same_sign_mask,
    "greater_mask": _greater_mask,
    "iota": _iota,
    "mantissa": _mantissa,
    "exponent": _exponent,
    "reduce_product": _reduce_product,
    "exponential": _exponential,
    "logistic": _logistic,
}
_INTERPRETED: dict[str, Any] = {
    "load": _load_slice,
    "store": _store_slice,
    "splat": lambda value: np.full(WIDTH, value, dtype=np.float32),
    "reduce_sum": np.sum,
    "reduce_max": np.max,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "absolute": np.abs,
    "same_sign_mask": lambda value, label: ((value > 0) == (label > 0)).astype(np.float32),
    "greater_mask": lambda a, b: (a > b).astype(np.float32),
    "iota": lambda first: np.arange(WIDTH, dtype=np.float32) + np.float32(first),
    "mantissa": _mantissa_slice,
    "exponent": _exponent_slice,
    "reduce_product": np.prod,
    "exponential": _exponential_slice,
    "logistic": _logistic_slice,
}
_chosen = _INTERPRETED if getattr(config, "DISABLE_JIT", 0) else _COMPILED

load: Any = _chosen["load"]
"""``load(array, index)``: 16 numbers from `index` on."""
store: Any = _chosen["store"]
"""``store(array, index, value)``: write 16 numbers from `index` on."""
splat: Any = _chosen["splat"]
"""``splat(number)``: the float32 number in every lane."""
reduce_sum: Any = _chosen["reduce_sum"]
"""``reduce_sum(value)``: the sum of the lanes."""
reduce_max: Any = _chosen["reduce_max"]
"""``reduce_max(value)``: the largest lane."""
maximum: Any = _chosen["maximum"]
"""``maximum(a, b)`` lane by lane."""
minimum: Any = _chosen["minimum"]
"""``minimum(a, b)`` lane by lane."""
absolute: Any = _chosen["absolute"]
"""``absolute(value)`` lane by lane."""
same_sign_mask: Any = _chosen["same_sign_mask"]
"""``same_sign_mask(a, b)``: 1 where both or neither are positive, else 0."""
greater_mask: Any = _chosen["greater_mask"]
"""``greater_mask(a, b)``: 1 where a > b, else 0."""
iota: Any = _chosen["iota"]
"""``iota(number)``: the float32 number, one more, two more and so on."""
mantissa: Any = _chosen["mantissa"]
"""``mantissa(value)`` of positive normal numbers, at least 1 and below 2."""
exponent: Any = _chosen["exponent"]
"""``exponent(value)``: the power of two that `mantissa` leaves out."""
reduce_product: Any = _chosen["reduce_product"]
"""``reduce_product(value)``: the product of the lanes."""
exponential: Any = _chosen["exponential"]
"""``exponential(value)``: exp(value), relative error below 1e-5 at the ends of +-80."""
logistic: Any = _chosen["logistic"]
"""``logistic(value)``: 1 / (1 + exp(-value)), absolute error below 2e-7."""
