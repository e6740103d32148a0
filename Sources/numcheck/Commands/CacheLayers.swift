import NumKit
import NumKitNumbers
import Quant
import Reports
import TensorFiles

/// Runs `kvcache --all-layers`: what formats of a cache make of every layer's keys and values, a layer in memory at a time.
struct CacheLayers {
  let formats: [CacheFormat]
  let input: AttentionInputOptions
  let precision: PrecisionOptions
  let batch: Int
  let threads: Int

  /// What a format makes of a layer.
  private struct Entry {
    let layer: Int?
    let keys: String
    let values: String
    let format: Int
    let bits: Double
    let numbers: Int
    let keyErrors: ErrorSums
    let valueErrors: ErrorSums
    /// Of attention's outputs, where there are queries.
    let outputs: ErrorSums?

    var bytes: Int { Int((bits / 8).rounded(.up)) }
    var lost: Int { keyErrors.lostCount + valueErrors.lostCount }
    /// The worse of both: smaller is worse.
    var sqnr: Double { min(Self.rank(keyErrors), Self.rank(valueErrors)) }

    /// What of a layer is lost altogether has no SQNR, and nothing is worse.
    static func rank(_ sums: ErrorSums) -> Double { sums.sqnr.isNaN ? -.infinity : sums.sqnr }
  }

  func report(_ view: ViewOptions) throws -> Report {
    let (layers, leftOut) = try CacheDump(input).layers()
    let progress = Progress(total: layers.count, what: "layers")
    defer { progress.finish() }
    var entries: [Entry] = []
    var unread: [LeftOut] = []
    var shapes: [AttentionShape] = []
    for layer in layers {
      do {
        let (shape, found) = try measured(layer)
        shapes.append(shape)
        entries += found
      } catch  where layers.count > 1 && !(error is OutOfMemory) {
        unread.append(LeftOut(layer.shown(1), error))
      }
      progress.add(1)
    }
    progress.finish()
    guard let first = shapes.first else {
      throw UsageError(unread.first.map { "\($0)" } ?? "no layer could be measured")
    }
    let isSame = shapes.allSatisfy { $0 == first }
    var made = Report(
      "kvcache --all-layers",
      title: "key-value cache: \(Figures.count(shapes.count)) \(shapes.count == 1 ? "layer" : "layers")"
        + (isSame
          ? ", \(first.keyHeads) key \(first.keyHeads == 1 ? "head" : "heads") of \(first.headSize), \(Figures.count(first.keys)) tokens"
          : "") + ", batch \(batch)")
    made.facts = [
      Fact("layers", .integer(shapes.count)), Fact("batch", .integer(batch)),
      Fact("recent", .integer(formats.first?.recent ?? 0)),
    ]
    let summary = summary(entries)
    made.add(
      summary,
      [
        .points(
          "the worst layer's keys and values against size", of: summary, x: AttentionColumns.bitsPerNumber,
          y: AttentionColumns.keysSqnr)
      ])
    let worstFirst = entries.enumerated().sorted {
      ($0.element.sqnr, $0.offset) < ($1.element.sqnr, $1.offset)
    }.map(\.element)
    var table = table(worstFirst)
    table.title = "by layer, the worst first"
    try TableView(sort: view.sort, top: view.top, usual: nil, usualCount: formats.count == 1 ? nil : 24)
      .arrange(&table)
    if let note = TableView(sort: view.sort, top: view.top).hiddenNote(table) { table.title += "; \(note)" }
    made.add(table, [Self.curves(entries, formats)])
    made.findings = LeftOut.findings(leftOut + unread)
    return made
  }

  private func measured(_ layer: CacheDump.Layer) throws -> (AttentionShape, [Entry]) {
    let files = try [1, 2].map { try AttentionFile(layer.names[$0]) }
    let parts = try zip(["--k", "--v"], files).map { try $1.heads(input.layout, flag: $0) }
    guard parts[0].heads == parts[1].heads, parts[0].tokens == parts[1].tokens else {
      throw UsageError("\(layer.shown(1)): heads and tokens of keys and values differ")
    }
    let shape = AttentionShape(
      heads: parts[0].heads, keyHeads: parts[0].heads, queries: parts[0].tokens, keys: parts[0].tokens,
      headSize: parts[0].size, valueSize: parts[1].size)
    let outputs = try layer.names[0].isEmpty ? nil : attention(layer)
    let entries = try formats.enumerated().map { k, format in
      let errors = try parts.map { try self.errors(of: format, $0) }
      let bits = try [shape.headSize, shape.valueSize].reduce(0.0) {
        $0 + Double(try format.bits(tokens: shape.keys, width: $1)) * Double(shape.keyHeads)
      }
      return Entry(
        layer: layer.number, keys: layer.shown(1), values: layer.shown(2), format: k, bits: bits,
        numbers: shape.keyHeads * shape.keys * (shape.headSize + shape.valueSize), keyErrors: errors[0],
        valueErrors: errors[1], outputs: outputs?[k])
    }
    return (shape, entries)
  }

