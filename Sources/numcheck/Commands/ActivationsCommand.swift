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
      Every tensor of every file, or FILE:TENSOR for one, read as tokens x channels in bounded memory: f64 and \
      integers as the nearest f32, ggml's blocks decoded. Tensors whose names differ in a number alone are the \
      layers of one series.
      """)

  @Argument(help: ArgumentHelp(".npy, .npz, .safetensors or .gguf files.", valueName: "FILE[:TENSOR]"))
  var files: [String]

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
  var top: Int = 8

  @Flag(help: "Show all figures of each tensor, also where there are several.")
  var details = false

  @Option(
    help: ArgumentHelp("Draw histograms, channel maxima and the course over layers.", valueName: "FILE"))
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
    guard (0...1000).contains(top) else { throw ValidationError("--top must be 0 to 1000") }
  }

  var unsharable: [String] { [] }

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
    settings.placeCount = top
    var found = ActivationsReport(settings: settings, showsAll: details)
    let line = try sharedLine()
    var number = -1
    for text in files {
      let list = try TensorList(text)
      found.leftOut += list.leftOut
      let file = TensorSpecifier(argument: text).path.label
      for item in list.items {
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
          let one = try line.share(
            number,
            blank: {
              ProfiledTensor(
                profile: TensorProfile(rows: tensor.rows, columns: tensor.columns, settings: settings))
            }
          ) {
            let profile = try profile(tensor, settings)
            return ProfiledTensor(
              profile: profile, costs: try OutlierCost.costs(of: tensor, profile, threads: threads.count))
          }
          // Without its file: those of many would be too many to keep open.
          found.add(tensor.described, one.profile, costs: one.costs, file: file)
        } catch let error as ScanError {
          throw UsageError("\(list.name(item)): \(error)")
        } catch let error as BeyondSingle where !list.isOne {
          found.leftOut.append(LeftOut(list.name(item), error))
        }
      }
      if found.entries.isEmpty && files.count == 1 { throw list.nothing(found.leftOut) }
    }
    try SharedRun.end()
    if found.entries.isEmpty {
      throw UsageError(found.leftOut.first.map { "\($0)" } ?? "no file holds a tensor")
    }
    found.finish()
    let drawing = try svg.map { try [RawWriter($0, text: ActivationsDrawing(found).svg)] } ?? []
    try deliver(drawing) { try report.finish(found.report, limits: limits) }
  }

  /// All tensors, where others do a part of them. Each file is closed before the next is opened: there may be many.
  private func sharedLine() throws -> SharedLine {
    guard Sharing.current != nil else { return SharedLine([]) }
    return SharedLine(
      try files.flatMap { text in
        let list = try TensorList(text)
        return list.items.map { list.view($0).count }
      })
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

  private func profile(_ tensor: FileTensor, _ settings: ScanSettings) throws -> TensorProfile {
    let piece = TensorProfile.pieceLength
    let progress = Progress(total: (tensor.count + piece - 1) / piece, what: "pieces")
    defer { progress.finish() }
    return try TensorProfile(
      tensor, settings: settings, threads: threads.count, progress: progress.callback)
  }
}

extension ScanSettings.MedianScope: ExpressibleByArgument {}
