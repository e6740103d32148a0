"""Arrays of numpy, ml_dtypes, torch and jax as codes, and back; and the one kind of file that holds them all."""
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple

import numpy as np

# The command's names: numpy's type of the codes, the file's name, ml_dtypes' and torch's names.
_FORMATS: dict[str, tuple[str, str, str, str]] = {
    "f64": ("<f8", "F64", "float64", "float64"),
    "f32": ("<f4", "F32", "float32", "float32"),
    "f16": ("<f2", "F16", "float16", "float16"),
    "bf16": ("<u2", "BF16", "bfloat16", "bfloat16"),
    "f8e4m3fn": ("u1", "F8_E4M3", "float8_e4m3fn", "float8_e4m3fn"),
    "f8e5m2": ("u1", "F8_E5M2", "float8_e5m2", "float8_e5m2"),
    "f8e4m3fnuz": ("u1", "F8_E4M3FNUZ", "float8_e4m3fnuz", "float8_e4m3fnuz"),
    "f8e5m2fnuz": ("u1", "F8_E5M2FNUZ", "float8_e5m2fnuz", "float8_e5m2fnuz"),
    "f8e3m4": ("u1", "F8_E3M4", "float8_e3m4", ""),
    "int64": ("<i8", "I64", "int64", "int64"),
    "int32": ("<i4", "I32", "int32", "int32"),
    "bool": ("?", "BOOL", "bool", "bool"),
}
_ALIASES = {
    "float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16", "half": "f16", "float": "f32", "double": "f64",
    "fp8": "f8e4m3fn", "float8_e4m3fn": "f8e4m3fn", "float8_e5m2": "f8e5m2", "float8_e4m3fnuz": "f8e4m3fnuz",
    "float8_e5m2fnuz": "f8e5m2fnuz", "float8_e3m4": "f8e3m4",
}

#: Every dtype that arrays can have.
DTYPES = tuple(name for name in _FORMATS if name not in ("int64", "int32", "bool"))


class Codes(NamedTuple):
    """An array as the codes of its elements."""

    dtype: str
    codes: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.codes.shape


def dtype_name(dtype: Any) -> str:
    """The command's name of a dtype: a name of ours, or numpy's, ml_dtypes', torch's, jax's."""
    text = dtype if isinstance(dtype, str) else getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    text = str(text).split(".")[-1]
    name = _ALIASES.get(text, text)
    if name not in _FORMATS:
        raise ValueError(f"dtype {dtype!r}: must be one of {', '.join(DTYPES)}")
    return name


def _is_torch(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def _native(dtype: str) -> np.dtype[Any]:
    """The numpy type that arrays of a dtype have; ml_dtypes' where numpy has none."""
    codes, _, name, _ = _FORMATS[dtype]
    if dtype in ("bf16",) or dtype.startswith("f8"):
        try:
            import ml_dtypes
        except ImportError as error:
            raise ImportError(f"dtype {dtype}: numpy has no such type; install ml_dtypes, or give torch tensors") from error
        return np.dtype(getattr(ml_dtypes, name))
    return np.dtype(codes)


def codes(x: Any) -> Codes:
    """The codes of an array of numpy, ml_dtypes, torch or jax; a copy without gaps."""
    if _is_torch(x):
        import torch

        x = x.detach().cpu().contiguous()
        name = dtype_name(x.dtype)
        wide = {1: torch.uint8, 2: torch.int16}
        if name == "bf16" or name.startswith("f8"):
            raw = x.view(wide[x.element_size()]).numpy()
            return Codes(name, raw.view(_FORMATS[name][0]).copy())
        return Codes(name, np.array(x.numpy(), dtype=_FORMATS[name][0]))
    if x is None:
        raise TypeError("None is no array: does the kernel return its results?")
    array = np.asarray(x)
    name = dtype_name(array.dtype)
    kind = np.dtype(_FORMATS[name][0])
    array = np.ascontiguousarray(array).reshape(array.shape)
    return Codes(name, array.astype(kind) if array.dtype.kind != "V" and name not in ("bf16",) and not name.startswith("f8")
                 else array.view(kind).copy())


def array(c: Codes, framework: str = "numpy") -> Any:
    """An array of the framework (``numpy``, ``torch``, ``jax``) with these codes."""
    if framework == "torch":
        import torch

        raw = torch.from_numpy(np.ascontiguousarray(c.codes.view(np.int16) if c.dtype == "bf16" else c.codes).copy())
        kind = getattr(torch, _FORMATS[c.dtype][3], None)
        if kind is None:
            raise ValueError(f"dtype {c.dtype}: torch has no such type")
        return raw.view(kind) if c.dtype == "bf16" or c.dtype.startswith("f8") else raw.to(kind)
    numbers = np.array(c.codes).view(_native(c.dtype))
    if framework == "numpy":
        return numbers
    if framework == "jax":
        import jax.numpy as jnp

        return jnp.asarray(numbers)
    raise ValueError(f"framework {framework!r}: must be numpy, torch or jax")


def save(path: Path, arrays: Mapping[str, Codes]) -> None:
    """Writes a .safetensors file: the one kind that says every dtype."""
    header: dict[str, Any] = {}
    position = 0
    for name, c in arrays.items():
        header[name] = {
            "dtype": _FORMATS[c.dtype][1], "shape": list(c.shape), "data_offsets": [position, position + c.codes.nbytes]}
        position += c.codes.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for c in arrays.values():
            file.write(np.ascontiguousarray(c.codes).tobytes())


def load(path: Path) -> dict[str, Codes]:
    """Reads what ``save`` and the command write."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    names = {file: ours for ours, (_, file, _, _) in _FORMATS.items()}
    found: dict[str, Codes] = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        dtype = names[entry["dtype"]]
        start, end = (8 + length + k for k in entry["data_offsets"])
        found[name] = Codes(dtype, np.frombuffer(raw[start:end], _FORMATS[dtype][0]).reshape(entry["shape"]).copy())
    return found


def rounded(values: np.ndarray, dtype: str) -> Codes:
    """Numbers rounded to nearest even in a dtype; needs ml_dtypes where numpy has no such type."""
    if dtype == "bf16":
        # Without ml_dtypes: f32 first would round twice, so the bits below are kept as a sticky one.
        x = np.asarray(values, np.float64)
        f = x.astype(np.float32)
        bits = f.view(np.uint32)
        wide = f.astype(np.float64)
        exact = wide == x
        toward = np.where(np.abs(wide) > np.abs(x), bits - 1, bits)
        odd = np.where(exact | ~np.isfinite(x), bits, toward | 1).astype(np.uint32)
        out = ((odd + np.uint32(0x7FFF) + ((odd >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)
        return Codes(dtype, np.where(np.isnan(x), np.uint16(0x7FC0), out).astype("<u2"))
    kind = np.dtype(_FORMATS[dtype][0])
    if dtype.startswith("f8"):
        return Codes(dtype, np.asarray(values, np.float64).astype(_native(dtype)).view(kind))
    return Codes(dtype, np.asarray(values).astype(kind))


def same_bits(a: Codes, b: Codes) -> bool:
    """Whether two arrays are the same, bit by bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.codes.tobytes() == b.codes.tobytes()


Kernel = Callable[..., Any]
