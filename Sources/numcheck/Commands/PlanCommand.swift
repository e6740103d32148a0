import ArgumentParser
import Foundation
import Guests
import NumKit
import NumKitNumbers
import Quant
import Reports
import SystemPackage
import TensorFiles

/// Which scheme each matrix of a model should have.
struct PlanCommand: Sharable {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Choose a scheme for each matrix of a model, within a budget, at the least cost.",
    discussion: """
      Matrices are planned; vectors, tables of positions and routers stay as they are. A matrix costs its \
      squared error relative to itself, or to its products with --activations or an importance matrix; what stands outside \
      layers (embeddings, the head) counts as often as there are layers, unless --sensitivity says otherwise. The sum is the \
      least that the budget allows: proven, or within a gap that is said.
      """)

  @Argument(
    help: ArgumentHelp("Files, patterns or a folder of .safetensors, .gguf, .npz.", valueName: "MODEL"))
  var model: [String]

  @Option(help: ArgumentHelp("The most bits an element of the matrices, scales and all.", valueName: "bits"))
  var maxBits: NumberArgument?

  @Option(
    help: ArgumentHelp("The most bytes in all, kept tensors included: 600MB, 4.2GiB.", valueName: "size"))
  var maxBytes: String?

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp(
      "Whose schemes to choose from: \(PlanTargets.all.map { $0.name }.joined(separator: ", ")) (default: that of the recipe; llama.cpp).",
      valueName: "program"))
  var target: String?

  @Option(help: ArgumentHelp("Scheme to choose from, repeatable; '*' and '?' match.", valueName: "name"))
  var scheme: [String] = []

  @Option(help: ArgumentHelp("Keep matrices of such names as they are; repeatable.", valueName: "pattern"))
  var keep: [String] = []

  @Option(
    help: ArgumentHelp(
      "What a matrix's error counts beside others': 'blk.0.*=4'; repeatable, the last that fits counts.",
      valueName: "pattern=x"))
  var sensitivity: [String] = []

  @Option(
    help: ArgumentHelp(
      "Activations, tokens x inputs, called as the weights that they meet (or that and .input); see --map.",
      valueName: "FILE"), completion: .file())
  var activations: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "What the activations of weights are called: 'blk.*.attn_k.weight=hidden.*'; repeatable.",
      valueName: "W=A"))
  var map: [String] = []

  @Option(
    help: ArgumentHelp(
      "The most tokens that are used of activations, evenly taken (default: 64).", valueName: "N"),
    transform: Whole.number)
  var tokens: Int = 64

  @Option(
    help: ArgumentHelp("An importance matrix as llama-imatrix writes it (GGUF).", valueName: "FILE"),
    completion: .file())
  var imatrix: String?

  @Option(
    help: ArgumentHelp(
      "Measure about so many elements of each matrix, whole rows evenly taken beside those of the largest numbers, or 'all'.",
      valueName: "N"),
    transform: SampleSize.read)
  var sample = SampleSize(elements: SampledCosts.usualSample)

  @Option(
    help: ArgumentHelp("Write the plan for a program; repeatable.", valueName: "program=FILE"))
  var recipe: [String] = []

  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @OptionGroup(title: "View") var view: ViewOptions

  @OptionGroup(title: "Many machines") var shards: ShardOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  var unsharable: [String] { [] }

  func validate() throws {
    guard (maxBits == nil) != (maxBytes == nil) else {
      throw ValidationError("a budget is needed: either --max-bits or --max-bytes")
    }
    if let bits = maxBits?.value, !(bits > 0 && bits.isFinite) {
      throw ValidationError("--max-bits must be positive and finite")
    }
    if let maxBytes, ByteSize.read(maxBytes) == nil {
      throw ValidationError("--max-bytes '\(maxBytes)': must be a size like 600MB or 4.2GiB")
    }
    if !map.isEmpty && activations == nil { throw ValidationError("--map is for --activations") }
    for text in map where NameRule(text) == nil {
      throw ValidationError("--map '\(text)': must be W=A, with at most one '*' on each side")
    }
    guard (1...4096).contains(tokens) else { throw ValidationError("--tokens must be 1 to 4096") }
    _ = try rules
    if let target, PlanTargets.named(target) == nil { throw ValidationError(Self.unknown(target)) }
    for text in recipe { _ = try Self.recipe(text) }
  }

  private static func unknown(_ name: String) -> String {
    "no program '\(name)'; there are: \(PlanTargets.all.map { $0.name }.joined(separator: ", "))"
  }

  private static func recipe(_ text: String) throws -> (target: any PlanTarget.Type, file: String) {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, !parts[1].isEmpty, parts[1] != "-" else {
      throw ValidationError("--recipe '\(text)': must be PROGRAM=FILE")
    }
    guard let target = PlanTargets.named(parts[0]) else { throw ValidationError(unknown(parts[0])) }
    return (target, parts[1])
  }

  private var rules: [(pattern: String, factor: Double)] {
    get throws {
      try sensitivity.map { text in
        guard let equals = text.lastIndex(of: "="), equals > text.startIndex,
          let factor = Double(text[text.index(after: equals)...]), factor.isFinite, factor >= 0
        else { throw ValidationError("--sensitivity '\(text)': must be PATTERN=X, X finite and 0 or more") }
        return (String(text[..<equals]), factor)
      }
    }
  }

  func run() throws {
    let recipes = try recipe.map { try Self.recipe($0) }
    try keepApart(
      outputs: recipes.map(\.file) + report.files,
      inputs: model.flatMap { text in
        ((try? ModelFiles.of(TensorSpecifier(argument: text).path)) ?? []).map(\.label)
      } + [activations, imatrix])
    let target: any PlanTarget.Type =
      target.flatMap { PlanTargets.named($0) } ?? recipes.first?.target ?? LlamaCppTarget.self
    var names: [any Scheme] = []
    for pattern in scheme.isEmpty ? target.schemes : scheme {
      for found in try SchemeRegistry.schemes(matching: pattern)
      where !names.contains(where: { $0.name == found.name }) {
        names.append(found)
      }
    }
    let lists = try TensorList.all(model)
    var leftOut = lists.flatMap(\.leftOut)
    if !recipes.isEmpty, let lacking = leftOut.lazy.compactMap(\.lacking).first {
      throw UsageError("a recipe would be for a part of the model: \(lacking)")
    }
    let sorted = sort(lists, target)
    leftOut += sorted.leftOut
    try requireMatches(lists, sorted)
    let witnesses = try PlanWitnesses(activations: activations, map: map, importance: imatrix, tokens: tokens)
    try witnesses.require(sorted.matrices.map(\.name))
    let targets = [target] + recipes.map(\.target)
    var measured = try measure(sorted.matrices, schemes: names, for: targets, witnesses)
    try SharedRun.end()
    leftOut += measured.leftOut
    for k in measured.tensors.indices {
      measured.tensors[k].canStay = target.stores(measured.tensors[k].type)
      let tensor = measured.tensors[k]
      if tensor.isStranded {
        throw UsageError(
          "\(tensor.name): no scheme fits, and \(target.name) has no \(tensor.type) to leave it as; plan the model before it was "
            + "quantized, or add a --scheme")
      }
    }
    guard !measured.tensors.isEmpty else {
      throw UsageError(
        leftOut.first.map { "\($0)" } ?? "\(ArgumentText.shown(model[0])): holds no matrix to plan, only "
          + Reasons.grouped(sorted.kept.map { ($0.name, $0.reason) }))
    }
    let elements = measured.tensors.reduce(0) { $0 + $1.count }
    let keptBytes = sorted.kept.reduce(0) { $0 + $1.bytes }
    let budget = try self.budget(elements, kept: keptBytes)
    let plan: QuantizationPlan
    do {
      plan = try QuantizationPlan(
        measured.tensors, kept: sorted.kept, budget: budget, sensitivity: PlanSensitivity(rules: try rules))
    } catch let error as AllocationError {
      let bits = Double(8 * (error.least - keptBytes)) / Double(max(1, elements))
      throw UsageError(
        "the smallest schemes take \(Figures.short(bits)) bits an element, with what is kept \(Figures.count(error.least)) bytes: "
          + "more than the budget of \(Figures.count(error.budget))")
    }
    var files: [any UnfinishedFile] = []
    var nameless: [(program: String, tensors: [String])] = []
    do {
      let names = ModelNames(
        plan.entries.map(\.name), architecture: lists.lazy.compactMap(\.architecture).first)
      for recipe in recipes {
        let made = try recipe.target.recipe(plan, names)
        files.append(try RawWriter(recipe.file, text: made.text))
        if !made.nameless.isEmpty { nameless.append((recipe.target.name, made.nameless)) }
      }
    } catch let error as RecipeError {
      for file in files { file.discard() }
      throw UsageError("\(error)")
    }
    let made = PlanReport(
      model: model.map(ArgumentText.shown).joined(separator: ", "), plan: plan, target: target,
      leftOut: leftOut,
      nonFinite: measured.tensors.filter { $0.costs.nonFinite > 0 }.map { ($0.name, $0.costs.nonFinite) },
      recipes: recipes.map { ($0.target.name, $0.file) }, nameless: nameless, tokens: tokens,
      view: TableView(sort: view.sort, top: view.top, usual: PlanColumns.share, usualCount: 20))
    try deliver(files) { try report.finish(try made.report()) }
  }

  private func budget(_ elements: Int, kept: Int) throws -> Int {
    if let maxBytes { return ByteSize.read(maxBytes) ?? 0 }
    let bytes = (maxBits?.value ?? 0) * Double(elements) / 8
    guard bytes < 9e18 else {
      throw UsageError("--max-bits \(Figures.number(maxBits?.value ?? 0)): more than 2^63 bytes")
    }
    return Int(bytes) + kept
  }

  private struct Matrix {
    let list: TensorList
    let item: Int
    let name: String
  }

  private static let askedFor = "asked for with --keep"

  /// Throws where a pattern speaks of nothing: it is misspelled, and what it asks for would not be done.
  private func requireMatches(
    _ lists: [TensorList], _ sorted: (matrices: [Matrix], kept: [PlanKept], leftOut: [LeftOut])
  )
    throws
  {
    func require(_ flag: String, _ text: String, _ names: [String], _ what: String, _ fits: (String) -> Bool)
      throws
    {
      if names.contains(where: fits) { return }
      throw UsageError("\(flag) '\(text)': no \(what) is called so\(NearNames.question(text, names))")
    }
    let all = lists.flatMap { list in list.items.map { list.info($0).name } }
    for pattern in keep { try require("--keep", pattern, all, "tensor") { Names.matches(pattern, $0) } }
    let matrices =
      sorted.matrices.map(\.name) + sorted.kept.filter { $0.reason == Self.askedFor }.map(\.name)
    for rule in try rules {
      try require("--sensitivity", rule.pattern, matrices, "matrix") { Names.matches(rule.pattern, $0) }
    }
    for text in map {
      let rule = NameRule(text)
      try require("--map", String(text.prefix { $0 != "=" }), matrices, "matrix") { rule?.apply($0) != nil }
    }
  }

  /// What is planned, what is kept, and what cannot be read.
  private func sort(_ lists: [TensorList], _ target: any PlanTarget.Type) -> (
    matrices: [Matrix], kept: [PlanKept], leftOut: [LeftOut]
  ) {
    var (matrices, kept, leftOut): ([Matrix], [PlanKept], [LeftOut]) = ([], [], [])
    for list in lists {
      for item in list.items {
        let info = list.info(item)
        func keep(_ reason: String) {
          kept.append(
            PlanKept(name: info.name, count: info.count, bytes: Self.bytes(info, target), reason: reason))
        }
        let isDecoded: Bool
        switch info.elementType {
        case .block: isDecoded = SchemeDecoder(info.elementType) != nil
        case .packed: isDecoded = true
        default: isDecoded = info.elementType.numberFormat != nil
        }
        if info.count == 0 { keep("empty"); continue }
        if keep_(info.name) { keep(Self.askedFor); continue }
        if case .opaque = info.elementType {
          leftOut.append(LeftOut(list.name(item), "its \(info.elementType) elements are not plain numbers"))
          continue
        }
        if info.elementType.isNumeric && !isDecoded {
          keep("\(info.elementType) elements: no weights"); continue
        }
        if !isDecoded {
          keep("\(info.elementType) blocks, which are not decoded here"); continue
        }
        switch TensorRole(name: info.name, shape: info.shape) {
        case .kept(let reason): keep(reason)
        case .matrix where target.keepsEmbeddings && TensorRole.isEmbedding(info.name):
          keep("an embedding: \(target.name) quantizes linear layers")
        case .matrix: matrices.append(Matrix(list: list, item: item, name: info.name))
        }
      }
    }
    return (matrices, kept, leftOut)
  }

  /// What a tensor takes that stays: where the program has not its type, the 16 bits of the model that it was made of.
  private static func bytes(_ info: TensorInfo, _ target: any PlanTarget.Type) -> Int {
    switch info.elementType {
    case .block, .packed: target.stores(info.elementType.name) ? info.byteCount : 2 * info.count
    default: info.byteCount
    }
  }

  private func keep_(_ name: String) -> Bool { keep.contains { Names.matches($0, name) } }

  /// What schemes cost each matrix, several at once, or some of them where several processes share the work.
  private func measure(
    _ matrices: [Matrix], schemes: [any Scheme], for targets: [any PlanTarget.Type],
    _ witnesses: PlanWitnesses
  ) throws -> (tensors: [PlanTensor], leftOut: [LeftOut]) {
    final class Worker {
      var found = MeasuredMatrices()
    }
    let progress = Progress(total: max(1, matrices.count), what: "matrices")
    defer { progress.finish() }
    let found = try Sharing.share(
      "matrices", units: matrices.count, make: { MeasuredMatrices() },
      work: { range in
        try ParallelRows(threads: threads.count, chunk: 1).reduce(
          count: range.count, progress: progress.callback, make: { Worker() },
          body: { worker, k in
            let index = range.lowerBound + k
            let matrix = matrices[index]
            do {
              worker.found.tensors.append((index, try measure(matrix, schemes, targets, witnesses)))
            } catch let error as BeyondSingle {
              worker.found.leftOut.append((index, LeftOut(matrix.list.name(matrix.item), error)))
            }
          }, merge: { $0.found.merge($1.found) }
        ).found
      }, merge: { $0.merge($1) })
    return (
      found.tensors.sorted { $0.index < $1.index }.map(\.tensor),
      found.leftOut.sorted { $0.index < $1.index }.map(\.tensor)
    )
  }

  private func measure(
    _ matrix: Matrix, _ schemes: [any Scheme], _ targets: [any PlanTarget.Type], _ witnesses: PlanWitnesses
  ) throws -> PlanTensor {
    let name = matrix.list.name(matrix.item)
    let view = matrix.list.view(matrix.item)
    try view.open()
    let source = try FileMatrix(view, name: name)
    try Memory.require(
      Memory.product(source.columns, 64), for: "\(name): a row of \(source.columns) elements")
    do {
      let fitting = schemes.filter { scheme in
        targets.allSatisfy { $0.takes(scheme, columns: source.columns) }
      }
      let costs = try SampledCosts(
        source, schemes: fitting, judge: try witnesses.judge(matrix.name), sample: sample.elements)
      return PlanTensor(
        name: matrix.name, type: view.elementType.name, storedBytes: view.info.byteCount, costs: costs)
    } catch let error as CureError {
      throw UsageError("\(name): \(error)")
    }
  }
}

/// A tensor of a file as bands of rows along its last axis.
struct FileMatrix: BandSource {
  let rows: Int
  let columns: Int
  private let name: String
  private let source: TensorSource

  init(_ view: TensorView, name: String) throws {
    source = try view.source()
    (rows, columns) = (source.count, source.length)
    self.name = name
  }

  func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    try source.copyNarrowed(
      elements: range.lowerBound * columns..<range.upperBound * columns, into: buffer, of: name)
  }
}
