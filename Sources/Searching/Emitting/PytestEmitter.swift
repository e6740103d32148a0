import NumKit
import StabilityTesting

/// A test for pytest.
package enum PytestEmitter: TestEmitter {
  package static let name = "pytest"

  package static func text(_ test: EmittedTest) -> String {
    let row = test.row.map { "(\($0.count), \"\(ChoiceText.hex($0.value))\")" }
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

      # MODULE:FUNCTION of the kernel under test; it is given an array of shape (1, \(test.rowLength)).
      KERNEL = os.environ.get("NUMCHECK_KERNEL", "kernel:\(EmittedTest.identifier(test.operation))")

      # How many, and what they are.
      ROW = [
      \(wrapped(row))
      ]
      # How many results, the right one, and what a right kernel may err by.
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
          row = np.array([float.fromhex(x) for n, x in ROW for _ in range(n)], np.float64)
          results = np.asarray(kernel(row.astype(\(type(test.inputs)))[np.newaxis])).astype(np.float64).ravel()
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
