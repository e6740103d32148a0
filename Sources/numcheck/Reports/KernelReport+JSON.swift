import NumKit

extension KernelReport {
  /// Schema `numcheck/1`; see Documentation/numcheck-1.schema.json.
  var json: JSONValue {
    var members: [(String, JSONValue)] = [
      ("schema", .string("numcheck/1")),
      ("command", .string(command)),
      ("dtype", .string(configuration.storage.name)),
      ("compute", .string(configuration.compute.name)),
      ("accumulate", .string(configuration.accumulator.name)),
      ("overflowMode", .string(configuration.overflow.rawValue)),
    ]
    switch origin {
    case .generated(let distribution, let range, let seed):
      members += [
        ("distribution", .string(distribution.rawValue)), ("range", .number(range)), ("seed", .uint(seed)),
      ]
    case .file(let name, let shape):
      members += [("input", .string(name)), ("shape", .array(shape.map { .int($0) })), ("seed", .null)]
    case .exhaustive: break
    }
    if case .exhaustive = origin { members += [("exhaustive", .bool(true)), ("seed", .null)] }
    members += [
      ("temperature", .number(parameters.temperature)),
      ("policy", .string(parameters.specialValues.rawValue)),
      ("rows", .int(result.rows)),
      ("length", .int(result.length)),
      ("conditioning", .number(result.conditioning)),
      (
        "inputRounding",
        .object([
          ("changed", .bool(result.inputsRounded)),
          ("maxUlp", .number(result.inherentUlp)),
          ("maxNormwise", .number(result.inherent)),
          ("overflowed", .int(result.overflowedInputs)),
          ("overflowedRows", .int(result.overflowedRows)),
        ])
      ),
      ("certificate", Self.certificate(result.certificate)),
      ("results", .array(result.entries.indices.map(entry))),
    ]
    if !checks.isEmpty {
      members.append(
        ("checks", .array(checks.map(Self.check))))
    }
    return .object(members)
  }

  static func certificate(_ c: Certificate) -> JSONValue {
    .object([
      ("fast", .int(c.double + c.doubleLow + c.doubleDouble)),
      ("double", .int(c.double)),
      ("doubleLow", .int(c.doubleLow)),
      ("doubleDouble", .int(c.doubleDouble)),
      ("mpfr", .int(c.mpfr)),
      ("exact", .int(c.exact)),
      ("undecided", .int(c.undecided)),
      ("maxPrecision", .int(c.maxPrecision)),
    ])
  }

  private func entry(_ index: Int) -> JSONValue {
    let e = result.entries[index]
    var members: [(String, JSONValue)] = [
      ("algorithm", .string(e.algorithm.description)),
      ("verdict", .string(e.verdict.rawValue)),
    ]
    members += Self.statistics(e.kernel)
    members += [
      (
        "bound",
        .object([
          ("kind", .string(basis(e).kind(e.bound))),
          ("ulp", e.bound == .none ? .null : .number(e.boundUlp)),
          ("exceeded", .int(e.kernel.aboveBound)),
        ])
      ),
      ("total", .object(Self.statistics(e.total))),
      ("headroomBits", .number(e.trace.headroom)),
      ("firstNaN", Self.birth(e.trace.firstNaN)),
      ("firstOverflow", Self.birth(e.trace.firstOverflow)),
    ]
    if let d = e.distribution {
      members += [
        ("sumError", .number(d.maxSumError)),
        ("klDivergence", .object([("max", .number(d.maxDivergence)), ("mean", .number(d.meanDivergence))])),
        ("top1Flips", .int(d.topFlips)),
      ]
    }
    members.append(("certificate", Self.certificate(result.certificate)))
    members.append(("witness", witness(index)))
    return .object(members)
  }

  static func statistics(_ s: ErrorStatistics) -> [(String, JSONValue)] {
    [
      ("nanRows", .int(s.nanRows)),
      ("overflow", .int(s.overflow)),
      ("underflow", .int(s.underflow)),
      ("specialMismatches", .int(s.specialMismatches)),
      (
        "ulp",
        .object([
          ("max", .number(s.proven.maxUlp)), ("p99", .number(s.quantileUlp(0.99))),
          ("mean", .number(s.meanUlp)),
          ("rms", .number(s.rmsUlp)), ("maxAtPeak", .number(s.maxUlpAtPeak)),
          ("maxHex", .string(Figures.hex(s.proven.maxUlp))),
        ])
      ),
      ("maxAbsoluteError", .number(s.proven.maxAbsolute)),
      ("maxAbsoluteErrorHex", .string(Figures.hex(s.proven.maxAbsolute))),
      ("maxRelativeError", .number(s.proven.maxRelative)),
      ("maxRelativeErrorHex", .string(Figures.hex(s.proven.maxRelative))),
    ]
  }

  static func birth(_ b: StageTrace.Birth?) -> JSONValue {
    guard let b else { return .null }
    return .object([("row", .int(b.row)), ("stage", .string(b.stage.rawValue)), ("index", .int(b.index))])
  }

  private func witness(_ index: Int) -> JSONValue {
    guard let w = result.entries[index].kernel.witness else { return .null }
    func value(_ x: Double) -> JSONValue {
      var members: [(String, JSONValue)] = [("decimal", .number(x)), ("hex", .string(Figures.hex(x)))]
      if let bits = Figures.bits(x, configuration.storage) { members.append(("bits", .string(bits))) }
      return .object(members)
    }
    var members: [(String, JSONValue)] = [
      ("row", .int(w.row)), ("index", .int(w.index)), ("ulp", .number(w.ulp)),
      ("computed", value(w.computed)),
      ("exact", .object([("decimal", .number(w.exact)), ("hex", .string(Figures.hex(w.exact)))])),
    ]
    if let input = witnessInputs[index] {
      if let x = input.input { members.append(("input", value(x))) }
      members.append(("rowMaximum", value(input.rowMaximum)))
    }
    return .object(members)
  }

  static func check(_ c: Check) -> JSONValue {
    .object([
      ("algorithm", .string(c.algorithm)), ("check", .string(c.flag)), ("limit", .number(c.limit)),
      ("observed", .number(c.observed)), ("passed", .bool(c.passed)),
      ("message", c.passed ? .null : .string(c.message)),
    ])
  }
}

extension RowBound {
  /// As reports spell it.
  var name: String {
    switch self {
    case .sound: return "sound"
    case .vacuous: return "vacuous"
    case .none: return "none"
    }
  }
}
