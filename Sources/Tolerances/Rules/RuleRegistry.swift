import NumKit

/// Rules of public test suites, each as it is written where it comes from.
public enum RuleRegistry {
  /// One line each.
  public static let all: [ToleranceRule] = [
    ToleranceRule("bound", "numcheck: the sound bound of the kernel's plan", .bound),
    ToleranceRule("ulp16", "16 ulp of the result's format", .ulp(16)),
    ToleranceRule("numpy", "numpy.testing.assert_allclose, defaults", .close(atol: 0, rtol: 1e-7)),
    ToleranceRule("allclose", "numpy.allclose and torch.allclose, defaults", .close(atol: 1e-8, rtol: 1e-5)),
    ToleranceRule(
      "torch", "torch.testing.assert_close, defaults by dtype", .close(atol: 1e-5, rtol: 1.3e-6),
      [
        (.f64, .close(atol: 1e-7, rtol: 1e-7)), (.f16, .close(atol: 1e-5, rtol: 1e-3)),
        (.bf16, .close(atol: 1e-5, rtol: 1.6e-2)),
      ]),
    ToleranceRule("onnx", "onnx.backend.test, defaults", .close(atol: 1e-7, rtol: 1e-3)),
    ToleranceRule("polygraphy", "polygraphy run, defaults", .close(atol: 1e-5, rtol: 1e-5)),
    ToleranceRule(
      "kernelbench", "KernelBench, as published: atol and rtol 1e-2", .close(atol: 1e-2, rtol: 1e-2)),
    benchdnn,
    ToleranceRule("ggml-nmse", "ggml's test-backend-ops, default", .normalizedMeanSquare(1e-7)),
    ToleranceRule(
      "flash-attention", "flash-attention's tests: twice the error of a plain kernel in the dtype",
      .baseline(factor: 2, atol: 0)),
  ]

  /// oneDNN 3.8 (`tests/benchdnn`: `softmax/softmax.cpp`, `utils/compare.cpp`), as its forward softmax is tested on x86 with nothing
  /// asked for: 10 ε in f32 and f64, five times as much for log-softmax, and nothing in shorter formats, whose sums are taken to be in
  /// f32. (With relaxed accumulation, and on AArch64, those have their own ε.) Any error below f32's ε passes. Left out: where most of a
  /// tensor is 0 benchdnn says that it cannot be trusted, which is no failure.
  private static let benchdnn = ToleranceRule(
    "benchdnn", "oneDNN's benchdnn, forward softmax: 10 eps in f32, exact in f16 and bf16, or 2^-23",
    benchdnn(0), benchdnn(epsilons: 10), of: [.logSoftmax: benchdnn(epsilons: 50)])

  private static func benchdnn(epsilons: Double) -> [(NumberFormat, ToleranceRule.Limit)] {
    [(.f32, benchdnn(epsilons * 0x1p-23)), (.f64, benchdnn(epsilons * 0x1p-52))]
  }

  private static func benchdnn(_ threshold: Double) -> ToleranceRule.Limit {
    .relative(above: 1e-5, rtol: threshold, atol: 0x1p-23)
  }
}
