import Foundation
import TensorFiles
import Testing

@Suite("Memory is asked for before work") struct MemoryTests {
  @Test func productsDoNotOverflow() {
    #expect(Memory.product(3, 5, 7) == 105)
    #expect(Memory.product() == 1)
    #expect(Memory.product(3_100_000_000, 3_100_000_000) == .max)
    #expect(Memory.product(.max, 0) == 0)
    #expect(Memory.product(1 << 31, 1 << 31, 8) == .max)
  }

  @Test func whatCannotBeHadIsSaidInPlainSizes() throws {
    try Memory.require(1 << 20, for: "a little")
    let error = #expect(throws: OutOfMemory.self) {
      try Memory.require(.max - 1, for: "a row of 12 elements")
    }
    let text = error.map { "\($0)" } ?? ""
    #expect(
      text.hasPrefix("a row of 12 elements needs about 9.2 EB of memory, ") && text.hasSuffix(" can be had"))
    let endless = #expect(throws: OutOfMemory.self) { try Memory.require(.max, for: "it") }
    #expect(endless.map { "\($0)" }?.contains("more memory than can be counted") == true)
    for (bytes, text) in [
      (0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (1949, "1.9 kB"), (9949, "9.9 kB"),
      (9951, "10 kB"),
      (999_600, "1.0 MB"), (17_179_869_184, "17 GB"),
    ] { #expect(OutOfMemory.size(bytes) == text) }
  }

  @Test func thereIsSomeAndNotMoreThanTheMachineHas() {
    let all = Int(ProcessInfo.processInfo.physicalMemory)
    #expect(Memory.available > 1 << 20 && Memory.available <= 2 * all)
    #expect(Memory.threads(1, each: .max / 2) == 1)
    #expect(Memory.threads(7, each: all) == 1)
    #expect(Memory.threads(7) == 7 || Memory.available < 1 << 26)
  }
}
