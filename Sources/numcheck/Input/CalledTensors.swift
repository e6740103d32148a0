import Guests
import NumKit
import TensorFiles

/// Kernels of attention and of products that are called.
extension GuestOptions {
  /// Calls the kernel, where one is, about `tensors`, whose numbers are ones of `inputs`.
  func call(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, _ inputs: NumberFormat, seed: UInt64
  ) throws -> CalledResults? {
    guard called.isCalled else { return nil }
    guard parameters.norm == nil, parameters.softmax == .plain else {
      throw UsageError("--exec and --plugin know the plain softmax, without --qk-norm")
    }
    let s = tensors.shape
    try Self.require(
      tensors.q.count, tensors.k.count, tensors.v.count, Memory.product(s.heads, s.queries, s.valueSize),
      parameters.mask.additive.count)
    var verification = AttentionVerification(
      tensors, parameters, format: calledFormat, lseFormat: calledFormat == .f64 ? .f64 : .f32)
    verification.overflow = overflow
    verification.claims = try claimed
    verification.triesPlans = false
    let problem = try problem(tensors, parameters, inputs)
    return try called.run(problem, seed: seed) { [verification] call, results in
      guard let o = results.first(where: { $0.name == "results" }) else {
        return CallJudgement(wrong: 0, of: 0)
      }
      let lse = results.first { $0.name == "lse" }
      let (q, k, v) = (call.inputs[0], call.inputs[1], call.inputs[2])
      let shape = AttentionShape(
        heads: q.shape[0], keyHeads: k.shape[0], queries: q.shape[1], keys: k.shape[1], headSize: q.shape[2],
        valueSize: v.shape[2])
      guard let cut = AttentionInputs(q: q.values, k: k.values, v: v.values, shape: shape) else {
        return CallJudgement(wrong: 0, of: 0)
      }
      var asked = verification
      asked.tensors = cut
      if let mask = call.inputs.first(where: { $0.name == "mask" }) {
        asked.parameters.mask.additive = mask.values
      }
      if lse == nil { asked.lseFormat = nil }
      let held = HeldResults<AttentionForward>([o] + (lse.map { [$0] } ?? []), counts: [shape.valueSize, 1]) {
        $0.row
      }
      let found = try asked.run("call", held)
      return CallJudgement(
        wrong: found.findings.wrong.reduce(0) { $0 + $1.count }, of: o.count + (lse?.count ?? 0))
    }
  }

  /// Calls the kernel, where one is, about the gradients of `tensors` for dO.
  func call(
    _ tensors: AttentionInputs, gradient: [Double], _ parameters: AttentionParameters, _ inputs: NumberFormat,
    seed: UInt64
  ) throws -> CalledResults? {
    guard called.isCalled else { return nil }
    guard parameters.softmax == .plain else {
      throw UsageError("--exec and --plugin know the plain softmax")
    }
    try Self.require(
      tensors.q.count, tensors.k.count, tensors.v.count, gradient.count, tensors.q.count, tensors.k.count,
      tensors.v.count, parameters.mask.additive.count)
    var verification = BackwardVerification(tensors, gradient: gradient, parameters, format: calledFormat)
    verification.overflow = overflow
    verification.claims = try claimed
    verification.triesPlans = false
    let problem = try problem(tensors, parameters, inputs, gradient: gradient)
    return try called.run(problem, seed: seed) { [verification] call, results in
      let names = AttentionGradient.allCases.map(\.rawValue)
      let given = names.compactMap { name in results.first { $0.name == name } }
      let (q, k, v) = (call.inputs[0], call.inputs[1], call.inputs[2])
      let shape = AttentionShape(
        heads: q.shape[0], keyHeads: k.shape[0], queries: q.shape[1], keys: k.shape[1], headSize: q.shape[2],
        valueSize: v.shape[2])
      guard given.count == names.count, let gradient = call.inputs.first(where: { $0.name == "do" }),
        let cut = AttentionInputs(q: q.values, k: k.values, v: v.values, shape: shape)
      else { return CallJudgement(wrong: 0, of: 0) }
      var asked = verification
      (asked.tensors, asked.gradient) = (cut, gradient.values)
      if let mask = call.inputs.first(where: { $0.name == "mask" }) {
        asked.parameters.mask.additive = mask.values
      }
      let held = HeldResults<AttentionBackward>(
        given,
        counts: [
          shape.group * shape.queries * shape.headSize, shape.keys * shape.headSize,
          shape.keys * shape.valueSize,
        ]
      ) { $0.keyHead }
      let found = try asked.run("call", held)
      return CallJudgement(
        wrong: found.findings.wrong.reduce(0) { $0 + $1.count }, of: given.reduce(0) { $0 + $1.count })
    }
  }

