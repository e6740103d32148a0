"""Asks every worker for every case in turn, several rounds over, keeps each case's least time, and writes the table."""
import array, datetime, glob, os, pathlib, platform, random, resource, subprocess, sys, tempfile, time

ROUNDS = int(os.environ.get("ROUNDS", "5"))
NUMCHECK = os.environ["NUMCHECK"]
BENCH = ".build/release/Bench"
here = pathlib.Path(".")
cpu = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
pin = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
one = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

class Worker:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=one,
                                        preexec_fn=pin)
        self.names = self.process.stdout.readline().split("\n")[0].split("\t")
    def ask(self, name):
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

def measure_all(folder):
    random.seed(1)
    data = os.path.join(folder, "rows.f32")
    with open(data, "wb") as file:
        array.array("f", (random.gauss(0, 10) for _ in range(16 * 4096))).tofile(file)
    workers = [Worker([BENCH, data]), Worker([".build/peers/peers", data]),
               Worker([sys.executable, "Peers/peers.py", data])]
    best = {}
    for _ in range(ROUNDS):
        # One case of each worker after the other, so that a busy moment meets all of them.
        for i in range(max(len(w.names) for w in workers)):
            for w in workers:
                if i < len(w.names) and w.names[i]:
                    ns = w.ask(w.names[i])
                    best[w.names[i]] = min(best.get(w.names[i], ns), ns)
    for w in workers:
        w.process.stdin.close()
        w.process.wait()
    return best

def whole_process():
    least = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        subprocess.run([NUMCHECK, "softmax", "--dtype", "f16", "--range", "1000"], stdout=subprocess.DEVNULL)
        least = min(least, time.perf_counter() - start)
    return least

