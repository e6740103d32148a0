import NumKit

extension KernelReport {
  /// For people at a terminal.
  func text(colour: Bool) -> String {
    let order = readingOrder
    let body = table.text { row, column, cell in
      guard colour, column == 1 else { return cell }
      return result.entries[order[row]].verdict.coloured(cell)
    }
    var out = heading + "\n" + preface.joined(separator: "\n") + "\n\n" + body + "\n"
    for line in witnessLines { out += line + "\n" }
    out += (witnessLines.isEmpty ? "" : "\n") + conclusion + ".\n"
    return out + checkLines
  }

  /// For a page.
  var markdown: String {
    var out = "### \(heading)\n\n\(preface.joined(separator: "\n\n"))\n\n" + table.markdown + "\n"
    for line in witnessLines { out += line.hasPrefix("  ") ? "- \(line.dropFirst(2))\n" : "\(line)\n\n" }
    out += "\n**\(conclusion).**\n"
    for check in checks {
      out +=
        "\n- \(check.passed ? "passed" : "FAILED"): \(check.passed ? "\(check.algorithm) --\(check.flag)" : check.message)"
    }
    return checks.isEmpty ? out : out + "\n"
  }
}
