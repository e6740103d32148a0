"""ggml's operators on a processor, called by ctypes in the libraries of the package libggml-python; Scripts/field judges them."""
import ctypes as c
import importlib.metadata
import re

THREADS = 2
F32, F16 = 0, 1


class InitParams(c.Structure):
    """struct ggml_init_params of ggml.h."""

    _fields_ = [("mem_size", c.c_size_t), ("mem_buffer", c.c_void_p), ("no_alloc", c.c_bool)]


def libraries():
    """The paths of libggml-base and libggml-cpu, by their names."""
    files = importlib.metadata.files("libggml-python") or []
    named = {}
    for file in files:
        found = re.fullmatch(r"lib(ggml-base|ggml-cpu)\.so\.\d+\.[\d.]+", file.name)
        if found:
            named[found.group(1)] = str(file.locate())
    return named


class Ggml:
    """One graph a call: tensors are copied in, one operator is computed, its result is copied out."""

    def __init__(self):
        named = libraries()
        self.base = c.CDLL(named["ggml-base"], mode=c.RTLD_GLOBAL)
        self.cpu = c.CDLL(named["ggml-cpu"])
        p = c.c_void_p

        def declare(library, name, result, *arguments):
            f = getattr(library, name)
            f.restype, f.argtypes = result, arguments
            return f

        b = self.base
        self.init = declare(b, "ggml_init", p, InitParams)
        self.free = declare(b, "ggml_free", None, p)
        self.tensor = declare(b, "ggml_new_tensor", p, p, c.c_int, c.c_int, c.POINTER(c.c_int64))
        self.data = declare(b, "ggml_get_data", p, p)
        self.graph = declare(b, "ggml_new_graph", p, p)
        self.expand = declare(b, "ggml_build_forward_expand", None, p, p)
        self.compute = declare(self.cpu, "ggml_graph_compute_with_ctx", c.c_int, p, p, c.c_int)
        self.soft_max = declare(b, "ggml_soft_max", p, p, p)
        self.norm = declare(b, "ggml_norm", p, p, p, c.c_float)
        self.rms_norm = declare(b, "ggml_rms_norm", p, p, p, c.c_float)
        self.mul_mat = declare(b, "ggml_mul_mat", p, p, p, p)
        self.flash = declare(b, "ggml_flash_attn_ext", p, p, p, p, p, p, c.c_float, c.c_float, c.c_float)
        declare(b, "ggml_log_set", None, p, p)(None, None)

    def run(self, make, shape, *arrays):
        """The f32 result, of `shape`, that `make(context, *tensors)` describes."""
        import numpy as np

        room = sum(a.nbytes for a in arrays) + 64 * int(np.prod(shape)) + (16 << 20)
        context = self.init(InitParams(room, None, False))
        try:
            tensors = []
            for a in arrays:
                a = np.ascontiguousarray(a)
                extents = (c.c_int64 * a.ndim)(*reversed(a.shape))
                tensors.append(self.tensor(context, F16 if a.dtype == np.float16 else F32, a.ndim, extents))
                c.memmove(self.data(tensors[-1]), a.ctypes.data, a.nbytes)
            result = make(context, *tensors)
            graph = self.graph(context)
            self.expand(graph, result)
            if self.compute(context, graph, THREADS):
                raise RuntimeError("ggml_graph_compute_with_ctx failed")
            y = np.empty(shape, np.float32)
            c.memmove(y.ctypes.data, self.data(result), y.nbytes)
            return y
        finally:
            self.free(context)


def kernels():
    """Operation, dtype, function, framework, and what is called. Results are f32; of f16 inputs they are rounded to f16 here."""
    import numpy as np

    g = Ggml()

    def rows(make):
        return lambda x: g.run(make, x.shape, x)

    def product(a, b):
        # Weights stand in rows, and are the first.
        return g.run(g.mul_mat, (a.shape[0], b.shape[1]), b.T, a.astype(np.float32)).astype(a.dtype)

    def attention(q, k, v):
        scale = 1 / float(np.sqrt(q.shape[2]))

        def make(context, q, k, v):
            return g.flash(context, q, k, v, None, scale, 0, 0)

        shape = (q.shape[1], q.shape[0], v.shape[2])
        return g.run(make, shape, q.astype(np.float32), k, v).transpose(1, 0, 2).astype(q.dtype)

    yield "softmax", "f32", rows(g.soft_max), "numpy", "ggml_soft_max"
    yield "layernorm", "f32", rows(lambda t, x: g.norm(t, x, 1e-5)), "numpy", "ggml_norm"
    yield "rmsnorm", "f32", rows(lambda t, x: g.rms_norm(t, x, 1e-6)), "numpy", "ggml_rms_norm"
    for dtype, more in (("f32", ""), ("f16", ", f16 by f32, rounded to f16")):
        yield "matmul", dtype, product, "numpy", f"ggml_mul_mat{more}"
    for dtype, more in (("f32", ", keys and values f32"), ("f16", ", keys and values f16, rounded to f16")):
        yield "attention", dtype, attention, "numpy", f"ggml_flash_attn_ext{more}"
