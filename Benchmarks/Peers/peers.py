"""Python peers of the benchmark, answering like the Swift worker. A library that is missing is skipped; standard
error says so."""
import importlib, math, os, sys, time

def load(name):
    try:
        return importlib.import_module(name)
    except Exception as problem:
        print(f"{name}: skipped ({type(problem).__name__})", file=sys.stderr)

if len(sys.argv) > 2:  # no measurement: the versions
    from importlib.metadata import version, PackageNotFoundError
    for name in "numpy scipy ml_dtypes gfloat onnxruntime jax python-flint mpmath gmpy2 pywhispercpp".split():
        try:
            print(name, version(name))
        except PackageNotFoundError:
            print(name, "missing")
    sys.exit()

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
LENGTH = 4096
np = load("numpy")
if np is None:
    print(flush=True)
    sys.exit()
x32 = np.fromfile(sys.argv[1], np.float32).reshape(-1, LENGTH)
x64 = x32.astype(np.float64)
cases = {}

def rowwise(name, rows, body, limit=None):
    rows = rows if limit is None else rows[:limit]
    n = sum(len(r) for r in rows)
    cases[name] = (n, lambda: [body(r) for r in rows])

def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()

def rounded_softmax(x):
    """Every operation, each addition too, rounded to the array's type."""
    e = np.exp(x - x.max())
    return e / np.add.accumulate(e)[-1]

rowwise("numpy.softmax.f32", x32, softmax)
rowwise("numpy.softmax.f64", x64, softmax)
rowwise("numpy.rounded.f32", x32, rounded_softmax)
rowwise("numpy.rounded.f64", x64, rounded_softmax)
rowwise("numpy.rounded.f16", x32.astype(np.float16), rounded_softmax)
flat = x32.ravel()
TOKENS, HEAD = 256, 64
q, k, v = (flat[:3 * TOKENS * HEAD] / np.float32(10)).reshape(3, TOKENS, HEAD)
unseen = np.triu(np.full((TOKENS, TOKENS), -np.inf, np.float32), 1)

def attention(q, k, v, unseen=unseen):
    s = q @ k.T * q.dtype.type(q.shape[1] ** -0.5) + unseen
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True)) @ v

cases["numpy.attention.f32"] = (q.size, lambda: attention(q, k, v))
wide = [a.astype(np.float64) for a in (q, k, v)]
cases["numpy.attention.f64"] = (q.size, lambda: attention(*wide))
def again(count, start):
    """As many numbers as asked for, those of the rows again and again."""
    return (np.resize(np.roll(flat, -start), count) / np.float32(10)).astype(np.float64)

LARGE = [again(2048 * 128, i * (2048 * 128 + 1)).reshape(2048, 128) for i in range(3)]
large_unseen = np.triu(np.full((2048, 2048), -np.inf), 1)
cases["numpy.attention.2048"] = (2048 * 128, lambda: attention(*LARGE, large_unseen))

def backward(q, k, v, g):
    scale = q.shape[1] ** -0.5
    s = q @ k.T * scale + large_unseen
    p = np.exp(s - s.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    dp = g @ v.T
    ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) * scale
    return ds @ k, ds.T @ q, p.T @ g

GRADIENT = again(2048 * 128, 3 * (2048 * 128 + 1)).reshape(2048, 128)
cases["numpy.backward.2048"] = (3 * 2048 * 128, lambda: backward(*LARGE, GRADIENT))
left, right = (again(1024 * 1024, i * (1024 * 1024 + 3)).reshape(1024, 1024) for i in range(2))
cases["numpy.matmul.1024"] = (1024 * 1024, lambda: left @ right.T)
cases["numpy.cast.f16"] = (flat.size, lambda: flat.astype(np.float16))

if ml := load("ml_dtypes"):
    for name, kind in [("bf16", ml.bfloat16), ("e4m3", ml.float8_e4m3fn)]:
        rowwise(f"ml_dtypes.rounded.{name}", x32.astype(kind), rounded_softmax, 4)
    for name, kind in [("bf16", ml.bfloat16), ("e4m3", ml.float8_e4m3fn), ("e5m2", ml.float8_e5m2),
                       ("e2m1", ml.float4_e2m1fn)]:
        cases[f"ml_dtypes.cast.{name}"] = (flat.size, lambda kind=kind: flat.astype(kind))

