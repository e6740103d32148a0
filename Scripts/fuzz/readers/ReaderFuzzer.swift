import Foundation
import TensorFiles

/// libFuzzer, whose own `main` a package's executable cannot have.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ input: @convention(c) (UnsafePointer<UInt8>, Int) -> Int32
) -> Int32

@main enum ReaderFuzzer {
  static func main() {
    var (count, arguments) = (CommandLine.argc, CommandLine.unsafeArgv)
    exit(runDriver(&count, &arguments) { readTensorFile($0, $1) })
  }
}

/// One input: bytes that may be a tensor file, opened and read as any command does, along the last axis and the first.
@_cdecl("LLVMFuzzerTestOneInput")
public func readTensorFile(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  let bytes = UnsafeRawBufferPointer(start: data, count: count)
  guard let file = try? TensorFile(bytes: bytes, path: "fuzz") else { return 0 }
  var values = [Double](repeating: 0, count: 4096)
  for view in file.views.prefix(8) where view.info.count > 0 {
    let first = Swift.min(values.count, view.info.count)
    values.withUnsafeMutableBufferPointer { buffer in
      let part = UnsafeMutableBufferPointer(rebasing: buffer[..<first])
      try? view.copyDoubles(0..<first, into: part)
      try? view.copyDoubles(view.info.count - first..<view.info.count, into: part)
    }
    for axis in [-1, 0] {
      guard let rows = try? view.rows(axis: axis), rows.length > 0, rows.length <= values.count else {
        continue
      }
      values.withUnsafeMutableBufferPointer { buffer in
        try? rows.copyDoubles(
          elements: 0..<rows.length, into: UnsafeMutableBufferPointer(rebasing: buffer[..<rows.length]))
      }
    }
  }
  return 0
}
