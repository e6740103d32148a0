import Foundation
import NumKit
import Quant
import TensorFiles

/// The tensors that an argument names, `FILE` or `FILE:TENSOR`, opened one by one.
struct TensorList {
  /// A tensor that is there, not opened yet.
  struct Item {
    /// `FILE:TENSOR`, or `FILE` where that holds one without a name.
    let name: String
    let index: Int
  }

  /// Those that can be read, in the order of their layers where names are in order, else in the file's.
  let items: [Item]
  /// What is in the file but cannot be read.
  let leftOut: [LeftOut]
  /// Whether the argument names one tensor: then it must be readable.
  let isOne: Bool
  private let file: TensorFile

  init(_ text: String) throws {
    let specifier = TensorSpecifier(argument: text)
    let shown = ArgumentText.shown(text)
    file = try TensorFile.open(specifier.path)
    if let name = specifier.tensorName {
      // Said by the file where there is none.
      let view = try file.tensor(named: name)
      items = [Item(name: shown, index: file.tensors.firstIndex { $0 == view.info } ?? 0)]
      (leftOut, isOne) = ([], true)
      return
    }
    if file.tensors.count + file.unreadable.count <= 1 {
      let view = try file.onlyTensor()
      items = [Item(name: file.kind == .npy ? shown : "\(shown):\(view.name)", index: 0)]
      (leftOut, isOne) = ([], true)
      return
    }
    isOne = false
    leftOut = file.unreadable.map { LeftOut("\(shown):\($0.name)", $0.reason) }
    // Names in the order of bytes have layer 11 before layer 2.
    let names = file.tensors.map { Spelling($0.name) }
    var order = Array(names.indices)
    if zip(names, names.dropFirst()).allSatisfy({ $0 < $1 }) {
      let tensors = file.tensors
      order.sort { tensors[$0].name.compare(tensors[$1].name, options: .numeric) == .orderedAscending }
    }
    items = order.map { [tensors = file.tensors] in Item(name: "\(shown):\(tensors[$0].name)", index: $0) }
  }

  /// Opens one.
  func view(_ item: Item) -> TensorView { file.view(item.index) }

  /// What `make` makes of each tensor, and those that it refuses or that cannot be read; a single one must do.
  func map<T>(_ make: (TensorView, String) throws -> T) throws -> (made: [T], leftOut: [LeftOut]) {
    if isOne { return try (items.map { try make(view($0), $0.name) }, leftOut) }
    var made: [T] = []
    var leftOut = leftOut
    for item in items {
      do { made.append(try make(view(item), item.name)) } catch { leftOut.append(LeftOut(item.name, error)) }
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

/// A scheme as what decodes a file's blocks.
private struct SchemeDecoder: BlockDecoder {
  private let scheme: any Scheme

  /// nil for types that no scheme decodes.
  init?(_ type: ElementType) {
    guard case .block(let kind) = type, let scheme = GGMLSchemes.scheme(ofBlockType: kind.name) else {
      return nil
    }
    self.scheme = scheme
  }

  func decode(_ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>) throws {
    try scheme.decode(bytes, rows: 1, columns: values.count, into: values)
  }
}
