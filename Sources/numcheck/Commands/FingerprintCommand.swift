import ArgumentParser
import Fingerprints
import Guests
import NumKit
import Reports
import SystemPackage
import TensorFiles

/// How a kernel computes, found by inputs alone.
struct FingerprintCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fingerprint",
    abstract:
      "How a kernel computes, found by crafted inputs alone: precision, order of summation, rounding, special values.",
    discussion: """
      Each trait is shown by a probe, or said to be not decidable; none is guessed. The kernel is one of ours (--algorithm), \
      a program (--exec) or a library (--plugin), and, with the Python package, a function. --claims holds a kernel to what \
      its authors say: exit status 1 where a claim is refuted, 2 where one cannot be decided. --output keeps the fingerprint, \
      --against compares it with one that was kept.
      """)

  @Argument(
    help: ArgumentHelp(
      "softmax, logsoftmax, lse, attention, matmul, rmsnorm or layernorm.", valueName: "operation"))
  var operation: FingerprintedOperation

  @OptionGroup(title: "Kernel") var kernel: FingerprintedKernel

  @Option(
    help: ArgumentHelp("Elements of a row, terms of a product, keys of an attention.", valueName: "N"),
    transform: Whole.number)
  var length: Int = 128

  @Option(
    help: ArgumentHelp(
      "What the kernel's authors say, like accumulate=f32,order=blocked:128,p=bf16; each confirmed, refuted or not decidable.",
      valueName: "NAME=VALUE,..."))
  var claims: String?

  @Option(help: ArgumentHelp("Keep the fingerprint in this file.", valueName: "FILE"), completion: .file())
  var output: String?

  @Option(help: ArgumentHelp("Compare it with one that was kept.", valueName: "FILE"), completion: .file())
  var against: String?

  @OptionGroup(title: "Report") var report: ReportOptions

  func validate() throws {
    guard (16...4096).contains(length) else { throw ValidationError("--length must be from 16 to 4096") }
  }

  func run() throws {
    try keepApart(outputs: [output] + report.files, inputs: [against])
    let asked: PlanClaims?
    do { asked = try claims.map { try PlanClaims(parsing: $0) } } catch {
      throw UsageError("--claims: \(error)")
    }
    let earlier = try against.map { try Self.kept($0) }
    let found: KernelFingerprint
    do { found = try kernel.fingerprint(operation, length: length) } catch let error as GuestFault {
      throw UsageError("\(kernel.flag): \(error)")
    } catch let error as FingerprintError { throw UsageError("\(error)") }
    let comparison: FingerprintComparison?
    do { comparison = try earlier.map { try FingerprintComparison($0, found) } } catch {
      throw UsageError("--against \(ArgumentText.shown(against ?? "")): \(error)")
    }
    let made = FingerprintReport(
      fingerprint: found, kernel: kernel.name, claims: asked, comparison: comparison,
      against: ArgumentText.shown(against ?? ""))
    let file = try output.map { try RawWriter($0, text: found.json) }
    try deliver(file.map { [$0] } ?? []) { try report.finish(made.report) }
  }

  private static func kept(_ path: String) throws -> KernelFingerprint {
    let shown = ArgumentText.shown(path)
    let bytes: [UInt8]
    do { bytes = try SmallFile.bytes(FilePath(argument: path), limit: 1 << 22) } catch {
      throw UsageError("--against \(error)")
    }
    do { return try KernelFingerprint(json: bytes, file: shown) } catch {
      throw UsageError("--against \(error)")
    }
  }
}

/// What can be fingerprinted.
enum FingerprintedOperation: String, ExpressibleByArgument, CaseIterable {
  case softmax, logsoftmax, lse, attention, matmul, rmsnorm, layernorm

  init?(argument: String) {
    switch argument {
    case "log-softmax": self = .logsoftmax
    case "dot": self = .matmul
    default: self.init(rawValue: argument)
    }
  }
}

/// The kernel that is asked.
struct FingerprintedKernel: ParsableArguments {
  @OptionGroup var callee: GuestKernelOptions

  @Option(
    help: ArgumentHelp(
      "Ask whoever started this command, by these open descriptors for calls and results (the Python package does).",
      valueName: "OUT,IN"))
  var channel: String?

  @Option(
    help: ArgumentHelp(
      "A kernel of ours: an algorithm of 'list kernels', an order of matmul, or standard, flash, naive, split-kv.",
      valueName: "name"))
  var algorithm: String?

  @Option(help: "Number format of inputs and results.")
  var dtype: DType = .float(.f32)

  @Option(help: "Of a kernel of ours: what operations round to (default: the dtype; f32 for attention).")
  var compute: DType?

  @Option(
    help: "Of a kernel of ours: what sums round to (default: as they compute; f32 for matmul and attention).")
  var accumulate: DType?

  @Option(
    help: ArgumentHelp(
      "Of an attention of ours: the format of P (default: as it computes).", valueName: "dtype"))
  var probabilities: DType?

  @Option(
    help: ArgumentHelp("Of an attention of ours: keys of a tile.", valueName: "N"), transform: Whole.number)
  var block: Int = 64

  @Option(help: "Added to the mean square or variance.")
  var epsilon: NumberArgument = NumberArgument(1e-5)

  @Option(
    help: ArgumentHelp(
      "Rows of A and columns of B that a call of matmul has at least, queries of a head of attention: others may run another code.",
      valueName: "N"), transform: Whole.number)
  var width: Int = 16

  @Option(
    help: ArgumentHelp("Head size of a called attention, a power of 4.", valueName: "D"),
    transform: Whole.number)
  var headSize: Int = 16

