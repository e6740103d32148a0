import TensorFiles

/// Queries, keys and values that belong together.
struct AttentionTriple {
  /// What it is called: the queries' tensor, or all that was named.
  let name: String
  /// `FILE:TENSOR` of each.
  private let names: [String]

  /// What tensors of queries, keys and values are called apart from what they have in common.
  private static let words = [
    ["q", "k", "v"], ["query", "key", "value"], ["queries", "keys", "values"], ["Q", "K", "V"],
  ]

  /// The queries that `text` names with keys and values; of a file of many tensors each three whose names differ in these words
  /// alone.
  static func all(_ text: String, keys: String?, values: String?) throws -> [AttentionTriple] {
    if let keys, let values { return [AttentionTriple(name: text, names: [text, keys, values])] }
    let list = try TensorList(text)
    let file = TensorSpecifier(argument: text)
    func argument(_ tensor: String) -> String {
      ArgumentText.text(of: file.path.bytes.map { CChar(bitPattern: $0) }) + ":" + tensor
    }
    if let name = file.tensorName, list.isOne {
      let all = try siblings(name).first { try known($0, in: file) } ?? siblings(name).first
      guard let all else {
        throw UsageError("--through attention needs --keys and --values where the input is not named …q")
      }
      return [
        AttentionTriple(name: text, names: [text, keys ?? argument(all[1]), values ?? argument(all[2])])
      ]
    }
    if keys != nil || values != nil {
      throw UsageError("--keys and --values are for one tensor of queries: name it as FILE:TENSOR")
    }
    let tensors = Set(list.items.map { list.info($0).name })
    let all = list.items.compactMap { item in
      siblings(list.info(item).name).first { $0.allSatisfy(tensors.contains) }
    }
    if all.isEmpty {
      throw UsageError(
        "\(ArgumentText.shown(text)): --through attention needs queries, keys and values: three tensors whose names differ in "
          + "q, k and v alone, like layers.0.q, or --keys and --values beside FILE:TENSOR")
    }
    return all.map {
      let names = $0.map(argument)
      return AttentionTriple(name: ArgumentText.shown(names[0]), names: names)
    }
  }

  private static func known(_ names: [String], in file: TensorSpecifier) throws -> Bool {
    let tensors = Set(try TensorFile.open(file.path).tensors.map(\.name))
    return names.allSatisfy(tensors.contains)
  }

  /// What queries of that name and their keys and values may be called: the last word for queries in it replaced, one that ends in
  /// `q` as it stands.
  private static func siblings(_ name: String) -> [[String]] {
    var found: [[String]] = []
    for words in words {
      let parts = name.split(separator: words[0], omittingEmptySubsequences: false)
      for k in (1..<max(parts.count, 1)).reversed() {
        let (before, after) = (
          parts[..<k].joined(separator: words[0]), parts[k...].joined(separator: words[0])
        )
        let isWord =
          (before.last.map { !$0.isLetter } ?? true) && (after.first.map { !$0.isLetter } ?? true)
        if isWord || words[0] == "q" && after.isEmpty { found.append(words.map { before + $0 + after }) }
      }
    }
    return found
  }

  /// The three, opened.
  func views() throws -> [(view: TensorView, name: String)] {
    try names.map {
      let view = try TensorSpecifier(argument: $0).open()
      try view.open()
      return (view, ArgumentText.shown($0))
    }
  }
}
