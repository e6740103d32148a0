import NumKitNumbers
import Quant

/// What `plan` finds of some matrices of a model, by their number.
struct MeasuredMatrices: Portable {
  var tensors: [(index: Int, tensor: PlanTensor)] = []
  /// Those that cannot be read.
  var leftOut: [(index: Int, tensor: LeftOut)] = []

  mutating func merge(_ other: MeasuredMatrices) {
    tensors += other.tensors
    leftOut += other.leftOut
  }

  mutating func carry(_ c: inout Carrier) throws {
    let blank = PlanTensor(name: "", type: "", storedBytes: 0, costs: .blank)
    try c.carry(&tensors, blank: (index: 0, tensor: blank)) { c, one in
      var (name, type, bytes, costs) =
        (one.tensor.name, one.tensor.type, one.tensor.storedBytes, one.tensor.costs)
      try c.carry(count: &one.index)
      try c.carry(&name)
      try c.carry(&type)
      try c.carry(count: &bytes)
      try c.carry(&costs)
      one.tensor = PlanTensor(name: name, type: type, storedBytes: bytes, costs: costs)
    }
    try c.carry(&leftOut, blank: (index: 0, tensor: LeftOut("", ""))) { c, one in
      var (name, reason) = (one.tensor.tensor, one.tensor.reason)
      try c.carry(count: &one.index)
      try c.carry(&name)
      try c.carry(&reason)
      one.tensor = LeftOut(name, reason)
    }
  }
}
