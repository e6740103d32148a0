import NumKit
import Quant
import TestSupport
import Testing

/// Cures of tensors that are read band by band: what they make of a tensor held whole.
@Suite struct StreamedCureTests {
  /// Tensors with giants, ties and rows that are no multiple of anything.
  static let subjects: [(name: String, matrix: TensorMatrix)] = {
    var giant = Subject.uneven(37, 96, seed: 5)
    giant.values[1207] = -9000
    giant.values[40] = 700
    var ties = Subject.uneven(20, 128, seed: 6)
    for i in ties.values.indices { ties.values[i] = (ties.values[i] * 2).rounded() / 2 }
    return [("giant", giant), ("ties", ties), ("normal", Subject.normal(131, 64, seed: 7))]
  }()

  static let schemes = [
    "int8@tensor", "int4@token", "int4@channel", "int8@g32", "int4@b16x32", "int8@b5x7", "uint4@g32",
    "mxfp4", "nvfp4", "nf4", "nf4:dq", "f8e4m3fn@token", "f8e4m3fn@tensor", "f16", "q4_0", "llmint8",
    "int3@channel",
  ]

  /// Since the golden file: schemes whose finer groups are few or none, and blocks that are no group of their name.
  static let later = [
    "q4_k", "iq3_xxs", "any4", "e8p", "turboquant3@g64:prod",
    "nvint4", "dynamic8@g64", "nvfp4@b16x16:te", "higgs4@g64", "higgs3",
  ]

  /// What `--cure all` tries, and more.
  static func treatments(_ name: String) throws -> [Treatment] {
    let scheme = try SchemeRegistry.scheme(named: name)
    return try CureList.treatments(for: scheme) + mixtures(scheme)
  }

  static func mixtures(_ scheme: any Scheme) throws -> [Treatment] {
    func transforms(_ names: String...) throws -> [any Transform] {
      try names.map { try TransformRegistry.transform(named: $0) }
    }
    return try [
      Treatment(scheme, transforms: transforms("split:0.1")),
      Treatment(scheme, transforms: transforms("split:1")),
      Treatment(
        scheme, transforms: transforms("smooth:0.3", "split:0.01"),
        calibration: CalibrationRegistry.calibration(named: "percentile:90")),
      Treatment(
        scheme, transforms: transforms("split:0.05", "hadamard"),
        calibration: CalibrationRegistry.calibration(named: "mse")),
      Treatment(
        scheme, transforms: transforms("awq"),
        calibration: CalibrationRegistry.calibration(named: "hqq")),
    ]
  }

  /// FNV-1a of the bits.
  static func hash(_ values: [Float]) -> String {
    var h: UInt64 = 0xcbf2_9ce4_8422_2325
    for x in values {
      for k in 0..<4 { h = (h ^ UInt64(x.bitPattern >> UInt32(8 * k) & 0xff)) &* 0x100_0000_01b3 }
    }
    return String(h, radix: 16)
  }

  static func contexts(_ matrix: TensorMatrix) -> [(name: String, context: CureContext)] {
    [
      ("alone", CureContext(seed: 3)),
      ("weight", CureContext(seed: 3, activations: Subject.uneven(40, matrix.columns, seed: 8))),
    ]
  }

  /// fixtures/schemes/cures.txt was written when cures held whole tensors: what they made of them, bit for bit. GPTQ, HQQ and AWQ's
  /// searches are held against their authors' code instead.
  @Test func wholeTensorsDecodeAsEver() throws {
    var golden: [String: String] = [:]
    for line in try fixtureText("schemes/cures.txt").split(separator: "\n") {
      let parts = line.split(separator: "\t")
      golden[parts[..<3].joined(separator: "\t")] = String(parts[3])
    }
    // Each treatment on some tensor, alone and as a weight.
    var seen = 0
    for (k, scheme) in Self.schemes.enumerated() {
      let (subject, matrix) = Self.subjects[k % Self.subjects.count]
      for (situation, context) in Self.contexts(matrix) {
        for treatment in try Self.treatments(scheme)
        where !["gptq", "hqq", "awq-clip", "imatrix", "any4"].contains(where: treatment.name.contains)
          && !(situation == "weight" && treatment.name.contains("awq"))
        {
          var end = "refused"
          if let (decoded, bits) = try? treatment.apply(matrix, context: context) {
            end = "\(bits) \(Self.hash(decoded.values))"
          }
          let known = golden["\(subject)\t\(situation)\t\(treatment.name)"]
          #expect(end == known, "\(subject) \(situation) \(treatment.name)")
          seen += end == "refused" ? 0 : 1
        }
      }
    }
    #expect(seen > 500)
  }

