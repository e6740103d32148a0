import Quant
import SystemPackage
import TensorFiles

/// Writes what a scheme makes of a tensor, band by band: decoded, and as bytes; into files that are complete but for their names.
enum EncodedWriter {
  static func finished(
    _ scheme: any Scheme, _ source: MatrixSource, output: String?, raw: String?
  ) throws -> [any UnfinishedFile] {
    if output != nil && source.shape == nil {
      throw UsageError("--output needs rows along the last axis, not another --axis")
    }
    // Before any file is begun: does the scheme fit?
    do { _ = try scheme.byteCount(rows: source.rows, columns: source.columns) } catch let e as SchemeError {
      throw UsageError("\(e)")
    }
    let tensor = try output.map {
      try TensorWriter(
        FilePath(argument: $0), [TensorWriter.Declaration("dequantized", .f32, source.shape ?? [])])
    }
    let bytes = try raw.map { try RawWriter(FilePath(argument: $0)) }
    let progress = Progress(total: source.rows * source.columns, what: "numbers written")
    defer { progress.finish() }
    try StreamedEncoding(scheme, source).forEachBand(
      write: { offset, part in try bytes?.write(part, at: offset) },
      decoded: { values in
        progress.add(values.count)
        try tensor?.append(values)
      })
    let files: [(any UnfinishedFile)?] = [tensor, bytes]
    return files.compactMap { $0 }
  }
}