def write_rows(path, rows):
    """An .npy file of that many rows of 4096 f32, a multiple of 64."""
    header = repr({"descr": "<f4", "fortran_order": False, "shape": (rows, 4096)}).encode()
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        chunk = array.array("f", (random.gauss(0, 10) for _ in range(64 * 4096))).tobytes()
        for _ in range(rows // 64):
            file.write(chunk)

def cost(command):
    """Seconds that a command takes, and the MiB that it holds at most; nothing if it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) > 1:
        return None
    return time.perf_counter() - start, usage.ru_maxrss / (1024 if platform.system() == "Linux" else 1 << 20)

def whole_files(folder, best):
    """Commands on files of 64 MiB and 1 GiB, both cores, by name; reading alone beside `activations`, in turns."""
    small, large = os.path.join(folder, "small.npy"), os.path.join(folder, "large.npy")
    write_rows(small, 4096)
    write_rows(large, 65536)
    found = {"lse": cost([NUMCHECK, "lse", "--input", large, "--algorithm", "shifted"]),
             "quantize": cost([NUMCHECK, "quantize", "--input", small])}
    for _ in range(2 * ROUNDS):
        for name, command in [("dd", ["dd", "if=" + large, "of=/dev/null", "bs=1M"]),
                              ("activations", [NUMCHECK, "activations", large])]:
            one = cost(command)
            if one:
                found[name] = min(found.get(name) or one, one)
                best[name] = found[name][0] / (65536 * 4096) * 1e9
    os.remove(small)
    os.remove(large)
    return found

def main():
    with tempfile.TemporaryDirectory() as folder:
        t = measure_all(folder)
        seconds = whole_process()
        files = whole_files(folder, t)
    tiers = [line.split("\t") for line in subprocess.run([BENCH, "tiers"], capture_output=True, text=True).stdout.splitlines()]
    libraries = [p for p in glob.glob(".venv/lib/python*/site-packages/**/libggml-cpu*.so", recursive=True)
                 if os.path.basename(p) == "libggml-cpu.so"]
    ggml = subprocess.run([BENCH, "ggml", os.path.abspath(libraries[0])], capture_output=True, text=True,
                          preexec_fn=pin).stdout if libraries else "ggml: skipped (no libggml-cpu.so in the virtual environment)\n"

    out = []
    say = out.append
    def row(what, ours, peer, least, aim):
        if ours in t and peer in t:
            ratio = t[peer] / t[ours]
            verdict = "aim reached" if ratio >= aim else "reached" if ratio >= least else "**short**"
            say(f"| {what} | {ratio:.3g} × | {least:g} × | {aim:g} × | {verdict} | {t[ours]:.3g} | {t[peer]:.4g} |")
        else:
            say(f"| {what} | not measured: {peer if peer not in t else ours} missing | {least:g} × | {aim:g} × | | | |")
    def limit(what, value, unit, least, aim):
        verdict = "aim reached" if value < aim else "reached" if value < least else "**short**"
        say(f"| {what} | {value:.3g} {unit} | < {least:g} {unit} | < {aim:g} {unit} | {verdict} | | |")

    say("# Benchmarks\n")
    say(f"Made by `make bench` on {datetime.date.today()}. One thread; rows of 4096 f32 logits N(0, 10), the same for all; "
        f"ns per element, the least of {ROUNDS} rounds in which all peers take turns. A ratio is the peer's time over ours: "
        "above 1, ours is faster.\n")
    say("| our work against the peer's | measured | at least | aim | | ours, ns | peer, ns |\n|---|---|---|---|---|---|---|")
    soft = lambda f: f"ours.round.softmax.{f}"
    row("certified softmax, f32 result, against direct MPFR (C, 113 bits)", soft("f32"), "mpfr.softmax", 200, 1000)
    row("… Arb (C, 113 bits)", soft("f32"), "arb.softmax", 50, 250)
    row("… mpmath (113 bits)", soft("f32"), "mpmath.softmax", 1500, 7000)
    row("… plain Double softmax, libm's scalar exp", soft("f32"), "libm.f32", 1, 4)
    row("certified, f16 result, against the same", soft("f16"), "libm.f16", 1, 4)
    row("certified, f64 result, against the same", soft("f64"), "libm.f64", 1 / 1.5, 1)
    row("certified attention, 256 x 64 causal, f32 results, against Arb (C, 113 bits)", "ours.attention.f32", "arb.attention", 60, 150)
    row("… 2048 x 128 causal, against numpy's plain float64", "ours.attention.2048", "numpy.attention.2048", 0.5, 1)
    row("certified gradients, 2048 x 128 causal, bf16 inputs and results, against numpy's float64", "ours.backward.bf16", "numpy.backward.2048", 0.3, 0.7)
    row("… f32 inputs and results", "ours.backward.f32", "numpy.backward.2048", 0.3, 0.7)
    row("certified product, 1024 x 1024 x 1024, f32 results, against numpy's float64", "ours.matmul.1024", "numpy.matmul.1024", 0.3, 0.7)
    row("kernel, simulated f16, against numpy with the same roundings", "kernel.f16", "numpy.rounded.f16", 5, 12)
    row("… bf16, against ml_dtypes", "kernel.bf16", "ml_dtypes.rounded.bf16", 5, 12)
    row("… e4m3, against ml_dtypes", "kernel.e4m3", "ml_dtypes.rounded.e4m3", 5, 12)
    for name, total, double, low, pair, mpfr, undecided in tiers:
        if name == "f64":
            continue
        limit(f"{name} results that the first tier leaves open, of {int(total):,}", (int(total) - int(double)) / int(total),
              "", 1e-5, 1e-6)
    limit("`numcheck softmax --dtype f16 --range 1000`, whole process, both cores", seconds, "s", 0.3, 0.1)
    row("int8 per tensor, its range known, against onnxruntime", "quantize.int8.known", "onnxruntime.quantize.int8", 0.7, 1)
    for name, peer in [("e4m3", "ml_dtypes"), ("e5m2", "ml_dtypes"), ("e2m1", "ml_dtypes")]:
        row(f"cast to {name}, against {peer}", f"cast.{name}", f"{peer}.cast.{name}", 12, 25)
    row("cast to bf16, against ml_dtypes", "cast.bf16", "ml_dtypes.cast.bf16", 1, 1.5)
    row("cast to f16, against numpy", "cast.f16", "numpy.cast.f16", 1, 1.5)
    row("`numcheck activations`, 1 GiB of f32, whole process, both cores, against `dd` to /dev/null", "activations", "dd", 0.5, 1)
    def file_limit(what, name, index, unit, least, aim):
        if files.get(name):
            limit(f"{what} ({files[name][1 - index]:.3g} {'s' if index else 'MiB'})", files[name][index], unit, least, aim)
        else:
            say(f"| {what} | the command failed | | | | | |")
    file_limit("… peak memory", "activations", 1, "MiB", 64, 64)
    file_limit("1 GiB of f32 logits, `numcheck lse`: peak memory", "lse", 1, "MiB", 200, 64)
    file_limit("64 MiB of f32, `numcheck quantize`, all its schemes", "quantize", 0, "s", 60, 15)

    say("\n## Certified results beside others\n\n`round` gives the proven roundings alone, the others also the value that errors are measured against.\n\n| | ratio | ours, ns | peer, ns |\n|---|---|---|---|")
    peers = [("softmax.f32", p) for p in ("python-flint.softmax", "gmpy2.softmax", "libmvec.f32", "libmvec-native.f32",
             "numpy.softmax.f32", "scipy.softmax.f32", "onnxruntime.softmax.f32", "jax.softmax.f32")]
    peers += [("softmax.f16", "libmvec.f16"), ("softmax.f16", "libmvec-native.f16"), ("softmax.bf16", "mpfr.softmax"),
              ("softmax.f64", "mpfr.softmax"), ("softmax.f64", "arb.softmax"), ("softmax.f64", "libmvec.f64"), ("softmax.f64", "libmvec-native.f64"), ("softmax.f64", "numpy.softmax.f64"),
              ("softmax.f64", "jax.softmax.f64"), ("lse.f16", "mpfr.lse"), ("lse.bf16", "mpfr.lse"), ("lse.f32", "mpfr.lse"), ("lse.f32", "arb.lse"),
              ("lse.f64", "mpfr.lse"), ("lse.f64", "scipy.lse.f64"), ("softmax.f32", "libm.f32"), ("softmax.f16", "libm.f16"), ("softmax.f64", "libm.f64"), ("round.lse.f64", "mpfr.lse"), ("round.softmax.f32", "libmvec.f32"), ("round.softmax.f32", "libmvec-native.f32"), ("round.softmax.f16", "libmvec.f16"), ("round.softmax.bf16", "mpfr.softmax"), ("round.lse.f32", "mpfr.lse"), ("round.lse.f32", "arb.lse"), ("round.lse.f16", "mpfr.lse"), ("round.lse.bf16", "mpfr.lse"), ("round.softmax.f32", "numpy.softmax.f32"), ("round.softmax.f32", "onnxruntime.softmax.f32"), ("round.softmax.f32", "jax.softmax.f32")]
    def plain(pairs):
        for ours, peer in pairs:
            if ours in t and peer in t:
                say(f"| {ours} / {peer} | {t[peer] / t[ours]:.3g} × | {t[ours]:.3g} | {t[peer]:.4g} |")
    plain([("ours." + a, b) for a, b in peers])
    say("\n## Simulated kernels\n\n`kernel` is `ShiftedSoftmax` specialised by its caller, `runner` the same through "
        "`KernelRunner`, observed between stages.\ngfloat sums by halves, numpy and ml_dtypes one after the other, as ours.\n\n"
        "| | ratio | ours, ns | peer, ns |\n|---|---|---|---|")
    for f in ("f64", "f32", "f16", "bf16", "e4m3"):
        for k in ("kernel", "runner"):
            plain((f"{k}.{f}", f"{p}.rounded.{f}") for p in ("numpy", "ml_dtypes", "gfloat"))
    say("\n## Attention\n\nOne causal head of 256 x 64, f32 results, ns per output; only ours and Arb's are certified.\n\n"
        "| | ratio | ours, ns | peer, ns |\n|---|---|---|---|")
    plain(("ours.attention.f32", p) for p in ("arb.attention", "numpy.attention.f32", "numpy.attention.f64",
                                              "onnxruntime.attention.f32"))
    say("\n## Casts and int8\n\n`quantize.int8` finds its range first; `known` is given it, as onnxruntime is.\n\n| | ratio | ours, ns | peer, ns |\n|---|---|---|---|")
    plain((n, n.replace("cast", "ml_dtypes.cast", 1)) for n in t if n.startswith("cast."))
    plain([("cast.f16", "numpy.cast.f16"), ("quantize.int8.known", "onnxruntime.quantize.int8"), ("quantize.int8", "onnxruntime.quantize.int8")])
    say("\n## What decided\n\n| result | total | Double | Double, low word | double-double | MPFR | undecided |\n|---|---|---|---|---|---|---|")
    for line in tiers:
        say("| " + " | ".join(line) + " |")
    say("\n## ggml\n\n```\n" + ggml.rstrip() + "\n```\n")
    machine = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        info = open("/proc/cpuinfo").read()
        machine = next((l.split(":")[1].strip() for l in info.splitlines() if l.startswith("model name")), machine)
    swift = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    versions = subprocess.run([sys.executable, "Peers/peers.py", os.devnull, "versions"], capture_output=True, text=True).stdout
    say(f"## Machine\n\n{machine}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, load "
        f"{os.getloadavg()[0]:.1f} at the end (of other work, where above 1)\n\n{swift}\n\n{os.environ.get('COMPILER', '')}\n\n"
        f"{platform.python_implementation()} {platform.python_version()}; {', '.join(versions.split(chr(10))).rstrip(', ')}")
    text = "\n".join(out) + "\n"
    pathlib.Path("RESULTS.md").write_text(text)
    print(text)

main()
