import Quant
import TensorFiles

/// Which tensors of a list are matrices to measure, and why the others are not. What is asked for by name is measured whatever
/// it is.
struct ModelRoles {
  let items: [Int]
  let leftOut: [LeftOut]

  init(_ list: TensorList) {
    guard !list.isOne, !list.isSelected, list.items.count > 1 else {
      (items, leftOut) = (list.items, [])
      return
    }
    var items: [Int] = []
    var leftOut: [LeftOut] = []
    func leave(_ item: Int, _ reason: String) {
      var one = LeftOut(list.name(item), reason)
      one.isExpected = true
      leftOut.append(one)
    }
    for item in list.items {
      let info = list.info(item)
      let isWeight = list.isGGUF(item) || TensorRole.isWeight(info.name)
      if info.elementType.isNumeric, info.elementType.numberFormat == nil, Self.isIndex(info.elementType) {
        leave(item, "\(info.elementType) numbers: ids or masks, not weights")
      } else if isWeight, case .kept(let reason) = TensorRole(name: info.name, shape: info.shape),
        info.count > 0
      {
        leave(item, reason)
      } else {
        items.append(item)
      }
    }
    // A file of vectors alone is about vectors.
    if items.isEmpty {
      (self.items, self.leftOut) = (list.items, [])
    } else {
      (self.items, self.leftOut) = (items, leftOut)
    }
  }

  /// Integers of more than 8 bits, and truth values: 8 bits may be codes.
  private static func isIndex(_ type: ElementType) -> Bool {
    switch type {
    case .int16, .int32, .int64, .uint16, .uint32, .uint64, .bool: true
    default: false
    }
  }
}
