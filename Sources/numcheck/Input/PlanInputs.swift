import Foundation
import Guests
import NumKit
import Quant
import TensorFiles

/// What the weights of a model are multiplied with, as far as files tell.
struct PlanWitnesses {
  private let activations: TensorFile?
  private let map: [NameRule]
  private let importance: TensorFile?
  /// At most so many tokens, evenly taken.
  private let tokens: Int

  init(activations: String?, map: [String], importance: String?, tokens: Int) throws {
    self.activations = try activations.map { try TensorFile.open(.init(argument: $0)) }
    self.map = map.compactMap { NameRule($0) }
    self.importance = try importance.map { try TensorFile.open(.init(argument: $0)) }
    self.tokens = tokens
    if let file = self.importance, !file.tensors.contains(where: { $0.name.hasSuffix(".in_sum2") }) {
      throw UsageError(
        "--imatrix \(file.path): has no tensor called NAME.in_sum2; it is no importance matrix in GGUF")
    }
  }

  /// Throws where a file has nothing for any of these weights.
  func require(_ names: [String]) throws {
    if let activations, !names.isEmpty, !names.contains(where: { activation($0) != nil }) {
      let shown = activations.tensors.prefix(3).map { "'\($0.name)'" }.joined(separator: ", ")
      throw UsageError(
        "--activations \(activations.path): none of its tensors (\(shown)\(activations.tensors.count > 3 ? ", …" : "")) is called as a "
          + "matrix of the model, '\(names[0])', or that and .input; --map '\(names[0])=NAME' says which belongs to it"
      )
    }
    if let importance, !names.isEmpty, !names.contains(where: { importanceName($0) != nil }) {
      throw UsageError(
        "--imatrix \(importance.path): has no importances of any matrix of the model, such as '\(names[0])'")
    }
  }

  /// What the activations of a weight are called: as a rule says, else as itself, where there are such.
  private func activation(_ name: String) -> String? {
    guard let activations else { return nil }
    if let rule = map.lazy.compactMap({ $0.apply(name) }).first { return rule }
    let module = name.hasSuffix(".weight") ? String(name.dropLast(".weight".count)) : name
    return ["\(module).input", module, name].first { candidate in
      activations.tensors.contains { $0.name == candidate }
    }
  }

  /// The name by which an importance matrix speaks of a weight.
  private func importanceName(_ name: String) -> String? {
    guard let importance else { return nil }
    return [name, ModelNames.gguf(name)].lazy.compactMap { $0 }.first { candidate in
      importance.tensors.contains { $0.name == candidate + ".in_sum2" }
    }
  }

  /// By what a weight is judged: its activations, else its importance, else itself.
  func judge(_ name: String) throws -> CostJudge {
    if let activations, let found = activation(name) {
      return .activations(try matrix(activations.tensor(named: found)))
    }
    if let importance, let found = importanceName(name) { return .importance(try column(importance, found)) }
    return .weights
  }

  /// Tokens × channels, numbers that are not finite as 0.
  private func matrix(_ view: TensorView) throws -> TensorMatrix {
    let source = try view.source()
    try Memory.require(
      Memory.product(min(tokens, source.count), source.length, 4), for: "\(view.name): its tokens")
    let sample = RowSample(rows: source.count, columns: 1, elements: max(tokens, 1))
    var values = [Float](repeating: 0, count: sample.count * source.length)
    try values.withUnsafeMutableBufferPointer { all in
      var filled = 0
      for run in sample.runs {
        try source.copyFloats(
          run, into: .init(rebasing: all[filled * source.length..<(filled + run.count) * source.length]))
        filled += run.count
      }
      for k in all.indices where !all[k].isFinite { all[k] = 0 }
    }
    return TensorMatrix(rows: sample.count, columns: source.length, values: values)
  }

  /// The mean square of each input: sums over counts, of several experts together.
  private func column(_ file: TensorFile, _ name: String) throws -> [Float] {
    let sums = try file.tensor(named: name + ".in_sum2")
    let length = sums.shape.last ?? 0
    var mean = [Double](repeating: 0, count: length)
    try sums.withDoubles { values in
      for (k, value) in values.enumerated() where value.isFinite && value > 0 {
        mean[k % max(1, length)] += value
      }
    }
    var count = 1.0
    if file.tensors.contains(where: { $0.name == name + ".counts" }) {
      count = try file.tensor(named: name + ".counts").withDoubles { $0.reduce(0, +) }
    }
    if mean.allSatisfy({ $0 == 0 }) { return [Float](repeating: 1, count: length) }
    return mean.map { Float($0 / max(count, 1)) }
  }
}

/// A size in bytes as it is written: `600000000`, `600MB`, `4.2GiB`.
enum ByteSize {
  static func read(_ text: String) -> Int? {
    guard let match = text.wholeMatch(of: /([0-9]*\.?[0-9]+) ?([kKMGT]i?)?B?/), let number = Double(match.1)
    else {
      return nil
    }
    let powers: [Character: Int] = ["k": 1, "K": 1, "M": 2, "G": 3, "T": 4]
    var size = number
    if let unit = match.2, let letter = unit.first {
      size *= pow(unit.hasSuffix("i") ? 1024 : 1000, Double(powers[letter] ?? 0))
    }
    return size >= 1 && size < 9e18 ? Int(size) : nil
  }
}

/// How many elements of each tensor are measured.
struct SampleSize {
  /// nil for all.
  let elements: Int?

  init(elements: Int?) { self.elements = elements }

  static func read(_ text: String) throws -> SampleSize {
    if text == "all" { return SampleSize(elements: nil) }
    guard let n = Int(text), n >= 1 else { throw UsageError("must be a whole number above 0, or 'all'") }
    return SampleSize(elements: n)
  }
}