  /// The flag that named it.
  var flag: String {
    callee.isCalled ? callee.flag : channel != nil ? "--channel" : "--algorithm"
  }
  /// What reports call it.
  var name: String {
    if let algorithm { return algorithm }
    return (callee.exec ?? callee.plugin).map { ArgumentText.shown($0) } ?? "function"
  }

  func validate() throws {
    let given = [callee.exec, callee.plugin, channel, algorithm].compactMap { $0 }
    guard given.count == 1 else {
      throw ValidationError(
        given.isEmpty
          ? "which kernel? --exec LINE, --plugin FILE, or --algorithm NAME of ours"
          : "--exec, --plugin, --channel and --algorithm are kernels of their own: name one")
    }
    if algorithm == nil {
      for (flag, isGiven) in [
        ("--compute", compute != nil), ("--accumulate", accumulate != nil),
        ("--probabilities", probabilities != nil),
      ] where isGiven { throw ValidationError("\(flag) is for a kernel of ours: --algorithm") }
    }
    let formats: [(flag: String, dtype: DType?)] = [
      ("--dtype", dtype), ("--compute", compute), ("--accumulate", accumulate),
      ("--probabilities", probabilities),
    ]
    for (flag, dtype) in formats {
      if let dtype, dtype.numberFormat?.hasZero != true || dtype.numberFormat?.hasSign != true {
        throw ValidationError("\(flag) \(dtype): must be a floating-point format")
      }
    }
    guard (1...4096).contains(width) else { throw ValidationError("--width must be from 1 to 4096") }
    guard [1, 4, 16, 64, 256].contains(headSize) else {
      throw ValidationError("--head-size must be 1, 4, 16, 64 or 256")
    }
    guard (1...65536).contains(block) else { throw ValidationError("--block must be from 1 to 65536") }
    guard epsilon.value >= 0, epsilon.value < 1e-3 else {
      throw ValidationError("--epsilon must be from 0 to 0.001")
    }
  }

  func fingerprint(_ operation: FingerprintedOperation, length: Int) throws -> KernelFingerprint {
    if let algorithm { return try own(operation, algorithm, length) }
    let guest = try guest(operation)
    defer { guest.close() }
    let asker = GuestAsker(guest)
    let format = dtype.numberFormat ?? .f32
    switch operation {
    case .matmul:
      return try KernelFingerprint(
        GuestDotBox(asker, format: format, length: length, columns: width, rows: width))
    case .attention:
      return try KernelFingerprint(
        GuestAttention(asker, format: format, keys: length, headSize: headSize, queries: width))
    default:
      let kind = RowKind(rawValue: operation.rawValue) ?? .softmax
      return try KernelFingerprint(
        GuestRowBox(kind, asker, format: format, length: length, epsilon: epsilon.value))
    }
  }

  private func guest(_ operation: FingerprintedOperation) throws -> any GuestKernel {
    if let channel {
      let ends = channel.split(separator: ",").compactMap { Int32($0) }
      guard ends.count == 2 else {
        throw UsageError("--channel '\(channel)': must be two descriptors, like 5,6")
      }
      return try ChannelGuest(output: ends[0], input: ends[1], name: "function")
    }
    let arrays =
      [FingerprintedOperation.matmul: ["a", "b"], .attention: ["q", "k", "v"]][operation] ?? ["input"]
    let parameters = [
      "temperature", "epsilon", "scale", "causal", "top_left", "window_left", "window_right", "sinks",
      "softcap", "safe",
    ]
    return try callee.start(arrays: arrays, parameters: parameters)
  }

  private func own(_ operation: FingerprintedOperation, _ name: String, _ length: Int) throws
    -> KernelFingerprint
  {
    let format = dtype.numberFormat ?? .f32
    let none = UsageError(
      "--algorithm: no '\(name)' of \(operation.rawValue) that computes in these formats; see 'numcheck list kernels'"
    )
    switch operation {
    case .matmul:
      guard let order = MatmulOrder(name) else { throw none }
      let configuration: MatmulConfiguration
      do {
        configuration = try MatmulConfiguration(
          storage: dtype, accumulator: accumulate?.numberFormat.map { .float($0) }, result: format)
      } catch { throw UsageError("\(error)") }
      return try KernelFingerprint(OwnDotBox(order, configuration, length: length))
    case .attention:
      guard let algorithm = AttentionAlgorithm(rawValue: name) else { throw none }
      let runner = AttentionRunner(
        algorithm,
        KernelConfiguration(
          storage: dtype, compute: compute?.numberFormat ?? .f32,
          accumulator: accumulate?.numberFormat ?? .f32),
        probabilities: probabilities?.numberFormat, blockKeys: block)
      guard let box = OwnAttentionBox(runner, keys: length) else { throw none }
      return try KernelFingerprint(box)
    case .rmsnorm, .layernorm:
      let configuration = KernelConfiguration(
        storage: dtype, compute: compute?.numberFormat, accumulator: accumulate?.numberFormat)
      guard let norm = Normalization(rawValue: operation.rawValue),
        let algorithm = NormAlgorithm.all(for: norm).first(where: { $0.description == name }),
        let box = OwnNormBox(algorithm, configuration, length: length, epsilon: epsilon.value)
      else { throw none }
      return try KernelFingerprint(box)
    default:
      let configuration = KernelConfiguration(
        storage: dtype, compute: compute?.numberFormat, accumulator: accumulate?.numberFormat)
      guard let row = RowOperation(rawValue: operation.rawValue),
        let algorithm = Algorithm.all(for: row, dtype: dtype).first(where: { $0.description == name }),
        let box = OwnRowBox(algorithm, configuration, length: length)
      else { throw none }
      return try KernelFingerprint(box)
    }
  }
}
