import NumKit
import Reports

/// What one experiment on a product has to say.
struct MatmulReport {
  let configuration: MatmulConfiguration
  let source: MatmulSource
  let result: Measurement<MatmulQuestion>

  var report: Report {
    let measured = MeasurementReport(
      result: result, storage: configuration.storage, results: .float(configuration.result),
      inputCount: source.inputs.a.values.count + source.inputs.b.values.count, place: "column",
      blindness: configuration.accumulator == .int32 ? "int32 sums are not watched" : nil)
    var report = Report("matmul", title: title)
    report.facts = facts + measured.facts
    report.notes = [result.certificate.line]
    report.findings = findings + measured.findings
    measured.complete(&report) { entry in
      guard entry.parts[0].verdict == .vacuous else { return nil }
      return
        "\(entry.candidate.name) errs by \(measured.error(entry)), but no bound can promise it: sums of "
        + "\(Figures.count(source.inputs.a.inner)) in \(configuration.accumulator) may lose all; "
        + (Advice.tries([accumulators, "a shorter run"]) ?? "")
    }
    return report
  }

  /// A wider accumulator than this one.
  private var accumulators: String? {
    guard case .float(let format) = configuration.accumulator else { return nil }
    return Advice.finer(than: format).map { "--accumulate \($0)" }
  }

  /// What was asked, in one line.
  private var title: String {
    var s = "matmul in \(configuration.storage)"
    switch configuration.scaling {
    case .none: break
    case .tensor: s += ", a scale a matrix"
    case .row: s += ", a scale a row and column"
    case .block(let n): s += ", a scale for \(n)"
    }
    s += ", summed in \(configuration.accumulator)"
    if configuration.storage != .float(configuration.result) { s += ", C in \(configuration.result.name)" }
    return s + ": \(source.size)\(source.phrase)"
  }

  private var facts: [Fact] {
    let (a, b) = (InputCount(source.inputs.a), InputCount(source.inputs.b))
    var list = [
      Fact("dtype", .text(configuration.storage.name), inRows: true),
      Fact("accumulate", .text("\(configuration.accumulator)"), inRows: true),
      Fact("scales", .text(configuration.scaling.name), inRows: true),
      Fact("resultDtype", .text(configuration.result.name), inRows: true),
    ]
    list += source.facts
    list += [
      Fact("input.nan", .integer(a.nan + b.nan)), Fact("input.inf", .integer(a.infinite + b.infinite)),
    ]
    return list
  }

  private var findings: [Finding] {
    var list: [Finding] = []
    for (name, operand) in [("A", source.inputs.a), ("B, columns first", source.inputs.b)] {
      list += InputCount(operand).findings.map { Finding($0.kind, name, $0.message, warns: $0.isWarning) }
    }
    for entry in result.entries {
      guard let candidate = entry.candidate as? MatmulCandidate, let gap = candidate.gap else { continue }
      list.append(Finding("no-bound", candidate.name, gap.rawValue, leads: false))
    }
    return list
  }
}

extension InputCount {
  /// Of one side of a product, vector by vector.
  fileprivate init(_ operand: MatmulOperand) {
    self.init()
    operand.values.withUnsafeBufferPointer { values in
      for row in 0..<operand.count {
        add(row: row, UnsafeBufferPointer(rebasing: values[row * operand.inner..<(row + 1) * operand.inner]))
      }
    }
  }
}
