import Foundation
import NumKit
import Quant
import Reports
import SystemPackage
import TensorFiles

/// The tensors that an argument names, opened one by one: `FILE`, `FILE:TENSOR`, `FILE:blk.*.attn_v.weight`, a folder or a pattern in
/// place of FILE.
struct TensorList {
  /// Those that can be read, by their number in the list: in the order of their layers where names are in order, else in the
  /// files'.
  let items: [Int]
  /// What is in the files but cannot be read.
  let leftOut: [LeftOut]
  /// Whether the argument names one tensor: then it must be readable.
  let isOne: Bool
  /// Whether tensors were asked for by their names.
  let isSelected: Bool
  private let files: [TensorFile]
  /// Where each file is.
  private let paths: [FilePath]
  private let members: [Member]
  /// The argument.
  private let shown: String

  private struct Member {
    let file: Int
    let tensor: Int
    let name: String
  }

  /// A list for each argument. Files among them that are shards of one model are read as one checkpoint, without those that hold
  /// only parts of the others' tensors.
  static func all(_ texts: [String], raw: RawLayout? = nil) throws -> [TensorList] {
    guard raw == nil, texts.count > 1 else { return try texts.map { try TensorList($0, raw: raw) } }
    var paths: [FilePath] = []
    for text in texts {
      for path in try ModelFiles.of(TensorSpecifier(argument: text).path) where !paths.contains(path) {
        paths.append(path)
      }
    }
    let opened = Dictionary(uniqueKeysWithValues: zip(paths, try TensorFile.open(paths)))
    return try texts.compactMap { text in
      let file = opened[TensorSpecifier(argument: text).path]
      return file?.hasPartsAlone ?? false ? nil : try TensorList(text, opened: opened)
    }
  }

  init(_ text: String, raw: RawLayout? = nil, opened: [FilePath: TensorFile] = [:]) throws {
    let specifier = TensorSpecifier(argument: text)
    let shown = ArgumentText.shown(text)
    self.shown = shown
    if let raw {
      files = [try raw.open(text)]
      paths = [specifier.path]
      members = [Member(file: 0, tensor: 0, name: shown)]
      (items, leftOut, isOne, isSelected) = ([0], [], true, false)
      return
    }
    let paths = try ModelFiles.of(specifier.path)
    let known = paths.compactMap { opened[$0] }
    let files = known.count == paths.count ? known : try TensorFile.open(paths)
    (self.files, self.paths) = (files, paths)
    let isMany = files.count > 1
    func label(_ k: Int) -> String {
      isMany || paths[k] != specifier.path || specifier.tensorName != nil ? paths[k].label : shown
    }
    if let wanted = specifier.tensorName {
      isSelected = true
      if !isMany, !Self.isPattern(wanted) || files[0].tensors.contains(where: { $0.name == wanted }) {
        let info = try files[0].tensor(named: wanted).info
        members = [Member(file: 0, tensor: files[0].tensors.firstIndex(of: info) ?? 0, name: shown)]
        (items, leftOut, isOne) = ([0], [], true)
        return
      }
      let all = Self.members(files, label)
      members = all.filter { Names.matches(wanted, files[$0.file].tensors[$0.tensor].name) }
      if members.isEmpty {
        let known = files.flatMap { $0.tensors.map(\.name) }
        throw UsageError(
          "\(specifier.path.label): no tensor is called '\(wanted)'\(NearNames.question(wanted, known))")
      }
      leftOut = Self.unreadable(files, label) { Names.matches(wanted, $0) }
      isOne = false
      items = Self.ordered(files, members)
      return
    }
    isSelected = false
    if !isMany, files[0].tensors.count + files[0].unreadable.count <= 1 {
      // Says where there is none.
      _ = try files[0].onlyTensor()
      let isNamed = files[0].kind != .npy
      members = [
        Member(file: 0, tensor: 0, name: isNamed ? "\(label(0)):\(files[0].tensors[0].name)" : label(0))
      ]
      (items, leftOut, isOne) = ([0], [], true)
      return
    }
    isOne = false
    leftOut = Self.unreadable(files, label) { _ in true }
    members = Self.members(files, label)
    items = Self.ordered(files, members)
  }

