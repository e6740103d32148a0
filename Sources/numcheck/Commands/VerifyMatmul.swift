import ArgumentParser
import Guests
import NumKit
import Reports
import TensorFiles

/// Judges a product of matrices.
struct VerifyMatmul: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "matmul", abstract: "Judge a product of matrices. C = A B.",
    discussion:
      "A and B are taken exactly as the files have them; --results is C, shaped [..., rows, columns].")

  @OptionGroup(title: "Results") var guest: GuestOptions
  @OptionGroup(title: "Input") var input: MatmulInputOptions
  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    try keepApart(outputs: report.files, inputs: [input.a, input.b] + guest.files)
    let source = try MatmulSource(input)
    func rounded(_ format: NumberFormat) -> (NumberFormat?, MatmulInputs) {
      let rounding = guest.rounding(isGenerated: input.a == nil, format)
      return (rounding, rounding.map { source.inputs.stored(as: .float($0), .none) } ?? source.inputs)
    }
    let called = try guest.call(
      rounded(guest.calledFormat).1, guest.inputFormat ?? guest.calledFormat, seed: input.seed)
    let file = try guest.file(shapes: [source.shape], called: called)
    let (rounding, inputs) = rounded(file.format)
    let columns = inputs.b.count
    let results = SerialFile<MatmulQuestion>([file], counts: [columns]) { item, _ in item.row }
    let storage =
      try rounding ?? [input.a, input.b].compactMap { $0 }.map(Self.format).max {
        $0.precision < $1.precision
      } ?? file.format
    var verification = MatmulVerification(inputs, storage: storage, format: file.format)
    verification.claims = try guest.claimed
    verification.threads = threads.count
    let progress = Progress(total: inputs.a.count)
    let found = try verification.run(file.name, results, progress: progress.callback)
    progress.finish()
    var made = VerifyReport(
      command: "verify matmul", candidate: file.name, formats: [file.format], policy: .ieee, parts: [""],
      found.findings, promised: found.promised, claims: verification.claims)
    made.title = "matmul in \(file.format.name): \(source.size)\(source.phrase)"
    made.facts =
      [Fact("dtype", .text(file.format.name), inRows: true)] + source.facts + [
        Fact("rows", .integer(inputs.a.count), inRows: true), Fact("length", .integer(columns), inRows: true),
        Fact("certificate", .certificate(found.findings.measurement.certificate)),
      ]
    made.places = [WrongPlaces(rows: inputs.a.count, rowShape: source.shape.dropLast(), length: columns)]
    try report.finish(
      made.report.adding(called), limits: Report.limits(of: called) + thresholds.limits)
  }

  /// What a tensor's elements are numbers of.
  private static func format(_ specifier: String) throws -> NumberFormat {
    try TensorSpecifier(argument: specifier).open().elementType.numberFormat ?? .f64
  }
}
