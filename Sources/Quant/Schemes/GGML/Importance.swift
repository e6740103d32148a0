import CSchemes

/// ggml's encoder of rows under an importance for each column: rows, columns, importances, bytes.
typealias WeightedEncoder =
  @convention(c) (
    UnsafePointer<Float>?, Int, Int, UnsafePointer<Float>?, UnsafeMutablePointer<UInt8>?
  ) -> Void

/// A type whose quantizer in ggml takes an importance matrix.
protocol WeightedScheme: GGMLScheme {
  static var weighted: WeightedEncoder { get }
}

extension Q4_0: WeightedScheme { static var weighted: WeightedEncoder { nc_q4_0_weighted } }
extension Q4_1: WeightedScheme { static var weighted: WeightedEncoder { nc_q4_1_weighted } }
extension Q5_0: WeightedScheme { static var weighted: WeightedEncoder { nc_q5_0_weighted } }
extension Q5_1: WeightedScheme { static var weighted: WeightedEncoder { nc_q5_1_weighted } }
extension Q2_K: WeightedScheme { static var weighted: WeightedEncoder { nc_q2_k_weighted } }
extension Q3_K: WeightedScheme { static var weighted: WeightedEncoder { nc_q3_k_weighted } }
extension Q4_K: WeightedScheme { static var weighted: WeightedEncoder { nc_q4_k_weighted } }
extension Q5_K: WeightedScheme { static var weighted: WeightedEncoder { nc_q5_k_weighted } }
extension Q6_K: WeightedScheme { static var weighted: WeightedEncoder { nc_q6_k_weighted } }
extension IQ4_NL: WeightedScheme { static var weighted: WeightedEncoder { nc_iq4_nl_weighted } }
extension IQ4_XS: WeightedScheme { static var weighted: WeightedEncoder { nc_iq4_xs_weighted } }

extension GGMLSchemes {
  /// The types that an importance matrix changes; of ggml's others (Q8_0, TQ1_0, TQ2_0, MXFP4, NVFP4) the quantizers ignore it.
  public static let weightedNames: [String] = (all + lattices).filter { $0 is any WeightedScheme }.map(\.name)

  /// Encodes rows as llama-quantize writes them with an importance matrix. Throws `SchemeError` for types that take none and for what
  /// does not fit.
  public static func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, importance: [Float], as scheme: any Scheme,
    into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    guard let type = scheme as? any WeightedScheme else {
      throw SchemeError.shape("ggml's quantizer of \(scheme.name) takes no importances")
    }
    guard importance.count == columns else {
      throw SchemeError.shape("\(importance.count) importances of \(columns) columns")
    }
    let expected = try type.byteCount(rows: rows, columns: columns)
    guard values.count == rows * columns else {
      throw SchemeError.shape("\(rows) rows of \(columns) elements are not \(values.count) values")
    }
    guard bytes.count == expected else { throw SchemeError.bytes(expected: expected, found: bytes.count) }
    guard let x = values.baseAddress, let y = bytes.baseAddress else { return }
    Swift.type(of: type).weighted(x, rows, columns, importance, y.assumingMemoryBound(to: UInt8.self))
  }
}