  /// The error of each head as the cache holds it.
  private func errors(
    of format: CacheFormat, _ part: (values: [Double], heads: Int, tokens: Int, size: Int)
  ) throws -> ErrorSums {
    final class Worker {
      var sums = ErrorSums()
    }
    let length = part.tokens * part.size
    return try ParallelRows(threads: threads, chunk: 1).reduce(
      count: part.heads, progress: nil, make: { Worker() },
      body: { worker, head in
        let given = part.values[head * length..<(head + 1) * length]
        let held = try format.decoded(given, tokens: part.tokens, width: part.size)
        let (x, y) = (given.map { Float($0) }, held.map { Float($0) })
        x.withUnsafeBufferPointer { x in y.withUnsafeBufferPointer { worker.sums.add(x, $0) } }
      }, merge: { $0.sums.merge($1.sums) }
    ).sums
  }

  /// What decoding from each format does to attention.
  private func attention(_ layer: CacheDump.Layer) throws -> [ErrorSums] {
    var one = input
    (one.files, one.givenQ, one.givenK, one.givenV) = ([], layer.names[0], layer.names[1], layer.names[2])
    let source = try AttentionInput(one)
    guard source.tensors.shape.queries == source.tensors.shape.keys else {
      throw UsageError(
        "decoding starts with the first token: as many queries as keys, not \(source.tensors.shape.queries)")
    }
    let runner = AttentionRunner(.flash, try precision.configuration())
    return try CacheExperiment(source.tensors, runner, threads: threads).run(formats)
  }

  /// A row a format: the size of all layers, and the layers that lose most.
  private func summary(_ entries: [Entry]) -> Table {
    typealias A = AttentionColumns
    let groups = formats.indices.map { k in entries.filter { $0.format == k } }
    func worst(_ k: Int, _ sums: KeyPath<Entry, ErrorSums>) -> Entry? {
      groups[k].min { Entry.rank($0[keyPath: sums]) < Entry.rank($1[keyPath: sums]) }
    }
    func name(_ entry: Entry?, _ tensor: KeyPath<Entry, String>) -> Cell {
      Cell(
        text: entry.map { $0.layer.map { "layer \($0)" } ?? $0[keyPath: tensor] } ?? "",
        value: .text(entry?[keyPath: tensor] ?? ""))
    }
    var table = Table(rows: formats.count)
    table.add(A.cache) { .text(formats[$0].name) }
    table.add(A.bitsPerNumber) { k in
      .number(groups[k].reduce(0) { $0 + $1.bits } / Double(max(1, groups[k].reduce(0) { $0 + $1.numbers })))
    }
    table.add(A.bytes) { k in .count(groups[k].reduce(0) { $0 + $1.bytes } * batch) }
    table.add(A.sizeOfF16) { k in
      .number(
        groups[k].reduce(0) { $0 + $1.bits } / Double(max(1, groups[k].reduce(0) { $0 + $1.numbers })) / 16)
    }
    table.add(A.keysSqnr) { k in
      worst(k, \.keyErrors).map { .error($0.keyErrors, $0.keyErrors.sqnr) } ?? .none("")
    }
    table.add(A.worstKeys) { name(worst($0, \.keyErrors), \.keys) }
    table.add(A.valuesSqnr) { k in
      worst(k, \.valueErrors).map { .error($0.valueErrors, $0.valueErrors.sqnr) } ?? .none("")
    }
    table.add(A.worstValues) { name(worst($0, \.valueErrors), \.values) }
    table.add(A.lostNumbers) { k in .count(groups[k].reduce(0) { $0 + $1.lost }) }
    if entries.contains(where: { $0.outputs != nil }) {
      table.add(A.rmse) { k in
        // A layer none of whose outputs is finite errs most.
        let errors = groups[k].compactMap { $0.outputs?.rmse }
        return .number(
          errors.contains(where: \.isNaN) ? .nan : errors.max() ?? .nan,
          unless: "of a layer no output is finite")
      }
    }
    return table
  }

  private func table(_ entries: [Entry]) -> Table {
    typealias A = AttentionColumns
    var table = Table("perLayer", rows: entries.count)
    table.add(A.keys) { .text(entries[$0].keys) }
    table.add(A.values) { .text(entries[$0].values) }
    table.add(A.layer) { i in entries[i].layer.map { .count($0) } ?? .none("the name has no layer's number") }
    table.add(A.cache) { .text(formats[entries[$0].format].name) }
    table.add(A.bitsPerNumber) { .number(entries[$0].bits / Double(max(1, entries[$0].numbers))) }
    table.add(A.bytes) { .count(entries[$0].bytes * batch) }
    table.add(A.keysSqnr) { .error(entries[$0].keyErrors, entries[$0].keyErrors.sqnr) }
    table.add(A.valuesSqnr) { .error(entries[$0].valueErrors, entries[$0].valueErrors.sqnr) }
    table.add(A.lostNumbers) { .count(entries[$0].lost) }
    if entries.contains(where: { $0.outputs != nil }) {
      table.add(A.rmse) { .number(entries[$0].outputs?.rmse ?? .nan, unless: "no output is finite") }
    }
    return table
  }

