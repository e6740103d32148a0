import NumKit

/// A program in C, to be linked with the kernel: its status is 0 where the results are right, 1 where they are not.
package enum CEmitter: TestEmitter {
  package static let name = "c"

  package static func text(_ test: EmittedTest) -> String {
    """
    \(CParts.head(test, external: "extern"))
    int main(void) {
    \(CParts.body(test))
      long wrong = 0;
      for (long i = 0, k = 0; k < (long)(sizeof expected / sizeof *expected); k++)
        for (long c = 0; c < expected[k].count; c++, i++) {
          double got = \(CParts.read("y", "i", test.format));
          if (is_right(got, expected[k].value, expected[k].allowed)) continue;
          if (wrong++ < 8)
            printf("result %ld is %.17g (%a), not %.17g (%a), allowed %g\\n", i, got, got, expected[k].value,
                   expected[k].value, expected[k].allowed);
        }
      if (wrong) printf("\(test.operation): %ld of \(test.resultCount) results are wrong\\n", wrong);
    \(CParts.free(test))
      return wrong != 0;
    }

    """
  }
}

/// A test for GoogleTest.
package enum GoogleTestEmitter: TestEmitter {
  package static let name = "gtest"

  package static func text(_ test: EmittedTest) -> String {
    """
    \(CParts.head(test, external: "extern \"C\"", includes: ["<gtest/gtest.h>"]))
    TEST(Numcheck, \(test.identifier)) {
    \(CParts.body(test))
      for (long i = 0, k = 0; k < (long)(sizeof expected / sizeof *expected); k++)
        for (long c = 0; c < expected[k].count; c++, i++) {
          double got = \(CParts.read("y", "i", test.format));
          EXPECT_TRUE(is_right(got, expected[k].value, expected[k].allowed))
              << "result " << i << " is " << got << ", not " << expected[k].value << ", allowed " << expected[k].allowed;
        }
    \(CParts.free(test))
    }

    """
  }
}

/// What tests in C and C++ share.
enum CParts {
  static func type(_ format: NumberFormat) -> String {
    switch ElementKind(format) {
    case .native(let c, _, _): c
    case .codes(let bytes): bytes == 1 ? "uint8_t" : "uint16_t"
    }
  }

  /// An element as a number.
  static func read(_ array: String, _ index: String, _ format: NumberFormat) -> String {
    switch ElementKind(format) {
    case .native: "(double)\(array)[\(index)]"
    case .codes: "number_of_\(format.name)(\(array)[\(index)])"
    }
  }

  private static func number(_ x: Double) -> String {
    EmittedTest.literal(x, nan: "NAN", infinity: "INFINITY")
  }

  private static func element(_ x: Double, _ format: NumberFormat) -> String {
    switch ElementKind(format) {
    case .native: number(x)
    case .codes: "0x" + String(format.encode(x), radix: 16)
    }
  }

  /// What a code is worth, where C has no such type.
  private static func decoder(_ format: NumberFormat) -> String {
    guard case .codes(let bytes) = ElementKind(format) else { return "" }
    if bytes == 2 {
      return """

        static double number_of_\(format.name)(uint16_t code) {
          union { uint32_t u; float f; } bits = {(uint32_t)code << 16};
          return bits.f;
        }

        """
    }
    let values = (0...format.codes.upperBound).map { number(format.decode($0)) }
    let lines = stride(from: 0, to: values.count, by: 8).map {
      "  " + values[$0..<min($0 + 8, values.count)].joined(separator: ", ")
    }
    return """

      static double number_of_\(format.name)(uint8_t code) {
        static const double values[] = {
      \(lines.joined(separator: ",\n"))
        };
        return values[code & \(format.codes.upperBound)];
      }

      """
  }

  static func head(_ test: EmittedTest, external: String, includes: [String] = []) -> String {
    let inputs = type(test.inputs)
    let results = type(test.format)
    let all = ["<math.h>", "<stdint.h>", "<stdio.h>", "<stdlib.h>"] + includes
    func wrapped(_ items: [String]) -> String {
      stride(from: 0, to: items.count, by: 4).map {
        "  " + items[$0..<min($0 + 4, items.count)].joined(separator: ", ") + ","
      }.joined(separator: "\n")
    }
    let arrays = test.arrays.map { array in
      let runs = array.runs.map { "{\($0.count), \(element($0.value, test.inputs))}" }
      return "static const struct run \(array.name)_runs[] = {\n\(wrapped(runs))\n};"
    }
    let given =
      test.arrays.map { "const \(inputs) *\($0.name)" } + test.sizes.map { "long \($0.name)" }
    let sizes = test.sizes.map { "\($0.name) = \($0.value)" }.joined(separator: ", ")
    let places = test.outputs.map { "\($0.count) results at \($0.name)" }
    let made = test.outputs.map { "\(results) *\($0.name)" }
    let expected = test.expected.map { "{\($0.count), \(number($0.value)), \(number($0.allowed))}" }
    return """
      \(test.comment.map { "// \($0)" }.joined(separator: "\n"))
      \(all.map { "#include \($0)" }.joined(separator: "\n"))

      // The kernel under test: \(sizes), \(EmittedTest.list(places)). Another name: -DKERNEL=name.
      #ifndef KERNEL
      #define KERNEL \(EmittedTest.identifier(test.operation))
      #endif
      \(external) void KERNEL(\((given + made).joined(separator: ", ")));

      // How many, and what they are.
      struct run { long count; \(inputs) value; };
      \(arrays.joined(separator: "\n"))
      // How many results\(test.order), the right one, and what a right kernel may err by.
      static const struct { long count; double value, allowed; } expected[] = {
      \(wrapped(expected))
      };
      \(decoder(test.format))
      static int is_right(double got, double value, double allowed) {
        if (isnan(value)) return isnan(got);
        if (isinf(value)) return got == value;
        return isfinite(got) && fabs(got - value) <= allowed;
      }

      """
  }

  static func body(_ test: EmittedTest) -> String {
    let (inputs, results) = (type(test.inputs), type(test.format))
    let made = test.arrays.map { array in
      """
        \(inputs) *\(array.name) = (\(inputs) *)malloc(\(array.count) * sizeof *\(array.name));
        if (!\(array.name)) abort();
        for (long at = 0, part = 0; part < (long)(sizeof \(array.name)_runs / sizeof *\(array.name)_runs); part++)
          for (long copy = 0; copy < \(array.name)_runs[part].count; copy++) \(array.name)[at++] = \(array.name)_runs[part].value;
      """
    }
    let given = test.arrays.map(\.name) + test.sizes.map { "\($0.value)" }
    var start = 0
    let outputs = test.outputs.map { output in
      defer { start += output.count }
      return start == 0 ? "y" : "y + \(start)"
    }
    return """
      \(made.joined(separator: "\n"))
        \(results) *y = (\(results) *)calloc(\(test.resultCount), sizeof *y);
        if (!y) abort();
        KERNEL(\((given + outputs).joined(separator: ", ")));
      """
  }

  static func free(_ test: EmittedTest) -> String {
    (test.arrays.map(\.name) + ["y"]).map { "  free(\($0));" }.joined(separator: "\n")
  }
}
