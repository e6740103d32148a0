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
    #: Results of a row, where no input says it: dimensions of ``sinusoidal``, heads of ``alibi``.
    width: int = 0

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

#: What stands around attention: the arrays that each is given, those with a row (or number) for each row of the question, and its
#: results: ``each`` number of a row, ``one`` a row, as many as ``keys``, or as ``values`` have columns, or ``width``.
AROUND: dict[str, tuple[tuple[str, ...], frozenset[str], str]] = {
    "rope": (("input", "positions"), frozenset({"input", "positions"}), "each"),
    "sinusoidal": (("positions",), frozenset({"positions"}), "width"),
    "alibi": (("distances",), frozenset({"distances"}), "width"),
    "exp": (("input",), frozenset({"input"}), "each"),
    "exp2": (("input",), frozenset({"input"}), "each"),
    "bce": (("input", "targets"), frozenset({"input", "targets"}), "each"),
    "bce-probabilities": (("input", "targets"), frozenset({"input", "targets"}), "each"),
    "sigmoid-gradient": (("input",), frozenset({"input"}), "each"),
    "smoothed-crossentropy": (("input", "target"), frozenset({"input", "target"}), "one"),
    "z-loss": (("input",), frozenset({"input"}), "one"),
    "scores": (("input", "keys", "query_matrix", "key_matrix", "combination"), frozenset({"input"}), "keys"),
    # Its rows are the tokens of one sequence.
    "linear-attention": (("input", "keys", "values"), frozenset(), "values"),
    "sigmoid-attention": (("input", "keys", "values"), frozenset({"input"}), "values"),
    # The bias, one number an expert, is drawn nowhere: there is one where it is given.
    "routing": (("input", "bias"), frozenset({"input"}), "each"),
    # Probabilities, logits or masks; lists of tokens are read from files alone.
    "sample": (("input",), frozenset({"input"}), "each"),
}
_WHOLE = ("positions", "distances", "target")

#: What results of several are called: of all others there is one, or for attention its log-sum-exp besides.
GRADIENTS = ("dq", "dk", "dv")

OPERATIONS = (*ROWS, *AROUND, "matmul", "attention", "attention-backward")


def operation_name(name: str) -> str:
    """The command's name of an operation."""
    name = _NAMES.get(name, name)
    if name not in OPERATIONS:
        name = name.replace("_", "-")
    if name not in OPERATIONS:
        raise ValueError(f"operation {name!r}: must be one of {', '.join(OPERATIONS)}")
    return name


def result_shapes(operation: str, inputs: Sequence[Codes], width: int = 0) -> list[tuple[int, ...]]:
    """The shapes of all results that there must be."""
    if operation == "attention-backward":
        return [i.shape for i in inputs[:3]]
    return [_result_shape(operation, inputs, width)]


def _result_shape(operation: str, inputs: Sequence[Codes], width: int) -> tuple[int, ...]:
    first = inputs[0].shape
    if operation in AROUND:
        kind = AROUND[operation][2]
        if kind == "each":
            return first
        if kind == "one":
            return first[:-1]
        if kind == "width":
            return (first[0], width)
        return (*first[:-1], inputs[1].shape[0] if kind == "keys" else inputs[2].shape[1])
    if operation == "matmul":
        return (first[0], inputs[1].shape[1])
    if operation == "attention":
        return (*first[:-1], inputs[2].shape[-1])
    return first[:-1] if ROWS[operation] else first


def shapes(operation: str, shape: Any) -> dict[str, tuple[int, ...]]:
    """The inputs' shapes from what was asked for: one shape, or one for each input."""
    if isinstance(shape, Mapping):
        return {name: tuple(s) for name, s in shape.items()}
    s = tuple(shape) if shape is not None else {
        "matmul": (64, 256, 64), "attention": (4, 64, 64), "attention-backward": (4, 64, 64)}.get(operation, (64, 1024))
    if operation == "matmul":
        if len(s) != 3:
            raise ValueError("shape of matmul: (rows, inner, columns), or a shape for each of a and b")
        return {"a": (s[0], s[1]), "b": (s[1], s[2])}
    if operation in ("attention", "attention-backward"):
        if len(s) != 3:
            raise ValueError(f"shape of {operation}: (heads, tokens, head size), or a shape for each of q, k and v")
        return {"q": s, "k": s, "v": s}
    if len(s) < 2:
        raise ValueError(f"shape of {operation}: (rows, length)")
    return {"input": s}


def _around(operation: str, shape: Any, dtype: str, draw: Any, options: Mapping[str, Any]) -> dict[str, Codes]:
    """The arrays of what stands around attention: rows of ``shape``, positions one after the other, and all that belongs to them."""
    rows, length = tuple(shape) if shape is not None else (32, 64)
    function = options.get("function", "dot")
    made: dict[str, Codes] = {}
    for k, name in enumerate(AROUND[operation][0]):
        if name == "bias":
            continue
        if name in ("positions", "distances"):
            made[name] = Codes("int64", np.arange(rows, dtype=np.int64))
        elif name == "target":
            made[name] = Codes("int64", np.arange(rows, dtype=np.int64) * 7 % length)
        elif name == "targets":
            made[name] = rounded((np.arange(rows * length) % 5 / 4).reshape(rows, length), dtype)
        elif name == "combination":
            if function == "additive":
                made[name] = rounded(draw(k, (length,)), dtype)
        elif name in ("query_matrix", "key_matrix"):
            if function == "additive" or function == "general" and name == "query_matrix":
                made[name] = rounded(draw(k, (length, length)) / np.sqrt(length), dtype)
        else:
            x = draw(k, (rows, length))
            made[name] = rounded(1 / (1 + np.exp(-x)) if operation == "bce-probabilities" else x, dtype)
    return made


def generated(operation: str, shape: Any, dtype: str, distribution: str, scale: float, seed: int,
              options: Mapping[str, Any] | None = None) -> dict[str, Codes]:
    """Inputs drawn from a distribution, rounded to the dtype."""
    if operation in AROUND:
        def draw(k: int, s: tuple[int, ...]) -> Any:
            random = np.random.Generator(np.random.PCG64([seed, k]))
            return random.uniform(-scale, scale, s) if distribution == "uniform" else random.standard_normal(s) * scale

        return _around(operation, shape, dtype, draw, options or {})
    made = {}
    asked = shapes(operation, shape)
    if operation == "attention-backward":
        asked.setdefault("do", (*asked["q"][:-1], asked["v"][-1]))
    for k, (name, s) in enumerate(asked.items()):
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
    if operation in AROUND:
        names, each, _ = AROUND[operation]
        unknown = [n for n in inputs if n not in names]
        if unknown:
            raise ValueError(f"{operation} has no input {unknown[0]!r}; there are: {', '.join(names)}")
        width = int(options[options.index("--length") + 1]) if "--length" in options else 64
        return Problem(
            operation, [Input(n, inputs[n], 1 if n in each else 0) for n in names if n in inputs], options, width=width)
    if operation in ("attention", "attention-backward"):
        names = ["q", "k", "v"] + (["do"] if operation == "attention-backward" else [])
        missing = [n for n in names if n not in inputs]
        if missing:
            raise ValueError(f"{operation}: the input {missing[0]!r} is missing")
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
        if "do" in names:
            list_.append(Input("do", inputs["do"], per[0], (axis,) if whole else ()))
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
