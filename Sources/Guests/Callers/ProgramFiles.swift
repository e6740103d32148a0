import SystemPackage
import TensorFiles

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The files that programs read and write. They live in a folder of our own, so they are written as they are, in place.
extension ProgramGuest {
  /// Writes an array, and says which bytes the file has.
  static func write(_ array: GuestArray, to path: String, columnMajor: Bool = false) throws(GuestFault)
    -> [UInt8]
  {
    var bytes = array.bytes
    if columnMajor {
      var strides = [Int](repeating: 1, count: array.shape.count)
      for axis in strides.indices.dropFirst() { strides[axis] = strides[axis - 1] * array.shape[axis - 1] }
      let width = array.width
      for i in 0..<array.count {
        let to = zip(multiIndex(i, in: array.shape), strides).reduce(0) { $0 + $1.0 * $1.1 }
        for k in 0..<width { bytes[to * width + k] = array.bytes[i * width + k] }
      }
    }
    let header =
      path.hasSuffix(".npy") ? npyHeader(array, columnMajor: columnMajor) : safetensorsHeader(array)
    let all = header + bytes
    let descriptor = path.withCString { creat($0, 0o600) }
    guard descriptor >= 0 else { throw GuestFault(.start, "\(path): cannot be written") }
    var done = 0
    while done < all.count {
      let n = all.withUnsafeBytes {
        writeFile(descriptor, $0.baseAddress.map { $0 + done }, all.count - done)
      }
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { break }
      done += n
    }
    closeFile(descriptor)
    guard done == all.count else { throw GuestFault(.start, "\(path): cannot be written, is the disk full?") }
    return all
  }

  /// Version 1.0, the data at a multiple of 64.
  private static func npyHeader(_ array: GuestArray, columnMajor: Bool) -> [UInt8] {
    let kind =
      switch array.type {
      case .f64: "<f8"
      case .f32: "<f4"
      case .f16: "<f2"
      case .int8: "|i1"
      case .uint8: "|u1"
      case .bool: "|b1"
      case .int32: "<i4"
      case .int64: "<i8"
      default: "|V\(array.width)"
      }
    let shape = array.shape.map(String.init).joined(separator: ", ") + (array.shape.count == 1 ? "," : "")
    var text =
      "{'descr': '\(kind)', 'fortran_order': \(columnMajor ? "True" : "False"), 'shape': (\(shape)), }"
    text += String(repeating: " ", count: (64 - (10 + text.utf8.count + 1) % 64) % 64) + "\n"
    let length = text.utf8.count
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xff), UInt8(length >> 8)] + Array(text.utf8)
  }

  static func safetensorsHeader(_ array: GuestArray) -> [UInt8] {
    let names = [
      "f64": "F64", "f32": "F32", "f16": "F16", "bf16": "BF16", "f8e4m3fn": "F8_E4M3", "int8": "I8",
      "uint8": "U8", "bool": "BOOL", "int32": "I32", "int64": "I64",
    ]
    // f8e5m2 is F8_E5M2.
    let type = names[array.type.name] ?? "F8_\(array.type.name.dropFirst(2).uppercased())"
    let shape = array.shape.map(String.init).joined(separator: ",")
    var text =
      "{\"\(array.name)\":{\"dtype\":\"\(type)\",\"shape\":[\(shape)],"
      + "\"data_offsets\":[0,\(array.bytes.count)]}}"
    text += String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
    let length = UInt64(text.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + Array(text.utf8)
  }

  /// All of a file.
  static func bytes(of path: String) -> [UInt8]? {
    let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { return nil }
    defer { closeFile(descriptor) }
    let length = Int(lseek(descriptor, 0, SEEK_END))
    guard length >= 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: length)
    var done = 0
    while done < length {
      let n = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress.map { $0 + done }, length - done, off_t(done))
      }
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { break }
      done += n
    }
    return done == length ? bytes : nil
  }

  /// What a program wrote, which must have the shape that was asked for. Numbers of a narrow format may come as f32, each one that the
  /// format has. nil where nothing is there that need not be.
  static func read(_ result: GuestResult, from path: String, said: [String]) throws(GuestFault) -> GuestArray?
  {
    func wrong(_ reason: String) -> GuestFault {
      GuestFault(.results, "{\(result.name)}: \(reason)", said: said)
    }
    guard let bytes = bytes(of: path) else {
      if result.isOptional { return nil }
      throw wrong("was not written")
    }
    do {
      let file = try bytes.withUnsafeBytes { try TensorFile(bytes: $0, path: path) }
      let named = file.tensors.contains { $0.name == result.name }
      let tensor =
        named && file.tensors.count > 1 ? try file.tensor(named: result.name) : try file.onlyTensor()
      guard tensor.shape == result.shape else {
        throw wrong("has the shape \(tensor.shape), not \(result.shape)")
      }
      if tensor.elementType == result.type, tensor.info.order == .rowMajor, result.type.unit.elements == 1 {
        let codes = try tensor.withRawBytes { Array($0) }
        if codes.count == result.count * result.type.guestWidth, !isSwapped(bytes, path) {
          return GuestArray(result.name, result.type, result.shape, bytes: codes)
        }
      }
      let values = try tensor.withDoubles { Array($0) }
      let array = try GuestArray(result.name, result.type, result.shape, values: values)
      for i in values.indices where array.value(i) != values[i] && !(array.value(i).isNaN && values[i].isNaN)
      {
        throw wrong(
          "is \(tensor.elementType), and \(values[i]) at \(multiIndex(i, in: result.shape)) is no \(result.type)"
        )
      }
      return array
    } catch let fault as GuestFault {
      throw fault
    } catch {
      throw wrong("\(error)")
    }
  }

  /// Whether an .npy file is in the other byte order than this machine's.
  private static func isSwapped(_ bytes: [UInt8], _ path: String) -> Bool {
    path.hasSuffix(".npy") && String(decoding: bytes.prefix(128), as: UTF8.self).contains("'>")
  }
}

private func writeFile(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  #if canImport(Darwin)
    return Darwin.write(descriptor, bytes, count)
  #elseif canImport(Glibc)
    return Glibc.write(descriptor, bytes, count)
  #elseif canImport(Musl)
    return Musl.write(descriptor, bytes, count)
  #endif
}

private func closeFile(_ descriptor: Int32) {
  #if canImport(Darwin)
    _ = Darwin.close(descriptor)
  #elseif canImport(Glibc)
    _ = Glibc.close(descriptor)
  #elseif canImport(Musl)
    _ = Musl.close(descriptor)
  #endif
}
