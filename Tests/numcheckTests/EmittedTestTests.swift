import Foundation
import Testing

/// Tests that `search --emit` writes, of one input or result and of several, built and run where there is what they need: each passes with a right
/// kernel, and fails with one whose results are 1 too large.
@Suite struct EmittedTestTests {
  /// The question, a kernel of ours, and what functions are called.
  private static let operations = [
    ("softmax", "shifted", "softmax"), ("softmax-vjp", "dot", "softmax_vjp"),
    ("matmul", "pairwise", "matmul"), ("attention", "standard", "attention"),
    ("attention-backward", "standard", "attention_backward"),
  ]

  private static func inFolder(_ files: [String: String], _ body: (URL) throws -> Void) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, text) in files {
      let file = folder.appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    for (operation, algorithm, name) in operations {
      let outcome = try CommandRunner.run([
        "search", operation, "--algorithm", algorithm, "--max-length", "12", "--tries", "100", "--range", "8",
        "--emit", "c=\(folder.path)/\(name).c", "--emit", "gtest=\(folder.path)/\(name).cc",
        "--emit", "pytest=\(folder.path)/test_\(name).py", "--emit",
        "swift-testing=\(folder.path)/\(name).swift",
      ])
      try #require(outcome.status == 0, "\(outcome.errors)")
    }
    try body(folder)
  }

  private static var names: String { operations.map(\.2).joined(separator: " ") }

  private static let kernels = """
    #include <math.h>
    static float exponentials(const float *x, float *e, long n) {
      float t = x[0], s = 0;
      for (long i = 0; i < n; i++) t = fmaxf(t, x[i]);
      for (long i = 0; i < n; i++) s += e[i] = expf(x[i] - t);
      return s;
    }
    void softmax(const float *x, long n, float *y) {
      float s = exponentials(x, y, n);
      for (long i = 0; i < n; i++) y[i] = y[i] / s + MORE;
    }
    void softmax_vjp(const float *x, const float *v, long n, float *y) {
      float s = exponentials(x, y, n), mean = 0;
      for (long i = 0; i < n; i++) mean += (y[i] /= s) * v[i];
      for (long i = 0; i < n; i++) y[i] = y[i] * (v[i] - mean) + MORE;
    }
    void matmul(const float *a, const float *b, long n, float *y) {
      *y = MORE;
      for (long i = 0; i < n; i++) *y += a[i] * b[i];
    }
    void attention(const float *q, const float *k, const float *v, long n, long d, float *y) {
      float s[64], p[64];
      for (long j = 0; j < n; j++) {
        s[j] = 0;
        for (long c = 0; c < d; c++) s[j] += q[c] * k[j * d + c];
        s[j] /= sqrtf((float)d);
      }
      float sum = exponentials(s, p, n);
      for (long c = 0; c < d; c++) {
        y[c] = MORE;
        for (long j = 0; j < n; j++) y[c] += p[j] / sum * v[j * d + c];
      }
    }
    void attention_backward(const float *q, const float *k, const float *v, const float *dO, long n, long d, float *dq,
                            float *dk, float *dv) {
      float s[64], p[64], dp[64], mean = 0, scale = 1 / sqrtf((float)d);
      for (long j = 0; j < n; j++) {
        s[j] = dp[j] = 0;
        for (long c = 0; c < d; c++) s[j] += scale * q[c] * k[j * d + c];
        for (long c = 0; c < d; c++) dp[j] += dO[c] * v[j * d + c];
      }
      float sum = exponentials(s, p, n);
      for (long j = 0; j < n; j++) mean += (p[j] /= sum) * dp[j];
      for (long c = 0; c < d; c++) {
        dq[c] = MORE;
        for (long j = 0; j < n; j++) {
          float ds = p[j] * (dp[j] - mean) * scale;
          dq[c] += ds * k[j * d + c];
          dk[j * d + c] = ds * q[c] + MORE;
          dv[j * d + c] = p[j] * dO[c] + MORE;
        }
      }
    }

    """

  /// Enough of GoogleTest for one test.
  private static let googleTest = """
    #pragma once
    #include <iostream>
    extern int failures;
    #define TEST(a, b) void run()
    struct Sink { bool bad; template <class T> Sink &operator<<(const T &t) { if (bad) std::cerr << t; return *this; } };
    static inline Sink check(bool ok) { failures += !ok; return Sink{!ok}; }
    #define EXPECT_TRUE(x) check(x)

    """

  @Test func testsInCAndCPlusPlusStandAlone() throws {
    let main = "int failures = 0;\nvoid run();\nint main() { run(); return failures != 0; }\n"
    try Self.inFolder(["kernels.c": Self.kernels, "gtest/gtest.h": Self.googleTest, "main.cc": main]) {
      folder in
      let shell = try Shell(
        """
        set -e
        for more in 0 1; do
          cc -DMORE=$more -c -o kernels$more.o kernels.c
          for t in \(Self.names); do
            cc -Wall -Werror -o c $t.c kernels$more.o -lm
            c++ -Wall -Werror -I. -o g $t.cc main.cc kernels$more.o -lm
            for kind in c g; do if ./$kind >out.txt 2>&1; then echo $more $kind $t passes; else echo $more $kind $t fails; fi; done
          done
        done
        """, in: folder)
      #expect(shell.status == 0 && shell.errors.isEmpty, "\(shell.errors)")
      let wanted = [(0, "passes"), (1, "fails")].flatMap { more, what in
        Self.operations.flatMap { ["\(more) c \($0.2) \(what)", "\(more) g \($0.2) \(what)"] }
      }
      #expect(shell.output.split(separator: "\n").map(String.init) == wanted)
    }
  }

  /// Where there is a Python with numpy: the tests' functions alone, without pytest.
  @Test func testsInPythonStandAlone() throws {
    let kernels = """
      import numpy as np
      def shares(x):
          e = np.exp(x - x.max(axis=-1, keepdims=True))
          return e / e.sum(axis=-1, keepdims=True)
      def softmax(x):
          return shares(x)
      def softmax_vjp(x, v):
          p = shares(x)
          return p * (v - (p * v).sum(axis=-1, keepdims=True))
      def matmul(a, b):
          return a @ b
      def attention(q, k, v):
          return shares(q @ k.swapaxes(1, 2) / np.float32(np.sqrt(q.shape[-1]))) @ v
      def attention_backward(q, k, v, do):
          scale = np.float32(1 / np.sqrt(q.shape[-1]))
          p = shares(q @ k.swapaxes(1, 2) * scale)
          dp = do @ v.swapaxes(1, 2)
          ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True)) * scale
          return ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ do

      """
    let wrong = """
      import right
      for name in ("softmax", "softmax_vjp", "matmul", "attention"):
          globals()[name] = (lambda f: lambda *arrays: f(*arrays) + 1)(getattr(right, name))
      def attention_backward(*arrays):
          return [d + 1 for d in right.attention_backward(*arrays)]

      """
    try Self.inFolder(["right.py": kernels, "wrong.py": wrong]) { folder in
      let shell = try Shell(
        """
        python3 -c 'import numpy' 2>/dev/null || { echo none; exit 0; }
        for k in right wrong; do
          for t in \(Self.names); do
            NUMCHECK_KERNEL=$k:$t python3 -c 'import sys; m = __import__("test_" + sys.argv[1]); [f() for n, f in vars(m).items() if n.startswith("test_")]' $t 2>err.txt \
              && echo $k $t passes || { grep -q AssertionError err.txt && echo $k $t fails; }
          done
        done
        """, in: folder)
      let wanted = [("right", "passes"), ("wrong", "fails")].flatMap { kernel, what in
        Self.operations.map { "\(kernel) \($0.2) \(what)" }
      }
      let lines = shell.output.split(separator: "\n").map(String.init)
      #expect(lines == ["none"] || lines == wanted, "\(shell.output)\(shell.errors)")
    }
  }

  /// Where there is a compiler of Swift, with its own Testing.
  @Test func testsInSwiftStandAlone() throws {
    let kernels = """
      import Foundation
      import Testing

      func shares(_ x: [Float]) -> [Float] {
        let e = x.map { exp($0 - (x.max() ?? 0)) }
        let sum = e.reduce(0, +)
        return e.map { $0 / sum }
      }
      func softmax(_ x: [Float]) -> [Float] { shares(x).map { $0 + more } }
      func softmax_vjp(_ x: [Float], _ v: [Float]) -> [Float] {
        let p = shares(x)
        let mean = matmul(p, v)[0] - more
        return zip(p, v).map { $0 * ($1 - mean) + more }
      }
      func matmul(_ a: [Float], _ b: [Float]) -> [Float] { [zip(a, b).reduce(more) { $0 + $1.0 * $1.1 }] }
      func attention(_ q: [Float], _ k: [Float], _ v: [Float]) -> [Float] {
        let d = q.count
        let scores = (0..<k.count / d).map { j -> Float in
          (0..<d).reduce(Float(0)) { $0 + q[$1] * k[j * d + $1] } / Float(d).squareRoot()
        }
        let p = shares(scores)
        return (0..<d).map { c in p.indices.reduce(more) { $0 + p[$1] * v[$1 * d + c] } }
      }
      func attention_backward(
        _ q: [Float], _ k: [Float], _ v: [Float], _ dO: [Float]
      ) -> (dq: [Float], dk: [Float], dv: [Float]) {
        let d = q.count
        let scale = 1 / Float(d).squareRoot()
        let keys = 0..<k.count / d
        let p = shares(keys.map { j in (0..<d).reduce(Float(0)) { $0 + scale * q[$1] * k[j * d + $1] } })
        let dp = keys.map { j in (0..<d).reduce(Float(0)) { $0 + dO[$1] * v[j * d + $1] } }
        let mean = zip(p, dp).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        let ds = keys.map { p[$0] * (dp[$0] - mean) * scale }
        return (
          (0..<d).map { c in keys.reduce(more) { $0 + ds[$1] * k[$1 * d + c] } },
          keys.flatMap { j in (0..<d).map { ds[j] * q[$0] + more } },
          keys.flatMap { j in (0..<d).map { p[j] * dO[$0] + more } }
        )
      }
      @main struct Runner {
        static func main() async { await Testing.__swiftPMEntryPoint() as Never }
      }

      """
    try Self.inFolder(["kernels/kernels.swift": kernels]) { folder in
      let shell = try Shell(
        """
        compiler=$(command -v swiftc) || { echo none; exit 0; }
        plugins="$(dirname "$(readlink -f "$compiler")")/../lib/swift/host/plugins"
        for more in 0 1; do
          echo "let more: Float = $more" > kernels/more.swift
          swiftc -parse-as-library -plugin-path "$plugins" *.swift kernels/*.swift -o tests 2>err.txt || { cat err.txt >&2; exit 1; }
          ./tests --testing-library swift-testing > out.txt 2>&1 && status=0 || status=$?
          for t in \(Self.names); do
            grep -Eo "Test ${t}_worst\\(\\) (passed|failed)" out.txt | sed "s/^Test ${t}_worst() /$more $t /"
          done
          echo $more $((status != 0))
        done
        """, in: folder)
      let wanted = [(0, "passed"), (1, "failed")].flatMap { more, what in
        Self.operations.map { "\(more) \($0.2) \(what)" } + ["\(more) \(more)"]
      }
      let lines = shell.output.split(separator: "\n").map(String.init)
      #expect(lines == ["none"] || lines == wanted, "\(shell.output)\(shell.errors)")
    }
  }
}
