import Reports
import TensorFiles

/// A tensor of a file that a report says nothing of, and why.
struct LeftOut: CustomStringConvertible {
  /// `FILE:TENSOR`.
  let tensor: String
  let reason: String
  /// Whether it is none of what the command is about, rather than something that went wrong.
  var isExpected = false
  /// Where it is a file of a model that lies in several: what lacks with it.
  var lack: PartLack?

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

  /// Where only a part of a model is there, and whose file lacks: what a person must know before anything else.
  static func lacks(_ list: [LeftOut]) -> [Finding] {
    list.compactMap { one in one.lacking.map { Finding("incomplete", "", $0, warns: true) } }
  }

  /// `2 of 3 shards: m-2.safetensors is missing, 35 tensors are not looked at (cannot open: …)`; nil for other things.
  var lacking: String? {
    guard let lack else { return nil }
    let lost =
      lack.tensors.map { $0 == 1 ? "1 tensor is" : "\(Figures.count($0)) tensors are" } ?? "what it has is"
    return "\(Figures.count(lack.whole)) of \(Figures.count(lack.files)) shards: \(tensor) "
      + "\(lack.isMissing ? "is missing" : "is not whole"), \(lost) not looked at (\(reason))"
  }

  /// A finding each, or one for many of the same reason.
  static func findings(_ all: [LeftOut], most: Int = 4) -> [Finding] {
    let list = all.filter { $0.lack == nil }
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
