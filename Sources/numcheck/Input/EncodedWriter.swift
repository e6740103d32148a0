import Quant
import TensorFiles

/// Writes what a scheme makes of a tensor, band by band: decoded, and as bytes. Both files appear whole or not at all.
enum EncodedWriter {
  static func write(_ scheme: any Scheme, _ source: MatrixSource, output: String?, raw: String?) throws {
    if let output, output == raw { throw UsageError("--output and --raw are the same file, \(output)") }
    if output != nil && source.shape == nil {
      throw UsageError("--output needs rows along the last axis, not another --axis")
    }
    // Before any file is begun: does the scheme fit?
    do { _ = try scheme.byteCount(rows: source.rows, columns: source.columns) } catch let e as SchemeError {
      throw UsageError("\(e)")
    }
    let tensor = try output.map {
      try TensorWriter($0, [TensorWriter.Declaration("dequantized", .f32, source.shape ?? [])])
    }
    let bytes = try raw.map { try RawWriter($0) }
    try StreamedEncoding(scheme, source).forEachBand(
      write: { offset, part in try bytes?.write(part, at: offset) },
      decoded: { values in try tensor?.append(values) })
    try tensor?.finish()
    try bytes?.finish()
  }
}
