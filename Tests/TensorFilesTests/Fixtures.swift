import Foundation
import TensorFiles
import Testing

/// Where the golden files are.
let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().appendingPathComponent("fixtures")

func fixture(_ name: String) -> String { fixtures.appendingPathComponent(name).path }

/// A folder that goes when this does.
final class Scratch {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("numcheck-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  func write(_ bytes: [UInt8], _ name: String) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: self(name)))
    return self(name)
  }

  var contents: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }
}

extension TensorFile {
  /// The file that `bytes` are.
  static func of(_ bytes: [UInt8], _ path: String = "hostile") throws -> TensorFile {
    try bytes.withUnsafeBytes { try TensorFile(bytes: $0, path: path) }
  }
}

extension TensorView {
  /// All elements.
  var doubles: [Double] {
    get throws { try withDoubles { Array($0) } }
  }

  var floats: [Float] {
    get throws { try withFloats { Array($0) } }
  }
}

/// Bits, with one NaN.
func bits(_ x: Double) -> UInt64 { x.isNaN ? Double.nan.bitPattern : x.bitPattern }
func bits(_ x: Float) -> UInt32 { x.isNaN ? Float.nan.bitPattern : x.bitPattern }

func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// An .npy file with any header text.
func npy(_ header: String, data: [UInt8] = [], version: UInt8 = 1, length: Int? = nil) -> [UInt8] {
  let text = Array(header.utf8)
  let stated = length ?? text.count
  let prefix =
    version == 1 ? bytes(UInt16(truncatingIfNeeded: stated)) : bytes(UInt32(truncatingIfNeeded: stated))
  return [0x93] + Array("NUMPY".utf8) + [version, 0] + prefix + text + data
}

/// A .safetensors file with any header text.
func safetensors(_ header: String, data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
  bytes(length ?? UInt64(header.utf8.count)) + Array(header.utf8) + data
}

/// Builds .gguf files, right or wrong.
struct GGUFBytes {
  static func text(_ s: String) -> [UInt8] { bytes(UInt64(s.utf8.count)) + Array(s.utf8) }

  static func pair(_ key: String, _ type: UInt32, _ value: [UInt8]) -> [UInt8] {
    text(key) + bytes(type) + value
  }

  static func tensor(_ name: String, _ dimensions: [UInt64], _ type: UInt32, _ offset: UInt64) -> [UInt8] {
    text(name) + bytes(UInt32(dimensions.count)) + dimensions.flatMap(bytes) + bytes(type) + bytes(offset)
  }

  static func file(
    version: UInt32 = 3, pairs: [[UInt8]] = [], tensors: [[UInt8]] = [], tensorCount: UInt64? = nil,
    pairCount: UInt64? = nil, data: Int = 0, alignment: Int = 32
  ) -> [UInt8] {
    var file = Array("GGUF".utf8) + bytes(version) + bytes(tensorCount ?? UInt64(tensors.count))
    file += bytes(pairCount ?? UInt64(pairs.count)) + pairs.joined() + tensors.joined()
    if data > 0 {
      file += [UInt8](repeating: 0, count: (alignment - file.count % alignment) % alignment)
      file += (0..<data).map { UInt8($0 & 0x3f) }
    }
    return file
  }
}

/// Builds .zip files of stored entries, right or wrong.
struct ZipBytes {
  var name: String
  var content: [UInt8]
  var method: UInt16 = 0
  var flags: UInt16 = 0
  var localName: String?
  var size: UInt32?
  var packed: UInt32?
  var offset: UInt32?
  var extra: [UInt8] = []

  static func file(_ entries: [ZipBytes], count: UInt16? = nil, start: UInt32? = nil, size: UInt32? = nil)
    -> [UInt8]
  {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let offset = UInt32(file.count)
      let n = UInt32(entry.content.count)
      let local = entry.localName ?? entry.name
      file += Array("PK".utf8) + [3, 4] + bytes(UInt16(20)) + bytes(entry.flags) + bytes(entry.method)
      file += [UInt8](repeating: 0, count: 8) + bytes(n) + bytes(n)
      file += bytes(UInt16(local.utf8.count)) + bytes(UInt16(0)) + Array(local.utf8) + entry.content
      directory += Array("PK".utf8) + [1, 2] + bytes(UInt16(20)) + bytes(UInt16(20)) + bytes(entry.flags)
      directory += bytes(entry.method) + [UInt8](repeating: 0, count: 8) + bytes(entry.packed ?? n)
      directory +=
        bytes(entry.size ?? n) + bytes(UInt16(entry.name.utf8.count)) + bytes(UInt16(entry.extra.count))
      directory += [UInt8](repeating: 0, count: 10) + bytes(entry.offset ?? offset) + Array(entry.name.utf8)
      directory += entry.extra
    }
    let at = UInt32(file.count)
    file += directory + Array("PK".utf8) + [5, 6, 0, 0, 0, 0]
    file += bytes(count ?? UInt16(entries.count)) + bytes(count ?? UInt16(entries.count))
    return file + bytes(size ?? UInt32(directory.count)) + bytes(start ?? at) + [0, 0]
  }
}

/// A valid .npy of two f32.
let twoFloats = npy(
  "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", data: [0, 0, 128, 63, 0, 0, 0, 192])
