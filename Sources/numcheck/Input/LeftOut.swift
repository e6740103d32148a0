import Reports
import TensorFiles

/// A tensor of a file that a report says nothing of, and why.
struct LeftOut: CustomStringConvertible {
  /// `FILE:TENSOR`.
  let tensor: String
  let reason: String
  /// Whether it is none of what the command is about, rather than something that went wrong.
  var isExpected = false

  /// What kept `tensor` out.
  init(_ tensor: String, _ error: any Error) {
    self.tensor = tensor
    var text: String
    switch error {
    case let error as BeyondSingle: text = error.reason
    case let error as TensorFileError: text = error.reason
    default: text = "\(error)"
    }
    // Those begin with the tensor's name.
    for prefix in ["\(tensor): ", TensorSpecifier(tensor).tensorName.map { "tensor '\($0)': " } ?? ""]
    where !prefix.isEmpty && text.hasPrefix(prefix) {
      text.removeFirst(prefix.count)
    }
    reason = text
  }

  /// What `reason` keeps out.
  init(_ tensor: String, _ reason: String) {
    self.tensor = tensor
    self.reason = reason
  }

  var description: String { "\(tensor): \(reason)" }
}

/// Reasons that many share.
enum Reasons {
  /// `108 a vector (blk.0.attn_norm.weight, …); 2 a table of positions (…)`.
  static func grouped(_ list: [(name: String, reason: String)]) -> String {
    var order: [String] = []
    var names: [String: [String]] = [:]
    for (name, reason) in list {
      if names[reason] == nil { order.append(reason) }
      names[reason, default: []].append(name)
    }
    return order.map { reason in
      let all = names[reason] ?? []
      return
        "\(Figures.count(all.count)) \(reason) (\(all.prefix(2).joined(separator: ", "))\(all.count > 2 ? ", …" : ""))"
    }.joined(separator: "; ")
  }
}

extension LeftOut {
  var finding: Finding { Finding("left-out", tensor, reason, leads: false, warns: !isExpected) }

  /// A finding each, or one for many of the same reason.
  static func findings(_ list: [LeftOut], most: Int = 4) -> [Finding] {
    var counts: [String: [LeftOut]] = [:]
    for one in list { counts[one.reason, default: []].append(one) }
    var told: Set<String> = []
    return list.compactMap { one in
      guard let group = counts[one.reason], group.count > most else { return one.finding }
      guard told.insert(one.reason).inserted else { return nil }
      let names = group.prefix(2).map(\.tensor).joined(separator: ", ")
      return Finding(
        "left-out", "\(Figures.count(group.count)) tensors", "\(one.reason) (\(names), …)", leads: false,
        warns: group.contains { !$0.isExpected })
    }
  }
}
