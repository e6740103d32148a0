import Quant

/// The schemes but ggml's, whose blocks and bytes have a suite of their own in `GGML`.
enum OwnSchemes {
  private static let families = SchemeRegistry.families.filter { $0.file != "GGML" }
  static let all: [any Scheme] = families.flatMap { $0.defaults() }
  static let known: [any Scheme] = all + families.flatMap { $0.variants() }
}
