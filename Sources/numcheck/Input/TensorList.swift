import Foundation
import NumKit
import Quant
import TensorFiles

/// The tensors that an argument names, `FILE` or `FILE:TENSOR`, opened one by one.
struct TensorList {
  /// Those that can be read, by their number in the file: in the order of their layers where names are in order, else in the
  /// file's.
  let items: [Int]
  /// What is in the file but cannot be read.
  let leftOut: [LeftOut]
  /// Whether the argument names one tensor: then it must be readable.
  let isOne: Bool
  private let file: TensorFile
  /// The argument.
  private let shown: String
  /// Whether names are `FILE:TENSOR`.
  private let hasNames: Bool

  init(_ text: String) throws {
    let specifier = TensorSpecifier(argument: text)
    shown = ArgumentText.shown(text)
    file = try TensorFile.open(specifier.path)
    if let name = specifier.tensorName {
      let info = try file.tensor(named: name).info
      items = [file.tensors.firstIndex(of: info) ?? 0]
      (leftOut, isOne, hasNames) = ([], true, false)
      return
    }
    if file.tensors.count + file.unreadable.count <= 1 {
      // Says where there is none.
      _ = try file.onlyTensor()
      (items, leftOut, isOne, hasNames) = ([0], [], true, file.kind != .npy)
      return
    }
    (isOne, hasNames) = (false, true)
    let shown = shown
    leftOut = file.unreadable.map { LeftOut("\(shown):\($0.name)", $0.reason) }
    // Names in the order of bytes have layer 11 before layer 2.
    let names = file.tensors.map { Spelling($0.name) }
    var order = Array(names.indices)
    if zip(names, names.dropFirst()).allSatisfy({ $0 < $1 }) {
      let tensors = file.tensors
      order.sort { tensors[$0].name.compare(tensors[$1].name, options: .numeric) == .orderedAscending }
    }
    items = order
  }

  /// Opens one.
  func view(_ item: Int) -> TensorView { file.view(item) }

  /// `FILE:TENSOR`, or `FILE` where that holds one without a name.
  func name(_ item: Int) -> String { hasNames ? "\(shown):\(file.tensors[item].name)" : shown }

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
    UsageError(leftOut.first.map { "\($0)" } ?? "\(file.path): holds no tensors")
  }
}

extension TensorView {
  /// The tensor as rows along `axis`, ggml's blocks decoded. A scalar has no axis but the one that is not asked for, −1.
  func source(axis: Int = -1) throws -> TensorSource {
    try rows(axis: shape.isEmpty && axis == -1 ? nil : axis, decoder: SchemeDecoder(elementType))
  }
}

/// What decodes a file's blocks.
private struct SchemeDecoder: BlockDecoder {
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
