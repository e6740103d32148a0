import NumKit

/// One causal head of 256 x 64, f32 results: ns per output.
func attentionCases(_ rows: Rows) -> [Case] {
  let (tokens, head) = (256, 64)
  let size = tokens * head
  guard rows.f64.count >= 3 * size else { return [] }
  let part = { rows.f32[$0 * size..<($0 + 1) * size].map { Double($0 / 10) } }
  let shape = AttentionShape(queries: tokens, keys: tokens, headSize: head)
  guard let inputs = AttentionInputs(q: part(0), k: part(1), v: part(2), shape: shape) else { return [] }
  let parameters = AttentionParameters(mask: AttentionMask(causal: true))
  return [
    Case(name: "ours.attention.f32", elements: size) {
      _ = try? AttentionTruths(inputs, parameters, format: .f32, lseFormat: .f32, threads: 1)
    }
  ]
}