  /// A row at a time for half of the schemes, some for the others.
  @Test(arguments: [1, 5 * 128]) func bandsChangeNoDigit(_ elements: Int) throws {
    var seen = 0
    for (k, scheme) in (Self.schemes + Self.later).enumerated() where k % 2 == elements % 2 {
      let (_, matrix) = Self.subjects[k % Self.subjects.count]
      for (_, context) in Self.contexts(matrix) {
        for treatment in try Self.treatments(scheme) where !treatment.isPlain {
          guard let whole = try? treatment.apply(matrix, context: context) else { continue }
          let ready = try treatment.prepared(
            for: TensorBands(matrix, elements: elements), context: context)
          var values: [Float] = []
          let bits = try ready.forEachBand { first, band, decoded in
            #expect(first * matrix.columns == values.count && band.rows == decoded.rows)
            values += decoded.values
          }
          #expect(
            bits == whole.bits && Self.hash(values) == Self.hash(whole.decoded.values), "\(treatment.name)")
          seen += 1
        }
      }
    }
    #expect(seen > 150)
  }

  /// Whatever groups its family takes or refuses.
  @Test func everySchemeHasItsList() throws {
    for scheme in SchemeRegistry.known {
      let list = try CureList.treatments(for: scheme)
      let name = scheme.name
      #expect(list.first?.name == name && Set(list.map(\.name)).count == list.count, "\(name)")
    }
    for (name, finer) in [
      ("int8@tensor", ["int8@token", "int8@g128", "int8@g32"]), ("int4@g64", ["int4@g32"]),
      ("nvfp4@b16x16:te", []), ("dynamic8@g64", []), ("f16", []),
    ] {
      let list = try CureList.treatments(for: SchemeRegistry.scheme(named: name))
      #expect(list.filter { $0.isPlain && $0.name != name }.map(\.name) == finer, "\(name)")
    }
  }

  /// What a study says of a tensor in memory and of one that is read by the row, on any number of threads.
  @Test func studiesOfBandsAreThoseOfTheWhole() throws {
    for (_, matrix) in Self.subjects.prefix(2) {
      let (_, context) = Self.contexts(matrix)[1]
      let treatments = try ["int8@tensor", "nvfp4"].map {
        try CureList.treatments(for: SchemeRegistry.scheme(named: $0))
      }
      let whole = try CureStudy(matrix, schemes: treatments, context: context, skipsUnfit: true)
      for (elements, threads) in [(1, 2), (640, 3)] {
        let found = try CureStudy(
          TensorBands(matrix, elements: elements), profile: whole.profile, schemes: treatments,
          context: context, skipsUnfit: true, threads: threads)
        for (a, b) in zip(whole.groups, found.groups) {
          #expect(a.skipped == b.skipped && a.treated.count == b.treated.count)
          for (x, y) in zip([a.plain] + a.treated, [b.plain] + b.treated) {
            #expect(x.name == y.name && x.bitsPerWeight == y.bitsPerWeight && x.flushed == y.flushed)
            #expect(x.statistics == y.statistics && x.rest == y.rest, "\(x.name)")
            #expect(x.outputSqnr == y.outputSqnr, "\(x.name)")
          }
        }
      }
    }
  }

  @Test func throughATreatmentBandsChangeNoDigit() throws {
    let w = Self.subjects[1].matrix
    let x = Subject.uneven(9, w.columns, seed: 12)
    for treatment in try Self.treatments("int4@token").filter({
      $0.transforms.count == 1 && $0.calibration == nil
    }) {
      let context = CureContext(seed: 3, activations: x)
      let (decoded, bits, other) = try treatment.apply(w, activations: x, context: context)
      let whole = try ThroughProduct(weights: w, decoded, activations: x, other)
      let found = try ThroughProduct.measured(
        TensorBands(w, elements: 300), treatment, activations: x, context: context)
      #expect(found.bits == bits && found.found.both.sums == whole.both.sums)
      #expect(found.found.weights.sums == whole.weights.sums && found.found.both.bound == whole.both.bound)
      let alone = CureContext(seed: 3)
      let (logits, size) = try treatment.apply(w, context: alone)
      let softmax = try ThroughSoftmax.measured(TensorBands(w, elements: 300), treatment, context: alone)
      let all = try ThroughSoftmax(w, logits)
      #expect(softmax.bits == size && softmax.found.maxDivergence == all.maxDivergence)
      #expect(softmax.found.meanDivergence == all.meanDivergence && softmax.found.rows == all.rows)
    }
  }

  /// Head by head: scales of all heads, and blocks of rows that no head's length is a multiple of.
  @Test(arguments: ["int8@tensor", "int4@b5x8", "int8@channel", "nvfp4"]) func attentionIsReadHeadByHead(
    _ scheme: String
  ) throws {
    let (heads, kvHeads, queries, keys, d) = (4, 2, 3, 7, 16)
    let (q, k, v) = (
      Subject.normal(heads * queries, d), Subject.uneven(kvHeads * keys, d, seed: 2),
      Subject.normal(kvHeads * keys, d, seed: 3)
    )
    let exact = try AttentionTensors(q: q, k: k, v: v, heads: heads, kvHeads: kvHeads, isCausal: true)
    for name in ["smooth", "split:0.1", "hadamard"] {
      let treatment = Treatment(
        try SchemeRegistry.scheme(named: scheme), transforms: [try TransformRegistry.transform(named: name)])
      var decoded = exact
      var bits = 0
      for path in [\AttentionTensors.q, \.k, \.v] {
        let made = try treatment.apply(exact[keyPath: path], context: CureContext())
        decoded[keyPath: path] = made.decoded
        bits += made.bits
      }
      let whole = try ThroughAttention(exact, decoded)
      let found = try ThroughAttention.measured(
        AttentionBands(
          q: TensorBands(q), k: TensorBands(k), v: TensorBands(v), heads: heads, kvHeads: kvHeads,
          isCausal: true), treatment, context: CureContext())
      #expect(found.bits == bits && found.found.all.sums == whole.all.sums)
      #expect(found.found.keys.sums == whole.keys.sums && found.found.certificate == whole.certificate)
    }
  }
}
