"""Questions as arrays: what a kernel is given, along what that can be cut, and how the command is told of it."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

import numpy as np

from ._arrays import Codes, rounded


@dataclass
class Input:
    """An input: its codes, the steps along the first axis that belong to an item (0: shared), the axes that lengths cut."""

    name: str
    codes: Codes
    per_item: int
    length_axes: tuple[int, ...] = ()


@dataclass
class Problem:
    """A question whose items (rows, heads) are answered alike whatever stands beside them."""

    operation: str
    inputs: list[Input]
    options: list[str] = field(default_factory=list)
    item: str = "row"

    @property
    def count(self) -> int:
        for i in self.inputs:
            if i.per_item:
                return i.codes.shape[0] // i.per_item
        return 1

    @property
    def length(self) -> int | None:
        for i in self.inputs:
            if i.length_axes:
                return i.codes.shape[i.length_axes[0]]
        return None

    def call(self, items: Sequence[int], length: int | None = None) -> list[Codes]:
        """The inputs of these items, cut to a length."""
        made = []
        for i in self.inputs:
            x = i.codes.codes
            if i.per_item:
                places = [item * i.per_item + k for item in items for k in range(i.per_item)]
                x = x[places]
            if length is not None:
                for axis in i.length_axes:
                    x = x.take(range(min(length, x.shape[axis])), axis=axis)
            made.append(Codes(i.codes.dtype, np.ascontiguousarray(x)))
        return made

    def per_item_of_results(self) -> int:
        return self.inputs[0].per_item or 1


#: The operations of one row each, and whether a row has one result.
ROWS = {"softmax": False, "logsoftmax": False, "sigmoid": False, "lse": True, "rmsnorm": False, "layernorm": False}
_NAMES = {"log-softmax": "logsoftmax", "log_softmax": "logsoftmax", "logsumexp": "lse", "log-sum-exp": "lse",
          "rms_norm": "rmsnorm", "layer_norm": "layernorm"}

OPERATIONS = (*ROWS, "matmul", "attention")


def operation_name(name: str) -> str:
    """The command's name of an operation."""
    name = _NAMES.get(name, name)
    if name not in OPERATIONS:
        raise ValueError(f"operation {name!r}: must be one of {', '.join(OPERATIONS)}")
    return name


def result_shape(operation: str, inputs: Sequence[Codes]) -> tuple[int, ...]:
    """The shape that results have."""
    first = inputs[0].shape
    if operation == "matmul":
        return (first[0], inputs[1].shape[1])
    if operation == "attention":
        return (*first[:-1], inputs[2].shape[-1])
    return first[:-1] if ROWS[operation] else first


def shapes(operation: str, shape: Any) -> dict[str, tuple[int, ...]]:
    """The inputs' shapes from what was asked for: one shape, or one for each input."""
    if isinstance(shape, Mapping):
        return {name: tuple(s) for name, s in shape.items()}
    s = tuple(shape) if shape is not None else {"matmul": (64, 256, 64), "attention": (4, 64, 64)}.get(operation, (64, 1024))
    if operation == "matmul":
        if len(s) != 3:
            raise ValueError("shape of matmul: (rows, inner, columns), or a shape for each of a and b")
        return {"a": (s[0], s[1]), "b": (s[1], s[2])}
    if operation == "attention":
        if len(s) != 3:
            raise ValueError("shape of attention: (heads, tokens, head size), or a shape for each of q, k and v")
        return {"q": s, "k": s, "v": s}
    if len(s) < 2:
        raise ValueError(f"shape of {operation}: (rows, length)")
    return {"input": s}


def generated(operation: str, shape: Any, dtype: str, distribution: str, scale: float, seed: int) -> dict[str, Codes]:
    """Inputs drawn from a distribution, rounded to the dtype."""
    made = {}
    for k, (name, s) in enumerate(shapes(operation, shape).items()):
        random = np.random.Generator(np.random.PCG64([seed, k]))
        if distribution == "normal":
            x = random.standard_normal(s) * scale
        elif distribution == "uniform":
            x = random.uniform(-scale, scale, s)
        else:
            raise ValueError(f"distribution {distribution!r}: must be normal or uniform")
        made[name] = rounded(x, dtype)
    return made


def problem(operation: str, inputs: Mapping[str, Codes], options: Sequence[str]) -> Problem:
    """What inputs of that operation are."""
    options = list(options)
    if operation == "attention":
        q, k, v = (inputs[n] for n in ("q", "k", "v"))
        if len(q.shape) == 3:
            if q.shape[0] % k.shape[0]:
                raise ValueError("the heads of k do not divide those of q")
            group = q.shape[0] // k.shape[0]
            per = (group, 1, 1)
        else:
            per = (1, 1, 1) if len(q.shape) > 3 else (0, 0, 0)
        axis = len(q.shape) - 2
        whole = q.shape[axis] == k.shape[axis]
        list_ = [Input("q", q, per[0], (axis,) if whole else ()), Input("k", k, per[1], (axis,)), Input("v", v, per[2], (axis,))]
        if not whole:
            for i in list_:
                i.length_axes = ()
        return Problem(operation, list_, options, "head" if len(q.shape) == 3 else "batch")
    if operation == "matmul":
        return Problem(operation, [Input("a", inputs["a"], 1, (1,)), Input("b", inputs["b"], 0, (0,))], options)
    x = inputs["input"]
    last = len(x.shape) - 1
    made = [Input("input", x, 1 if last else 0, (last,))]
    for name in ("weight", "bias"):
        if name in inputs:
            made.append(Input(name, inputs[name], 0, (0,)))
    return Problem(operation, made, options)