  private static func curves(_ entries: [Entry], _ formats: [CacheFormat]) -> Chart {
    .lines(
      "the worse of keys and values over the layers", value: Chart.Axis("SQNR", unit: "dB"),
      formats.enumerated().map { k, format in
        (
          format.name,
          entries.filter { $0.format == k }.map { (ModelPlace($0.keys), $0.sqnr, $0.keys) }
        )
      })
  }
}

/// The keys and values of every layer in files: told apart by a word in their names, or by the file.
struct CacheDump {
  /// `FILE:TENSOR` of queries (empty where there are none), keys, and values.
  struct Layer {
    let number: Int?
    let names: [String]

    func shown(_ k: Int) -> String { ArgumentText.shown(names[k]) }
  }

  private let input: AttentionInputOptions

  init(_ input: AttentionInputOptions) { self.input = input }

  private struct Member {
    let name: String
    let argument: String
  }

  /// The layers, in order, and the tensors that have no partner.
  func layers() throws -> (layers: [Layer], leftOut: [LeftOut]) {
    guard let keyText = input.k, let valueText = input.v else {
      throw UsageError("--all-layers needs --k and --v")
    }
    let words = [0: "q", 1: "k", 2: "v"]
    let texts = [input.q ?? "", keyText, valueText]
    let lists = try texts.map { try $0.isEmpty ? [] : members($0) }
    // In one file of all a name says what a tensor is.
    let own = (0..<3).map { k in
      let isShared = (0..<3).contains { $0 != k && !texts[$0].isEmpty && texts[$0] == texts[k] }
      return isShared ? lists[k].filter { Self.kind($0.name) == words[k] } : lists[k]
    }
    for (k, flag) in [(1, "--k"), (2, "--v")] where own[k].isEmpty {
      throw UsageError(
        "\(flag) \(ArgumentText.shown(texts[k])): holds no tensor that is one of a layer's "
          + (k == 1 ? "keys: no name has a 'k'" : "values: no name has a 'v'"))
    }
    var layers: [Layer] = []
    var leftOut: [LeftOut] = []
    var used = Set<String>()
    for (position, key) in own[1].enumerated() {
      guard let value = partner(key, own[2], position, own[1].count) else {
        leftOut.append(LeftOut(ArgumentText.shown(key.argument), "has no values that belong to these keys"))
        continue
      }
      used.insert(value.argument)
      var query = ""
      if !own[0].isEmpty {
        guard let found = partner(key, own[0], position, own[1].count) else {
          leftOut.append(
            LeftOut(ArgumentText.shown(key.argument), "has no queries that belong to these keys"))
          continue
        }
        query = found.argument
      }
      layers.append(Layer(number: ModelPlace(key.name).layer, names: [query, key.argument, value.argument]))
    }
    leftOut += own[2].filter { !used.contains($0.argument) }.map {
      LeftOut(ArgumentText.shown($0.argument), "has no keys that belong to these values")
    }
    if layers.isEmpty { throw UsageError(leftOut.first.map { "\($0)" } ?? "--all-layers: no layers") }
    return (layers, leftOut)
  }

  private func members(_ text: String) throws -> [Member] {
    let list = try TensorList(text)
    if list.items.isEmpty { throw list.nothing(list.leftOut) }
    return list.items.map {
      let tensor = list.info($0).name
      let file = list.file($0)
      return Member(name: tensor.isEmpty ? file : tensor, argument: list.argument($0))
    }
  }

  /// What belongs to keys: the same name, or one that differs in the word for it alone, or the same layer; of lists without names the
  /// same place.
  private func partner(_ key: Member, _ others: [Member], _ position: Int, _ count: Int) -> Member? {
    if let same = others.first(where: { $0.name == key.name }) { return same }
    let common = Self.stem(key.name)
    let alike = others.filter { Self.stem($0.name) == common }
    if alike.count == 1 { return alike[0] }
    let layer = ModelPlace(key.name).layer
    let beside = others.filter { ModelPlace($0.name).layer == layer }
    if layer != nil, beside.count == 1 { return beside[0] }
    return others.count == 1 && count == 1 ? others[position] : nil
  }

  /// `q`, `k` or `v`; nil for a name that says none.
  private static func kind(_ name: String) -> String? {
    parts(name).reversed().lazy.compactMap { words[$0] }.first
  }

  /// The name without the word.
  private static func stem(_ name: String) -> [String] {
    var parts = parts(name)
    if let k = parts.lastIndex(where: { words[$0] != nil }) { parts[k] = "" }
    return parts
  }

  private static func parts(_ name: String) -> [String] {
    name.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
  }

  private static let words = [
    "q": "q", "query": "q", "queries": "q", "k": "k", "key": "k", "keys": "k", "v": "v", "value": "v",
    "values": "v",
  ]
}
