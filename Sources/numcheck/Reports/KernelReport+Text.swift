import NumKit

extension KernelReport {
  /// For people at a terminal.
  func text(colour: Bool) -> String {
    let order = readingOrder
    let body = table.text { row, column, cell in
      guard colour, column == 1 else { return cell }
      switch result.entries[order[row]].verdict {
      case .ok: return "\u{1b}[32m\(cell)\u{1b}[0m"
      case .bug: return "\u{1b}[31m\(cell)\u{1b}[0m"
      case .vacuous, .illConditioned: return "\u{1b}[33m\(cell)\u{1b}[0m"
      }
    }
    var out = heading + "\n" + proof + "\n\n" + body + "\n"
    for line in witnessLines { out += line + "\n" }
    out += "\n" + conclusion + ".\n"
    let failed = checks.filter { !$0.passed }
    if !checks.isEmpty {
      out +=
        failed.isEmpty
        ? "\nchecks: all \(checks.count) passed\n" : "\nchecks: \(failed.count) of \(checks.count) FAILED\n"
      for check in failed { out += "  \(check.message)\n" }
    }
    return out
  }

  /// For a page.
  var markdown: String {
    var out = "### \(heading)\n\n\(proof)\n\n" + table.markdown + "\n"
    for line in witnessLines { out += line.hasPrefix("  ") ? "- \(line.dropFirst(2))\n" : "\(line)\n\n" }
    out += "\n**\(conclusion).**\n"
    for check in checks {
      out +=
        "\n- \(check.passed ? "passed" : "FAILED"): \(check.passed ? "\(check.algorithm) --\(check.flag)" : check.message)"
    }
    return checks.isEmpty ? out : out + "\n"
  }
}
