import Foundation
import NumKit

/// A fingerprint as JSON that reviews well: a line a trait.
extension KernelFingerprint {
  private struct Kept: Codable {
    struct Kind: Codable { let value: String?; let probe: String }
    let fingerprint: Int
    let operation: String
    let dtype: String
    let length: Int
    let traits: [String: Kind]
    let order: [String]
    let tree: String?
    let sample: [String]
    let sampleUlp: Double
    let sampleWrong: Int?
  }

  package var json: String {
    get throws {
      let kept = Kept(
        fingerprint: 1, operation: operation, dtype: dtype, length: length,
        traits: Dictionary(
          uniqueKeysWithValues: traits.map { ($0.name, Kept.Kind(value: $0.value?.text, probe: $0.evidence)) }
        ),
        order: traits.map(\.name), tree: tree?.text, sample: sample.map { String($0, radix: 16) },
        sampleUlp: sampleUlp.isFinite ? sampleUlp : -1, sampleWrong: sampleWrong)
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      return String(decoding: try encoder.encode(kept), as: UTF8.self) + "\n"
    }
  }

  /// Reads what `json` wrote.
  package init(json bytes: [UInt8], file: String) throws {
    let kept: Kept
    do { kept = try JSONDecoder().decode(Kept.self, from: Data(bytes)) } catch {
      throw FingerprintError("\(file): no fingerprint")
    }
    guard kept.fingerprint == 1 else { throw FingerprintError("\(file): a fingerprint of another version") }
    let codes = kept.sample.map { UInt64($0, radix: 16) }
    guard kept.order.allSatisfy({ kept.traits[$0] != nil }), codes.allSatisfy({ $0 != nil }), kept.length > 0
    else {
      throw FingerprintError("\(file): no fingerprint")
    }
    self.init(
      operation: kept.operation, dtype: kept.dtype, length: kept.length,
      traits: kept.order.compactMap { name in
        kept.traits[name].map { Trait(name, $0.value.map { TraitValue(parsing: $0) }, $0.probe) }
      }, tree: kept.tree.flatMap { SumTree(parsing: $0) }, sample: codes.compactMap { $0 },
      sampleUlp: kept.sampleUlp < 0 ? .infinity : kept.sampleUlp, sampleWrong: kept.sampleWrong)
  }
}

extension SumTree {
  /// What `text` wrote; nil for anything else.
  package init?(parsing text: String) {
    var rest = Array(text.utf8)[...]
    func number() -> Int? {
      var digits = ""
      while let c = rest.first, (48...57).contains(c), digits.utf8.count < 9 {
        digits.append(Character(Unicode.Scalar(c)))
        rest = rest.dropFirst()
      }
      return Int(digits)
    }
    func tree(_ depth: Int) -> SumTree? {
      guard depth < 10_000 else { return nil }
      guard rest.first == UInt8(ascii: "(") else { return number().map { .leaf($0) } }
      rest = rest.dropFirst()
      var parts: [SumTree] = []
      while let c = rest.first {
        if c == UInt8(ascii: ")") {
          rest = rest.dropFirst()
          return parts.isEmpty ? nil : .sum(parts)
        }
        if c == UInt8(ascii: " ") {
          rest = rest.dropFirst()
        } else if c == UInt8(ascii: "."), parts.count == 1, case .leaf(let first) = parts[0] {
          rest = rest.dropFirst(2)
          guard let last = number(), last > first, last - first < 1 << 20 else { return nil }
          parts = [.chain((first...last).map { .leaf($0) })]
        } else {
          guard let part = tree(depth + 1) else { return nil }
          parts.append(part)
        }
      }
      return nil
    }
    guard let made = tree(0), rest.isEmpty else { return nil }
    self = made
  }
}

/// Two fingerprints of one kernel, an earlier and a later one.
package struct FingerprintComparison: Sendable {
  package struct Change: Sendable, Equatable {
    package let name: String
    package let before: String
    package let after: String
  }
  package let changes: [Change]
  /// The most bits by which a result of the sample moved, and how many moved.
  package let bitsMoved: Int
  package let movedCount: Int
  package let sampleCount: Int
  /// Whether results of the sample keep what a right kernel may err by; nil where no bound is derived.
  package let keepsBound: Bool?
  package let ulp: (before: Double, after: Double)

  /// Throws where they are of different questions.
  package init(_ before: KernelFingerprint, _ after: KernelFingerprint) throws {
    guard before.operation == after.operation, before.dtype == after.dtype, before.length == after.length
    else {
      throw FingerprintError(
        "the kept fingerprint is of \(before.operation) in \(before.dtype) over \(before.length), not of \(after.operation) in \(after.dtype) over \(after.length)"
      )
    }
    let undecided = "not decidable"
    changes = after.traits.compactMap { trait in
      guard let old = before[trait.name] else {
        return Change(name: trait.name, before: "not asked", after: trait.value?.text ?? undecided)
      }
      guard old.value != trait.value || trait.name == "order" && before.tree != after.tree else { return nil }
      return Change(
        name: trait.name, before: old.value?.text ?? undecided, after: trait.value?.text ?? undecided)
    }
    let format = DType(after.dtype)?.numberFormat ?? .f32
    var most = 0
    var moved = 0
    for (a, b) in zip(before.sample, after.sample) where a != b {
      moved += 1
      let sign: UInt64 = 1 << UInt64(format.bitWidth - 1)
      func place(_ code: UInt64) -> Int64 {
        let magnitude = Int64(bitPattern: code & (sign - 1))
        return code & sign == 0 ? magnitude : -magnitude
      }
      let steps = (place(a) - place(b)).magnitude
      most = max(most, 64 - max(steps, 1).leadingZeroBitCount)
    }
    (bitsMoved, movedCount, sampleCount) = (most, moved, after.sample.count)
    keepsBound = after.sampleWrong.map { $0 == 0 }
    ulp = (before.sampleUlp, after.sampleUlp)
  }

  /// `order changed from lanes:16 to lanes:32, 3 bits moved, bound kept`.
  package var line: String {
    var parts = changes.map { "\($0.name) changed from \($0.before) to \($0.after)" }
    parts.append(bitsMoved == 0 ? "no bit moved" : "\(bitsMoved) \(bitsMoved == 1 ? "bit" : "bits") moved")
    if let keepsBound { parts.append(keepsBound ? "bound kept" : "bound broken") }
    return parts.joined(separator: ", ")
  }
}
