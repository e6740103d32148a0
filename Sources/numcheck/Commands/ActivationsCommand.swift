import ArgumentParser
import Foundation
import NumKit
import NumKitNumbers
import Quant
import Reports
import TensorFiles

/// What stands out of tensors.
struct ActivationsCommand: Sharable {
  static let configuration = CommandConfiguration(
    commandName: "activations",
    abstract: "Find what is massive in tensors, what it costs, and what each format would lose.",
    discussion: """
      Every tensor of every file, or FILE:TENSOR for one, read as tokens x channels (of a weight rows x columns) in \
      bounded memory: f64 and integers as the nearest f32, ggml's blocks decoded. FILE may be a folder or a pattern, and so may \
      TENSOR. Tensors whose names differ in a number alone are the layers of one series.
      """)

  @Argument(
    help: ArgumentHelp(
      ".npy, .npz, .safetensors or .gguf files, or folders of them; the same as --input.",
      valueName: "FILE[:TENSOR]"), completion: .file())
  var named: [String] = []

  @Option(
    name: .customLong("input"),
    help: ArgumentHelp("A further input; repeatable.", valueName: "FILE[:TENSOR]"), completion: .file()
  )
  var givenInputs: [String] = []

  @OptionGroup(title: "Raw files") var raws: RawOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The axis of channels; negative counts from the last.", valueName: "k"),
    transform: Whole.number)
  var axis: Int = -1

  @Option(help: ArgumentHelp("Massive: |a| above this …", valueName: "x"))
  var massiveAbove: NumberArgument = NumberArgument(100)

  @Option(help: ArgumentHelp("… and at least this many times the median |a|.", valueName: "x"))
  var massiveRatio: NumberArgument = NumberArgument(1000)

  @Option(help: "Whose median that is: the tensor's, or each token's own.")
  var medianScope: ScanSettings.MedianScope = .tensor

  @Option(help: ArgumentHelp("An outlier channel has elements of at least this magnitude.", valueName: "x"))
  var outlierAbove: NumberArgument = NumberArgument(6)

  @Option(
    help: ArgumentHelp("How many of the largest magnitudes to list.", valueName: "k"), transform: Whole.number
  )
  var largest: Int = 8

  @OptionGroup(title: "View") var view: ViewOptions

  @Flag(help: "Write each tensor's results as they are made, as JSON Lines, in place of the report.")
  var stream = false

  @Flag(help: "Show all figures of each tensor, also where there are several.")
  var details = false

  @Option(
    help: ArgumentHelp("Draw histograms, channel maxima and the course over layers.", valueName: "FILE"),
    completion: .file())
  var svg: String?

  @Flag(
    name: [.customLong("no-massive"), .customLong("fail-on-massive")],
    help: "Check: fail if a tensor has a massive activation.")
  var noMassive = false

  @Flag(name: .customLong("no-nan"), help: "Check: fail if a tensor has a NaN or an infinity.")
  var noNaN = false

  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @OptionGroup(title: "Many machines") var shards: ShardOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  func validate() throws {
    for (flag, x) in [
      ("--massive-above", massiveAbove.value), ("--massive-ratio", massiveRatio.value),
      ("--outlier-above", outlierAbove.value),
    ] where !(x >= 0 && x.isFinite) {
      throw ValidationError("\(flag) must be finite and 0 or more")
    }
    guard (0...1000).contains(largest) else { throw ValidationError("--largest must be 0 to 1000") }
    if files.isEmpty { throw ValidationError("Missing expected argument '<FILE[:TENSOR]> ...'") }
  }

  /// So many files may be open at once.
  private static let mostOpen = 64

  private var files: [String] { named + givenInputs.filter { !named.contains($0) } }

  var unsharable: [String] { (stream ? ["--stream"] : []) + (svg == nil ? [] : ["--svg"]) }

  func run() throws {
    if svg == "-" { throw UsageError("--svg needs a file") }
    try keepApart(outputs: [svg] + report.files, inputs: files)
    var settings = ScanSettings()
    settings.massiveLimit = massiveAbove.value
    settings.massiveRatio = massiveRatio.value
    settings.medianScope = medianScope
    // The first Float that is not below it.
    let nearest = Float(outlierAbove.value)
    settings.outlierLimit = Double(nearest) < outlierAbove.value ? nearest.nextUp : nearest
    settings.placeCount = largest
    var found = ActivationsReport(settings: settings, showsAll: details, view: view)
    let layout = try raws.layout()
    // Of many files each is closed before the next is opened.
    let held = files.count <= Self.mostOpen ? try TensorList.all(files, raw: layout) : []
    func opened(_ k: Int) throws -> (list: TensorList, roles: ModelRoles) {
      let list = held.isEmpty ? try TensorList(files[k], raw: layout) : held[k]
      return (list, ModelRoles(list))
    }
    let lists = held.isEmpty ? files.indices : held.indices
    let counts = try lists.flatMap { k -> [Int] in
      let (list, roles) = try opened(k)
      return roles.items.map { list.info($0).count }
    }
    let line = SharedLine(Sharing.current == nil ? [] : counts)
    var number = -1
    let progress = Progress(total: max(1, counts.reduce(0, +)), what: "numbers")
    defer { progress.finish() }
    for k in lists {
      let (list, roles) = try opened(k)
      found.leftOut += list.leftOut + roles.leftOut
      for item in roles.items {
        number += 1
        let tensor: FileTensor
        do {
          tensor = try FileTensor(list.view(item), name: list.name(item), axis: axis)
          try tensor.open()
        } catch {
          if list.isOne { throw error }
          found.leftOut.append(LeftOut(list.name(item), error))
          continue
        }
        do {
          let isWeight = list.isGGUF(item) || TensorRole.isWeight(tensor.tensorName)
          let one = try line.share(
            number,
            blank: {
              ProfiledTensor(
                profile: TensorProfile(rows: tensor.rows, columns: tensor.columns, settings: settings))
            }
          ) {
            let profile = try profile(tensor, settings, progress)
            return ProfiledTensor(
              profile: profile,
              costs: isWeight ? [] : try OutlierCost.costs(of: tensor, profile, threads: threads.count),
              scales: isWeight ? try scales(list.view(item), profile, name: list.name(item)) : [])
          }
          // Without its file: those of many would be too many to keep open.
          found.add(tensor.described, one, file: list.file(item), isWeight: isWeight)
          if stream { try emit(JSONEmitter.lines(of: found.lastTable)) }
        } catch let error as ScanError {
          throw UsageError("\(list.name(item)): \(error)")
        } catch let error as BeyondSingle where !list.isOne {
          found.leftOut.append(LeftOut(list.name(item), error))
        }
      }
      if found.entries.isEmpty && files.count == 1 { throw list.nothing(found.leftOut) }
    }
    progress.finish()
    try SharedRun.end()
    if found.entries.isEmpty {
      throw UsageError(found.leftOut.first.map { "\($0)" } ?? "no file holds a tensor")
    }
    found.finish()
    let drawing = try svg.map { try [RawWriter($0, text: ActivationsDrawing(found).svg)] } ?? []
    try deliver(drawing) { try report.finish(try found.report(), limits: limits, shows: !stream) }
  }

  /// What scales of several kinds make of a weight whose range is wide: told where one scale for all would cost.
  private func scales(_ view: TensorView, _ profile: TensorProfile, name: String) throws -> [SampledCost] {
    guard axis == -1, profile.columns >= TensorRole.leastColumns, profile.rows > 1,
      profile.peakToMedian >= ActivationsReport.wideRange
    else { return [] }
    let schemes = try ActivationsReport.scaleSchemes.map { try SchemeRegistry.scheme(named: $0) }
    return try SampledCosts(
      FileMatrix(view, name: name), schemes: schemes, profile: profile, threads: threads.count
    ).costs
  }

  private var limits: [Limit] {
    typealias A = ActivationColumns
    var list: [Limit] = []
    if noMassive { list.append(Limit(A.massive.path, .equal, "0", flag: "--no-massive")) }
    if noNaN {
      list += [A.nan, A.infinite].map { Limit($0.path, .equal, "0", flag: "--no-nan") }
    }
    return list
  }

  private func profile(_ tensor: FileTensor, _ settings: ScanSettings, _ progress: Progress) throws
    -> TensorProfile
  {
    let piece = TensorProfile.pieceLength
    return try TensorProfile(
      tensor, settings: settings, threads: threads.count,
      progress: { [count = tensor.count] done in
        // The last piece may be shorter.
        progress.add(min(piece, count - (done - 1) * piece))
      })
  }
}

extension ScanSettings.MedianScope: ExpressibleByArgument {}
