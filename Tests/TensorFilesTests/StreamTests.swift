import Foundation
import Synchronization
import TensorFiles
import Testing

/// Streams without an end: refused by their first bytes, or when they go on where their header ends.
@Suite("Standard input") struct StreamTests {
  /// Opens what `start` and then `rest`, again and again, come to; returns the reason why not, and how much was taken.
  private func reason(_ start: [UInt8], then rest: [UInt8]) throws -> (reason: String, taken: Int) {
    let pipe = Pipe()
    let taken = Mutex(0)
    let writer = Thread {
      signal(SIGPIPE, SIG_IGN)
      let end = pipe.fileHandleForWriting
      func put(_ bytes: [UInt8]) -> Bool {
        guard (try? end.write(contentsOf: Data(bytes))) != nil else { return false }
        taken.withLock { $0 += bytes.count }
        return true
      }
      guard put(start) else { return }
      while taken.withLock({ $0 }) < 1 << 28, put(rest) {}
      try? end.close()
    }
    writer.start()
    let error = #expect(throws: TensorFileError.self) {
      try TensorFile.read(
        descriptor: pipe.fileHandleForReading.fileDescriptor, path: "standard input", name: "stdin")
    }
    try pipe.fileHandleForReading.close()
    return (error?.reason ?? "", taken.withLock { $0 })
  }

  @Test func whatIsNoTensorFileIsRefusedAtOnce() throws {
    for start in [Array("y\n".utf8), [UInt8](repeating: 0, count: 512), Array("<!DOCTYPE html><html>".utf8)] {
      let (reason, taken) = try reason(start, then: [UInt8](repeating: 0x79, count: 1 << 16))
      #expect(reason.hasPrefix("is no .npy, .npz, .safetensors or .gguf file: it begins with"), "\(reason)")
      #expect(taken <= 1 << 20)
    }
  }

  @Test func whatGoesOnAfterItsEndIsRefusedThere() throws {
    let two = "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}"
    for start in [twoFloats, safetensors(two, data: [1, 2])] {
      let (reason, taken) = try reason(start, then: [UInt8](repeating: 0x79, count: 1 << 16))
      #expect(reason == "bytes follow the \(start.count) that its header speaks of")
      #expect(taken <= 1 << 20)
    }
  }

  @Test func headersAreJudgedBeforeTheRestIsRead() throws {
    let wrong = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1000000000000,), }\n")
    #expect(try reason(wrong, then: [UInt8](repeating: 1, count: 1 << 16)).reason.contains("Python objects"))
  }
}
