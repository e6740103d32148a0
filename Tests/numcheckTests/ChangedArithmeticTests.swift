import Foundation
import Testing

/// The command in a process whose arithmetic a library has changed before it starts.
@Suite struct ChangedArithmeticTests {
  #if arch(x86_64) && os(Linux)
    @Test(arguments: [
      ("m |= 0x8040;", "numcheck: subnormal numbers are flushed to zero"),
      ("m |= 0x4000;", "numcheck: arithmetic does not round to nearest even"),
    ])
    func changedArithmeticIsOneLine(change: String, message: String) throws {
      let folder = FileManager.default.temporaryDirectory.appending(path: "numcheck-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let source = folder.appending(path: "modes.c"), library = folder.appending(path: "modes.so")
      try """
      __attribute__((constructor)) static void change(void) {
        unsigned m;
        __asm__ volatile("stmxcsr %0" : "=m"(m));
        \(change)
        __asm__ volatile("ldmxcsr %0" : : "m"(m));
      }
      """.write(to: source, atomically: true, encoding: .utf8)
      // Swift's toolchain brings a C compiler.
      let compiler = Process()
      compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      compiler.arguments = ["clang", "-shared", "-fPIC", source.path, "-o", library.path]
      try compiler.run()
      compiler.waitUntilExit()
      try #require(compiler.terminationStatus == 0)

      let outcome = try CommandRunner.run(
        ["softmax", "--rows", "1", "--length", "2"], environment: ["LD_PRELOAD": library.path])
      #expect(outcome.status == 2 && outcome.output.isEmpty)
      #expect(outcome.errors.hasPrefix(message) && outcome.errors.filter(\.isNewline).count == 1)
    }
  #endif
}