  private static func members(_ files: [TensorFile], _ label: (Int) -> String) -> [Member] {
    files.indices.flatMap { k in
      files[k].tensors.indices.map { t in
        let isNameless = files[k].kind == .npy
        return Member(
          file: k, tensor: t, name: isNameless ? label(k) : "\(label(k)):\(files[k].tensors[t].name)")
      }
    }
  }

  private static func unreadable(
    _ files: [TensorFile], _ label: (Int) -> String, _ isWanted: (String) -> Bool
  ) -> [LeftOut] {
    files.indices.flatMap { k in
      files[k].unreadable.filter { isWanted($0.name) }.map {
        var one = LeftOut("\(label(k)):\($0.name)", $0.reason)
        one.lack = $0.lack
        return one
      }
    }
  }

  /// Names in the order of bytes have layer 11 before layer 2.
  private static func ordered(_ files: [TensorFile], _ members: [Member]) -> [Int] {
    let names = members.map { Spelling(files[$0.file].tensors[$0.tensor].name) }
    var order = Array(names.indices)
    if zip(names, names.dropFirst()).allSatisfy({ $0 < $1 }) {
      order.sort { names[$0].text.compare(names[$1].text, options: .numeric) == .orderedAscending }
    }
    return order
  }

  private static func isPattern(_ name: String) -> Bool { name.contains("*") || name.contains("?") }

  /// The tensor's own name of `FILE:TENSOR`: what stands behind the file, which may hold colons itself.
  static func bareName(_ name: String) -> String { TensorSpecifier(name).tensorName ?? name }

  /// Opens one.
  func view(_ item: Int) -> TensorView { files[members[item].file].view(members[item].tensor) }

  /// What a file says of one.
  func info(_ item: Int) -> TensorInfo { files[members[item].file].tensors[members[item].tensor] }

  /// What kind of model the first .gguf file says it is; nil without one.
  var architecture: String? { files.lazy.compactMap { $0.metadata["general.architecture"] }.first }

  /// The file that one is in.
  func file(_ item: Int) -> String { files[members[item].file].path }

  /// Whether one is of a .gguf file.
  func isGGUF(_ item: Int) -> Bool { files[members[item].file].kind == .gguf }

  /// `FILE:TENSOR`, or `FILE` where that holds one without a name.
  func name(_ item: Int) -> String { members[item].name }

  /// The argument that names one alone.
  func argument(_ item: Int) -> String {
    let member = members[item]
    let path = ArgumentText.text(of: paths[member.file].bytes.map { CChar(bitPattern: $0) })
    return files[member.file].kind == .npy
      ? path : "\(path):\(files[member.file].tensors[member.tensor].name)"
  }

  /// What `make` makes of each tensor, and those that it refuses or that cannot be read; a single one must do.
  func map<T>(_ make: (TensorView, String) throws -> T) throws -> (made: [T], leftOut: [LeftOut]) {
    if isOne { return try (items.map { try make(view($0), name($0)) }, leftOut) }
    var made: [T] = []
    var leftOut = leftOut
    for item in items {
      do { made.append(try make(view(item), name(item))) } catch {
        leftOut.append(LeftOut(name(item), error))
      }
    }
    return (made, leftOut)
  }

  /// The error where nothing is left of it.
  func nothing(_ leftOut: [LeftOut]) -> UsageError {
    UsageError(leftOut.first.map { "\($0)" } ?? "\(shown): holds no tensors")
  }
}

extension TensorView {
  /// The tensor as rows along `axis`, ggml's blocks decoded. A scalar has no axis but the one that is not asked for, −1.
  func source(axis: Int = -1) throws -> TensorSource {
    try rows(axis: shape.isEmpty && axis == -1 ? nil : axis, decoder: SchemeDecoder(elementType))
  }
}

/// What decodes a file's blocks.
struct SchemeDecoder: BlockDecoder {
  private let values: @Sendable (UnsafeRawBufferPointer, UnsafeMutableBufferPointer<Float>) throws -> Void

  /// nil for types that nothing here decodes.
  init?(_ type: ElementType) {
    guard case .block(let kind) = type, let decoder = GGMLSchemes.decoder(ofBlockType: kind.name) else {
      return nil
    }
    values = decoder
  }

  func decode(_ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>) throws {
    try self.values(bytes, values)
  }
}