if (gf := load("gfloat")) and load("gfloat.formats"):
    from gfloat.formats import format_info_binary16, format_info_bfloat16, format_info_ocp_e4m3
    for name, info in [("f16", format_info_binary16), ("bf16", format_info_bfloat16),
                       ("e4m3", format_info_ocp_e4m3)]:
        r = lambda v, info=info: gf.round_ndarray(info, v)
        def body(x, r=r):
            e = r(np.exp(r(x - x.max())))
            s = e
            while len(s) > 1:  # halves: a sequential sum would call it 4096 times
                s = r(s[0::2] + s[1::2])
            return r(e / s[0])
        rowwise(f"gfloat.rounded.{name}", r(x64), body, 2)

if scipy := load("scipy.special"):
    rowwise("scipy.softmax.f32", x32, scipy.softmax)
    rowwise("scipy.lse.f64", x64, scipy.logsumexp)

if mp := load("mpmath"):
    mp.mp.prec = 113
    def body(x):
        m = mp.mpf(float(x.max()))
        e = [mp.exp(mp.mpf(float(v)) - m) for v in x]
        s = mp.fsum(e)
        return [v / s for v in e]
    rowwise("mpmath.softmax", x32, body, 1)

if gm := load("gmpy2"):
    gm.get_context().precision = 113
    def body(x):
        m = gm.mpfr(float(x.max()))
        e = [gm.exp(gm.mpfr(float(v)) - m) for v in x]
        s = sum(e)
        return [v / s for v in e]
    rowwise("gmpy2.softmax", x32, body, 1)

if fl := load("flint"):
    fl.ctx.prec = 113
    def body(x):
        m = fl.arb(float(x.max()))
        e = [(fl.arb(float(v)) - m).exp() for v in x]
        s = sum(e, fl.arb(0))
        return [v / s for v in e]
    rowwise("python-flint.softmax", x32, body, 1)

if (ort := load("onnxruntime")) and (onnx := load("onnx")):
    from onnx import helper, TensorProto
    def session(op, inputs, output, extra=()):
        info = lambda n, t: helper.make_tensor_value_info(n, t, None)
        graph = helper.make_graph([helper.make_node(op, [n for n, _ in inputs] + [t.name for t in extra], ["y"])],
                                  "g", [info(n, t) for n, t in inputs], [info("y", output)], list(extra))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    s = session("Softmax", [("x", TensorProto.FLOAT)], TensorProto.FLOAT)
    cases["onnxruntime.softmax.f32"] = (x32.size, lambda: s.run(None, {"x": x32}))
    scale = helper.make_tensor("s", TensorProto.FLOAT, [], [float(np.abs(x32).max()) / 127])
    zero = helper.make_tensor("z", TensorProto.INT8, [], [0])
    quantize = session("QuantizeLinear", [("x", TensorProto.FLOAT)], TensorProto.INT8, (scale, zero))
    cases["onnxruntime.quantize.int8"] = (x32.size, lambda: quantize.run(None, {"x": x32}))

    info = lambda n: helper.make_tensor_value_info(n, TensorProto.FLOAT, None)
    constants = [helper.make_tensor("c", TensorProto.FLOAT, [], [0.125]),
                 helper.make_tensor("m", TensorProto.FLOAT, [TOKENS, TOKENS], unseen.ravel())]
    nodes = [helper.make_node("Transpose", ["k"], ["t"], perm=[1, 0]), helper.make_node("MatMul", ["q", "t"], ["a"]),
             helper.make_node("Mul", ["a", "c"], ["b"]), helper.make_node("Add", ["b", "m"], ["d"]),
             helper.make_node("Softmax", ["d"], ["p"]), helper.make_node("MatMul", ["p", "v"], ["y"])]
    graph = helper.make_graph(nodes, "g", [info(n) for n in "qkv"], [info("y")], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    att = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    cases["onnxruntime.attention.f32"] = (q.size, lambda: att.run(None, {"q": q, "k": k, "v": v}))

if jax := load("jax"):
    jax.config.update("jax_enable_x64", True)
    f = jax.jit(lambda x: jax.nn.softmax(x, axis=-1))
    a32, a64 = jax.numpy.asarray(x32), jax.numpy.asarray(x64)
    cases["jax.softmax.f32"] = (x32.size, lambda: f(a32).block_until_ready())
    cases["jax.softmax.f64"] = (x64.size, lambda: f(a64).block_until_ready())

for n, call in cases.values():
    call()
print("\t".join(cases), flush=True)
for line in sys.stdin:
    n, call = cases[line.strip()]
    least, calls, start = math.inf, 0, time.perf_counter_ns()
    while calls < 3 or time.perf_counter_ns() - start < 40e6:
        t = time.perf_counter_ns()
        call()
        least = min(least, time.perf_counter_ns() - t)
        calls += 1
    print(least / n, flush=True)