  /// What is asked of attention, or of its backward pass where there is a dO.
  private func problem(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, _ inputs: NumberFormat,
    gradient: [Double]? = nil
  ) throws -> GuestProblem {
    let s = tensors.shape
    let group = s.group
    let mask = parameters.mask
    // Padding says how long the keys are; causal masks say it of the last query.
    let isCut =
      mask.length == nil && (s.queries == s.keys || !(mask.causal || mask.left != nil || mask.right != nil))
    let both = isCut && s.queries == s.keys
    let (queryAxes, keyAxes) = (both ? [1] : [], isCut ? [1] : [])
    var arrays = [
      GuestProblem.Input(
        try array("q", tensors.q, [s.heads, s.queries, s.headSize], inputs), perItem: group,
        lengthAxes: queryAxes),
      .init(
        try array("k", tensors.k, [s.keyHeads, s.keys, s.headSize], inputs), perItem: 1, lengthAxes: keyAxes),
      .init(
        try array("v", tensors.v, [s.keyHeads, s.keys, s.valueSize], inputs), perItem: 1, lengthAxes: keyAxes),
    ]
    if let gradient {
      arrays.append(
        .init(
          try array("do", gradient, [s.heads, s.queries, s.valueSize], inputs), perItem: group,
          lengthAxes: queryAxes))
    }
    if !mask.additive.isEmpty {
      let isEach = mask.additive.count > s.queries * s.keys
      let first = isEach ? 1 : 0
      arrays.append(
        .init(
          try array("mask", mask.additive, (isEach ? [s.heads] : []) + [s.queries, s.keys], .f32),
          perItem: isEach ? group : 0, lengthAxes: (both ? [first] : []) + (isCut ? [first + 1] : [])))
    }
    let logs = calledFormat == .f64 ? ElementType.f64 : .f32
    var numbers: [(String, Double)] = [
      ("scale", parameters.scale ?? 1 / Double(s.headSize).squareRoot()), ("causal", mask.causal ? 1 : 0),
      ("top_left", mask.alignment == .topLeft ? 1 : 0), ("window_left", mask.left.map(Double.init) ?? -1),
      ("window_right", mask.right.map(Double.init) ?? -1), ("sinks", Double(mask.sinks)),
      ("softcap", parameters.softcap ?? 0), ("safe", parameters.specialValues == .safe ? 1 : 0),
    ]
    if let length = mask.length { numbers.append(("keys", Double(length))) }
    let own = try Self.element(calledFormat)
    let outputs: [GuestProblem.Output] =
      gradient == nil
      ? [
        .init(
          GuestResult("results", own, [s.heads, s.queries, s.valueSize]), perItem: group,
          lengthAxes: queryAxes),
        .init(
          GuestResult("lse", logs, [s.heads, s.queries], optional: true), perItem: group,
          lengthAxes: queryAxes),
      ]
      : [
        .init(
          GuestResult("dq", own, [s.heads, s.queries, s.headSize]), perItem: group, lengthAxes: queryAxes),
        .init(GuestResult("dk", own, [s.keyHeads, s.keys, s.headSize]), perItem: 1, lengthAxes: keyAxes),
        .init(GuestResult("dv", own, [s.keyHeads, s.keys, s.valueSize]), perItem: 1, lengthAxes: keyAxes),
      ]
    return GuestProblem(
      gradient == nil ? "attention" : "attention-backward", inputs: arrays, outputs: outputs,
      parameters: numbers.map { GuestParameter($0.0, $0.1) }, itemName: "key head")
  }

  /// Calls the kernel, where one is, about a product of matrices, whose numbers are ones of `storage`.
  func call(_ inputs: MatmulInputs, _ storage: NumberFormat, seed: UInt64) throws -> CalledResults? {
    guard called.isCalled else { return nil }
    let (rows, inner, columns) = (inputs.a.count, inputs.a.inner, inputs.b.count)
    try Self.require(
      Memory.product(rows, inner), Memory.product(inner, columns), Memory.product(rows, columns))
    var b = inputs.b.values
    for k in 0..<inner { for j in 0..<columns { b[k * columns + j] = inputs.b.values[j * inner + k] } }
    let problem = GuestProblem(
      "matmul",
      inputs: [
        .init(try array("a", inputs.a.values, [rows, inner], storage), perItem: 1, lengthAxes: [1]),
        .init(try array("b", b, [inner, columns], storage), perItem: 0, lengthAxes: [0]),
      ],
      outputs: [.init(GuestResult("results", try Self.element(calledFormat), [rows, columns]), perItem: 1)])
    let (format, claimed) = (calledFormat, try claimed)
    return try called.run(problem, seed: seed) { call, results in
      guard let result = results.first else { return CallJudgement(wrong: 0, of: 0) }
      let (a, b) = (call.inputs[0], call.inputs[1])
      let (inner, columns) = (b.shape[0], b.shape[1])
      let numbers = b.values
      var vectors = numbers
      for k in 0..<inner { for j in 0..<columns { vectors[j * inner + k] = numbers[k * columns + j] } }
      guard let made = MatmulInputs(rows: a.values, columns: vectors, inner: inner) else {
        return CallJudgement(wrong: 0, of: 0)
      }
      var asked = MatmulVerification(made, storage: storage, format: format)
      asked.claims = claimed
      asked.triesPlans = false
      let found = try asked.run("call", HeldResults([result], counts: [columns]) { $0.row })
      return CallJudgement(wrong: found.findings.wrong[0].count, of: result.count)
    }
  }
}
