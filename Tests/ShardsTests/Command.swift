import Foundation
import Testing

/// Runs the built command in a folder of its own.
final class Command {
  struct Outcome: Equatable {
    let status: Int32
    let output: String
    let errors: String

    /// One line that says all of this, and status 2.
    func isRefusal(_ parts: String...) -> Bool {
      status == 2 && output.isEmpty && errors.hasPrefix("numcheck: ")
        && errors.filter { $0 == "\n" }.count == 1
        && parts.allSatisfy { errors.contains($0) }
    }
  }

  let folder: URL

  static let binary = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    .appendingPathComponent("numcheck")

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("numcheck-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  func callAsFunction(_ arguments: [String]) throws -> Outcome {
    let process = Process()
    process.executableURL = Self.binary
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.standardInput = FileHandle.nullDevice
    let (out, err) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (out, err)
    try process.run()
    let output = out.fileHandleForReading.readDataToEndOfFile()
    let errors = err.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationReason == .exit ? process.terminationStatus : -1,
      output: String(decoding: output, as: UTF8.self), errors: String(decoding: errors, as: UTF8.self))
  }

  /// Runs `line` in `count` parts, in backward order and on as many threads as each has a number; their files.
  func parts(_ line: [String], _ count: Int) throws -> [String] {
    for index in (1...count).reversed() {
      let outcome = try self(line + ["--shard", "\(index)/\(count)", "--save", "\(index).part"])
      #expect(outcome == Outcome(status: 0, output: "", errors: ""), "\(line) \(index)/\(count)")
    }
    return (1...count).map { "\($0).part" }
  }

  /// A matrix of f32 as .npy. Values are uneven, some larger than others, `special` at their places.
  func write(_ name: String, rows: Int, columns: Int, seed: UInt32, special: [Int: Float] = [:]) throws {
    var state = seed
    var values = (0..<rows * columns).map { k -> Float in
      state = state &* 1_664_525 &+ 1_013_904_223
      let x = Float(Int32(bitPattern: state) >> 8) * 0x1p-23
      return k % 97 == 0 ? 40 * x : 3 * x * x * x
    }
    for (k, x) in special { values[k] = x }
    try npy(name, shape: "(\(rows), \(columns))", values)
  }

  private func npy(_ name: String, shape: String, _ values: [Float]) throws {
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }"
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0])
    data.append(contentsOf: [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)])
    data.append(Data(header.utf8))
    for x in values { withUnsafeBytes(of: x.bitPattern.littleEndian) { data.append(contentsOf: $0) } }
    try data.write(to: folder.appendingPathComponent(name))
  }

  /// Several matrices as .safetensors; another `shift` gives other numbers.
  func write(_ name: String, tensors: [(name: String, rows: Int, columns: Int)], shift: Int = 0) throws {
    var (header, data) = ([String](), Data())
    for (k, tensor) in tensors.enumerated() {
      let count = tensor.rows * tensor.columns
      let range = "[\(data.count),\(data.count + 4 * count)]"
      header.append(
        "\"\(tensor.name)\":{\"dtype\":\"F32\",\"shape\":[\(tensor.rows),\(tensor.columns)],\"data_offsets\":\(range)}"
      )
      for i in 0..<count {
        let x = Float((i * 7919 + k * 104_729 + shift) % 1009 - 500) / 331 * (i % 61 == k ? 900 : 1)
        withUnsafeBytes(of: x.bitPattern.littleEndian) { data.append(contentsOf: $0) }
      }
    }
    let text = "{" + header.joined(separator: ",") + "}"
    var file = withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { Data($0) }
    file.append(Data(text.utf8))
    file.append(data)
    try file.write(to: folder.appendingPathComponent(name))
  }
}
