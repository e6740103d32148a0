import TensorFiles

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A kernel in the process that started this one: calls go out by one descriptor, results come in by another.
///
/// A call is a line `call OPERATION INPUTS`, a line `NAME DTYPE DIMENSION…` for each input and one for the result, then the inputs' bytes
/// one after another. Answered by a line `done` and the result's bytes, or by `failed MESSAGE`.
package final class ChannelGuest: GuestKernel {
  package let name: String
  package var gapDescription: String? { nil }
  package var staysLoaded: Bool { true }
  private let output: Int32
  private let input: Int32

  /// Throws where one of them is no open descriptor.
  package init(output: Int32, input: Int32, name: String) throws(GuestFault) {
    (self.output, self.input, self.name) = (output, input, name)
    guard output > 2, input > 2, fcntl(output, F_GETFD) >= 0, fcntl(input, F_GETFD) >= 0 else {
      throw GuestFault(.start, "\(output) and \(input) are no open descriptors")
    }
  }

  package func restart(environment: [String: String]) {}
  /// So that whoever answers knows that nothing more is asked.
  package func close() {
    closeBoth()
  }

  private func closeBoth() {
    #if canImport(Darwin)
      _ = (Darwin.close(output), Darwin.close(input))
    #elseif canImport(Glibc)
      _ = (Glibc.close(output), Glibc.close(input))
    #elseif canImport(Musl)
      _ = (Musl.close(output), Musl.close(input))
    #endif
  }

  package func call(_ call: GuestCall, _ conditions: CallConditions) throws(GuestFault) -> GuestAnswer {
    guard let result = call.results.first else { throw GuestFault(.unsupported, "a call without results") }
    func line(_ name: String, _ type: ElementType, _ shape: [Int]) -> String {
      ([name, type.name] + shape.map(String.init)).joined(separator: " ") + "\n"
    }
    var head = "call \(call.operation) \(call.inputs.count)\n"
    for array in call.inputs { head += line(array.name, array.type, array.shape) }
    head += line(result.name, result.type, result.shape)
    try send(Array(head.utf8))
    for array in call.inputs { try send(array.bytes) }
    var said: [UInt8] = []
    while true {
      let byte = try receive(1)[0]
      if byte == UInt8(ascii: "\n") { break }
      said.append(byte)
      guard said.count < 4096 else { throw GuestFault(.results, "\(name): does not answer as it should") }
    }
    let words = String(decoding: said, as: UTF8.self)
    guard words == "done" else {
      throw GuestFault(.failure, words.hasPrefix("failed ") ? String(words.dropFirst(7)) : words)
    }
    let bytes = try receive(result.count * result.type.guestWidth)
    return GuestAnswer(results: [GuestArray(result.name, result.type, result.shape, bytes: bytes)])
  }

  private func send(_ bytes: [UInt8]) throws(GuestFault) {
    var sent = 0
    while sent < bytes.count {
      let n = bytes.withUnsafeBytes { write(output, $0.baseAddress.map { $0 + sent }, bytes.count - sent) }
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else { throw GuestFault(.crash, "\(name): whoever is asked is gone") }
      sent += n
    }
  }

  private func receive(_ count: Int) throws(GuestFault) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var got = 0
    while got < count {
      let n = bytes.withUnsafeMutableBytes { read(input, $0.baseAddress.map { $0 + got }, count - got) }
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else { throw GuestFault(.crash, "\(name): whoever is asked is gone") }
      got += n
    }
    return bytes
  }
}
