import NumKit
import StabilityTesting

/// A test for pytest.
package enum PytestEmitter: TestEmitter {
  package static let name = "pytest"

  package static func text(_ test: EmittedTest) -> String {
    let arrays = test.arrays.map { array in
      let runs = array.runs.map { "        (\($0.count), \"\(ChoiceText.hex($0.value))\")," }
      let shape = array.shape.map { "\($0)," }.joined(separator: " ")
      return "    # \(array.name)\n    ((\(shape)), [\n\(runs.joined(separator: "\n"))\n    ]),"
    }
    let expected = test.expected.map {
      "(\($0.count), \"\(ChoiceText.hex($0.value))\", \"\(ChoiceText.hex($0.allowed))\")"
    }
    func wrapped(_ items: [String]) -> String { items.map { "    \($0)," }.joined(separator: "\n") }
    return """
      \(test.comment.map { "# \($0)" }.joined(separator: "\n"))
      import importlib
      import math
      import os

      \(imports(test))

      # MODULE:FUNCTION of the kernel under test; it is given \(names(test))\(test.outputs.count == 1 ? "" : ", and gives \(EmittedTest.list(test.outputs.map(\.name)))").
      KERNEL = os.environ.get("NUMCHECK_KERNEL", "kernel:\(EmittedTest.identifier(test.operation))")

      # Shapes; how many numbers, and what they are.
      ARRAYS = [
      \(arrays.joined(separator: "\n"))
      ]
      # How many results\(test.order), the right one, and what a right kernel may err by.
      EXPECTED = [
      \(wrapped(expected))
      ]


      def is_right(got, value, allowed):
          if math.isnan(value):
              return math.isnan(got)
          if math.isinf(value):
              return got == value
          return math.isfinite(got) and abs(got - value) <= allowed


      def test_\(test.identifier)():
          module, _, function = KERNEL.partition(":")
          kernel = getattr(importlib.import_module(module), function)
          arrays = [
              np.array([float.fromhex(x) for n, x in runs for _ in range(n)]).astype(\(type(test.inputs))).reshape(shape)
              for shape, runs in ARRAYS
          ]
          results = \(results(test))
          expected = [(float.fromhex(x), float.fromhex(e)) for n, x, e in EXPECTED for _ in range(n)]
          assert len(results) == len(expected)
          wrong = [
              f"result {i} is {got} ({float(got).hex()}), not {value} ({value.hex()}), allowed {allowed}"
              for i, (got, (value, allowed)) in enumerate(zip(results, expected))
              if not is_right(got, value, allowed)
          ]
          assert not wrong, f"{len(wrong)} of {len(expected)} results are wrong: " + "; ".join(wrong[:8])

      """
  }

  private static func results(_ test: EmittedTest) -> String {
    test.outputs.count == 1
      ? "np.asarray(kernel(*arrays)).astype(np.float64).ravel()"
      : "np.concatenate([np.asarray(y).astype(np.float64).ravel() for y in kernel(*arrays)])"
  }

  /// `a of shape (1, 3), b of shape (3, 1)`.
  private static func names(_ test: EmittedTest) -> String {
    test.arrays.map { array in
      "\(array.name) of shape (\(array.shape.map { "\($0)" }.joined(separator: ", ")))"
    }.joined(separator: ", ")
  }

  private static func imports(_ test: EmittedTest) -> String {
    let isNative = [test.inputs, test.format].allSatisfy {
      if case .native = ElementKind($0) { return true }
      return false
    }
    return isNative ? "import numpy as np" : "import ml_dtypes\nimport numpy as np"
  }

  private static func type(_ format: NumberFormat) -> String {
    if case .native(_, _, let numpy) = ElementKind(format) { return "np.\(numpy)" }
    let names = [
      "bf16": "bfloat16", "f6e3m2": "float6_e3m2fn", "f6e2m3": "float6_e2m3fn", "f4e2m1": "float4_e2m1fn",
    ]
    if let name = names[format.name] { return "ml_dtypes.\(name)" }
    return "ml_dtypes.float8_\(format.name.dropFirst(2))"
  }
}
