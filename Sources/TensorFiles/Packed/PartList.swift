/// Why a packed tensor cannot be read.
struct PackedRefusal: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// The tensors of a checkpoint's files by name, while those that are parts of one are put together.
struct PartList {
  private let contents: [FileContent]
  private let places: [Spelling: (file: Int, tensor: Int)]

  init(_ contents: [FileContent]) {
    self.contents = contents
    places = Dictionary(
      contents.indices.flatMap { file in
        contents[file].tensors.enumerated().map { (Spelling($1.name), (file, $0)) }
      }, uniquingKeysWith: { first, _ in first })
  }

  /// The file that has it.
  func file(_ name: String) -> Int? { places[Spelling(name)]?.file }

  /// The tensor of that name.
  subscript(name: String) -> TensorView? {
    places[Spelling(name)].map { file, tensor in
      let content = contents[file]
      return TensorView(
        info: content.tensors[tensor],
        content.sources.count == 1 ? content.sources[0] : content.sources[tensor])
    }
  }

  /// The same; its absence is a refusal.
  func require(_ name: String) throws -> TensorView {
    guard let view = self[name] else {
      if let reason = contents.lazy.compactMap({ $0.reasons[Spelling(name)] }).first {
        throw PackedRefusal("its part \(name.quoted) cannot be read: \(reason)")
      }
      throw PackedRefusal(
        "its part \(name.quoted) is \(contents.count == 1 ? "not in this file" : "in none of these files"); where a model lies in "
          + "several, name their index.json, or all")
    }
    return view
  }
}

/// A way of storing tensors in parts.
protocol PackedFormat: Sendable {
  /// How the names of tensors end that show it.
  static var marks: [String] { get }
  /// What the tensor of the part `base` + `mark` is called, and the part that holds its codes.
  static func names(_ base: String, _ mark: String) -> (tensor: String, codes: String)
  /// The tensor with the part `base` + `mark`, and what it is called; nil where those are ordinary numbers.
  static func tensor(_ base: String, _ mark: String, _ parts: PartList, _ config: CheckpointConfig) throws
    -> (name: String, tensor: PackedTensor)?
}

/// Every way of storing tensors in parts.
enum PackedFormats {
  static let all: [any (PackedFormat & Sendable).Type] = [
    GPTQFormat.self,
    CompressedTensorsFormat.self,
    BitsandbytesFormat.self,
    ScaledFormat.self,
    FourBitFloatFormat.self,
    MLXFormat.self,
    UnreadFormat.self,
  ]
}

extension [FileContent] {
  /// Puts tensors in place of their parts, which may lie in several files; those that cannot be read become unreadable, and their parts
  /// with them.
  mutating func combineParts(_ config: () -> CheckpointConfig) {
    var candidates: [(base: String, mark: String, format: any PackedFormat.Type)] = []
    let marks = PackedFormats.all.flatMap { format in
      format.marks.map { (mark: $0, end: $0.utf8.last, format) }
    }
    for tensor in self.flatMap(\.tensors) {
      let end = tensor.name.utf8.last
      for (mark, _, format) in marks.lazy.filter({ $0.end == end }) where tensor.name.hasSuffix(mark) {
        let base = String(tensor.name.dropLast(mark.count))
        if base.isEmpty || base.hasSuffix(".") || mark.hasPrefix("_") || mark.hasPrefix(".") {
          candidates.append((base, mark, format))
        }
      }
    }
    if candidates.isEmpty { return }
    let parts = PartList(self)
    let config = config()
    // What stands where a part stood; nil where nothing does any more.
    var taken: [Spelling: (TensorInfo, ByteSource)?] = [:]
    for (base, mark, format) in candidates where taken[Spelling(base + mark)] == nil {
      do {
        guard let (name, tensor) = try format.tensor(base, mark, parts, config) else { continue }
        for part in tensor.parts {
          taken[Spelling(part.name)] = .some(nil)
          if let file = parts.file(part.name), Spelling(part.name) != Spelling(name) {
            self[file].reasons[Spelling(part.name)] =
              "is a part of \(name.quoted) (\(tensor.type.name)), which is read with it"
          }
        }
        taken[Spelling(tensor.parts[0].name)] = .some((TensorInfo(name, tensor), .scattered(tensor)))
      } catch {
        let reason = (error as? PackedRefusal)?.reason ?? (error as? TensorFileError)?.reason ?? "\(error)"
        let (name, codes) = format.names(base, mark)
        let found = [codes, base + mark].compactMap { part in parts.file(part).map { (part, file: $0) } }
        self[found.first?.file ?? 0].unreadable.append(UnreadableTensor(name, reason))
        for (part, file) in found {
          taken[Spelling(part)] = .some(nil)
          if Spelling(part) != Spelling(name) {
            self[file].reasons[Spelling(part)] = "is a part of \(name.quoted): \(reason)"
          }
        }
      }
    }
    if taken.isEmpty { return }
    for k in indices { self[k].replace(taken) }
  }
}

extension FileContent {
  /// Puts what stands there now in the places of tensors; nil where nothing does.
  fileprivate mutating func replace(_ taken: [Spelling: (TensorInfo, ByteSource)?]) {
    let all = sources.count == 1 ? Array(repeating: sources[0], count: tensors.count) : sources
    var kept: (tensors: [TensorInfo], sources: [ByteSource]) = ([], [])
    for (tensor, source) in zip(tensors, all) {
      if let change = taken[Spelling(tensor.name)] {
        guard let (info, packed) = change else { continue }
        kept.tensors.append(info)
        kept.sources.append(packed)
      } else {
        kept.tensors.append(tensor)
        kept.sources.append(source)
      }
    }
    (tensors, sources) = kept
  }
}

extension PackedFormat {
  static func names(_ base: String, _ mark: String) -> (tensor: String, codes: String) {
    (base + "weight", base + mark)
  }
}
