import SystemPackage
import TensorFiles

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A kernel in a program: a line for the shell in which `{input}`, `{results}`, `{q}` … stand for files, run once a call.
package final class ProgramGuest: GuestKernel {
  /// How arrays are written.
  package enum Exchange: String, Sendable, CaseIterable {
    case npy, safetensors
  }

  package let name: String
  package var gapDescription: String? { exchange == .npy ? "column-major .npy files" : nil }
  package var staysLoaded: Bool { false }
  private let line: String
  private let exchange: Exchange
  private let seconds: Double
  private let folder: PrivateFolder
  private var environment: [String: String] = [:]
  private var calls = 0
  private var place = 0

  /// Status with which a program says that a call is none for it (as `NUMCHECK_UNSUPPORTED`).
  package static let unsupportedStatus = 77

  /// Throws where `line` does not name all `results`, each a file to write, or names an array that there is none of; `optional` results
  /// it may name.
  package init(
    _ line: String, exchange: Exchange, seconds: Double, arrays: [String], parameters: [String],
    results: [String] = ["results"], optional: [String] = ["lse"]
  ) throws(GuestFault) {
    self.line = line
    self.exchange = exchange
    self.seconds = seconds
    name = line
    let known = Set(arrays + results + optional + ["dtype", "operation"] + parameters)
    var named: Set<String> = []
    for piece in Self.pieces(line) {
      guard case .name(let word) = piece else { continue }
      guard known.contains(word) else {
        throw GuestFault(
          .start,
          "{\(word)} is nothing of this question; there are: "
            + known.sorted().map { "{\($0)}" }.joined(separator: " "))
      }
      named.insert(word)
    }
    for result in results where !named.contains(result) {
      throw GuestFault(
        .start, "'\(line)': must name {\(result)}, \(results.count > 1 ? "a" : "the") file to write")
    }
    folder = try PrivateFolder()
  }

  package func restart(environment: [String: String]) { self.environment = environment }
  package func close() { folder.remove() }

  package func call(_ call: GuestCall, _ conditions: CallConditions) throws(GuestFault) -> GuestAnswer {
    calls += 1
    if conditions.isFresh || calls == 1 { place += 1 }
    let here = folder.folder("\(place)")
    var files: [String: String] = ["dtype": call.results[0].type.name, "operation": call.operation]
    for parameter in call.parameters { files[parameter.name] = Self.text(parameter.value) }
    var written: [(GuestArray, String, [UInt8])] = []
    for input in call.inputs {
      let kind = TensorWriterKind.of(input.type, exchange)
      let path = "\(here)/\(input.name).\(kind)"
      let bytes = try Self.write(input, to: path, columnMajor: conditions.rowGap > 0 && kind == "npy")
      files[input.name] = path
      written.append((input, path, bytes))
    }
    for result in call.results {
      let path = "\(here)/\(result.name).\(TensorWriterKind.of(result.type, exchange))"
      files[result.name] = path
      // Every second time nothing is there, else what must be overwritten.
      unlink(path)
      if conditions.fillsOtherwise || result.isOptional { continue }
      let code = result.type.fillCode(otherwise: false)
      let width = result.type.guestWidth
      var fill = [UInt8](repeating: 0, count: result.count * width)
      for k in fill.indices { fill[k] = UInt8(truncatingIfNeeded: code >> UInt64(8 * (k % width))) }
      _ = try Self.write(GuestArray(result.name, result.type, result.shape, bytes: fill), to: path)
    }
    let process = try GuestProcess(
      ["/bin/sh", "-c", command(files)],
      environment: environment.merging(["NUMCHECK_OPERATION": call.operation]) { old, _ in old })
    guard let ending = process.wait(seconds: seconds) else {
      throw GuestFault(
        .hang, "did not end within \(Self.text(seconds)) s in a call of \(LibraryGuest.shapes(call))",
        said: process.lastLines())
    }
    if ending == Self.unsupportedStatus {
      throw GuestFault(.unsupported, "status \(ending) for \(LibraryGuest.shapes(call))")
    }
    guard ending == 0 else {
      // A shell says that what it ran ended by a signal with 128 and its number.
      let isSignal = ending > 128 && ending < 128 + 65 || ending >= 256
      throw GuestFault(
        isSignal ? .crash : .failure,
        GuestProcess.words(isSignal && ending < 256 ? ending + 128 : ending)
          + " in a call of \(LibraryGuest.shapes(call))", said: process.lastLines())
    }
    var answer = GuestAnswer(results: [])
    for result in call.results {
      guard let path = files[result.name] else { continue }
      guard let array = try Self.read(result, from: path, said: process.lastLines()) else { continue }
      answer.results.append(array)
      let left = Self.untouched(array)
      answer.untouched.append(result.type.fillIsUnique ? [] : left)
      if result.type.fillIsUnique, let first = left.first {
        answer.breaches.append(
          .unwritten(result.name, count: left.count, first: multiIndex(first, in: result.shape)))
      }
    }
    for (input, path, bytes) in written where Self.bytes(of: path) != bytes {
      let now = try? Self.read(GuestResult(input.name, input.type, input.shape), from: path, said: [])
      let first = now.flatMap { now in (0..<input.count).first { now.code($0) != input.code($0) } } ?? 0
      answer.breaches.append(.input(input.name, first: multiIndex(first, in: input.shape)))
    }
    return answer
  }

  private static func untouched(_ array: GuestArray) -> [Int] {
    let code = array.type.fillCode(otherwise: false)
    return (0..<array.count).filter { array.code($0) == code }
  }

  private enum Piece { case text(String), name(String) }

  /// The line, its names in braces apart. `${x}` is the shell's.
  private static func pieces(_ line: String) -> [Piece] {
    var pieces: [Piece] = []
    var text = ""
    var rest = line[...]
    while let first = rest.first {
      if first == "{", text.last != "$", let end = rest.firstIndex(of: "}") {
        let word = rest[rest.index(after: rest.startIndex)..<end]
        if !word.isEmpty, word.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) {
          pieces += [.text(text), .name(String(word))]
          text = ""
          rest = rest[rest.index(after: end)...]
          continue
        }
      }
      text.append(first)
      rest = rest.dropFirst()
    }
    return pieces + [.text(text)]
  }

  private func command(_ files: [String: String]) -> String {
    Self.pieces(line).map { piece in
      switch piece {
      case .text(let text): return text
      case .name(let word): return Self.quoted(files[word] ?? "")
      }
    }.joined()
  }

  /// As the shell takes it for one word; as it is where nothing in it is special, so that it may stand within quotes.
  private static func quoted(_ text: String) -> String {
    let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-+=:,".contains($0)) }
    return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
  }

  private static func text(_ x: Double) -> String {
    x == x.rounded() && x.magnitude < 1e15 ? "\(Int(x))" : "\(x)"
  }
}

/// Which kind of file can hold a type.
enum TensorWriterKind {
  static func of(_ type: ElementType, _ exchange: ProgramGuest.Exchange) -> String {
    switch type {
    case .bf16, .small: "safetensors"
    default: exchange.rawValue
    }
  }
}
