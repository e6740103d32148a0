import NumKit

/// Causal heads of f32 numbers, f32 results: ns per output, certified; their gradients; and products of square matrices.
func attentionCases(_ rows: Rows) -> [Case] {
  /// As many numbers as asked for, those of the rows again and again.
  func numbers(_ count: Int, from start: Int) -> [Double] {
    (start..<start + count).map { Double(rows.f32[$0 % rows.f32.count] / 10) }
  }
  func attention(_ name: String, _ tokens: Int, _ head: Int) -> Case? {
    let size = tokens * head
    let shape = AttentionShape(queries: tokens, keys: tokens, headSize: head)
    guard
      let inputs = AttentionInputs(
        q: numbers(size, from: 0), k: numbers(size, from: size + 1), v: numbers(size, from: 2 * size + 2),
        shape: shape)
    else { return nil }
    let parameters = AttentionParameters(mask: AttentionMask(causal: true))
    return Case(name: name, elements: size) {
      _ = try? AttentionTruths(inputs, parameters, format: .f32, lseFormat: .f32, threads: 1)
    }
  }
  func backward(_ name: String, _ tokens: Int, _ head: Int, _ format: NumberFormat) -> Case? {
    let size = tokens * head
    let shape = AttentionShape(queries: tokens, keys: tokens, headSize: head)
    func part(_ i: Int) -> [Double] { numbers(size, from: i * (size + 1)).map { format.round($0) } }
    guard let inputs = AttentionInputs(q: part(0), k: part(1), v: part(2), shape: shape) else { return nil }
    let (parameters, gradient) = (AttentionParameters(mask: AttentionMask(causal: true)), part(3))
    return Case(name: name, elements: 3 * size) {
      _ = try? BackwardTruths(inputs, gradient: gradient, parameters, format: format, threads: 1)
    }
  }
  func product(_ name: String, _ n: Int) -> Case? {
    let (a, b) = (numbers(n * n, from: 0), numbers(n * n, from: n * n + 3))
    guard let inputs = MatmulInputs(rows: a, columns: b, inner: n) else { return nil }
    return Case(name: name, elements: n * n) {
      var prover = MatmulProver(inputs, format: .f32, block: MatmulProver.block(rows: n, threads: 1))
      var truths = [Truth()]
      for row in 0..<n { prover.answer(MatmulQuestion.Item(inputs: inputs, row: row), into: &truths) }
    }
  }
  return [
    attention("ours.attention.f32", 256, 64), attention("ours.attention.2048", 2048, 128),
    backward("ours.backward.bf16", 2048, 128, .bf16), backward("ours.backward.f32", 2048, 128, .f32),
    product("ours.matmul.1024", 1024),
  ].compactMap { $0 }
}
