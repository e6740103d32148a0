import TensorFiles

/// A question to a kernel, and along what it can be cut: into items (rows, heads, batches) that are answered alike whatever stands beside
/// them, and to other lengths.
package struct GuestProblem: Sendable {
  /// An input and how it is cut.
  package struct Input: Sendable {
    package var array: GuestArray
    /// Steps along the first axis that belong to an item; 0 where all items share the array.
    package var perItem: Int
    /// The axes that get shorter with the question, and those that only do so with the second length (queries).
    package var lengthAxes: [Int]

    package init(_ array: GuestArray, perItem: Int, lengthAxes: [Int] = []) {
      self.array = array
      self.perItem = perItem
      self.lengthAxes = lengthAxes
    }
  }

  /// A result, likewise.
  package struct Output: Sendable {
    package var result: GuestResult
    package var perItem: Int
    package var lengthAxes: [Int]

    package init(_ result: GuestResult, perItem: Int, lengthAxes: [Int] = []) {
      self.result = result
      self.perItem = perItem
      self.lengthAxes = lengthAxes
    }
  }

  package var operation: String
  package var inputs: [Input]
  package var outputs: [Output]
  package var parameters: [GuestParameter]
  /// What an item is: `row`, `head`.
  package var itemName: String
  /// How large numbers of the first input are made in one of the calls, so that only a kernel that subtracts the largest answers; nil for
  /// no such call.
  package var largeSize: Double?

  package init(
    _ operation: String, inputs: [Input], outputs: [Output], parameters: [GuestParameter] = [],
    itemName: String = "row"
  ) {
    self.operation = operation
    self.inputs = inputs
    self.outputs = outputs
    self.parameters = parameters
    self.itemName = itemName
  }

  /// How many items there are; 1 where nothing can be cut.
  package var itemCount: Int {
    inputs.first { $0.perItem > 0 }.map { $0.array.shape[0] / $0.perItem } ?? 1
  }

  /// The length that can be cut; nil where there is none.
  package var length: Int? {
    inputs.lazy.compactMap { input in input.lengthAxes.first.map { input.array.shape[$0] } }.first
  }

  /// The call for these items, in this order, of all their length or cut to `length`.
  package func call(items: [Int], length: Int? = nil, parameters more: [GuestParameter] = []) -> GuestCall {
    GuestCall(
      operation,
      inputs: inputs.map { input in
        var array = input.perItem > 0 ? input.array.taking(items, each: input.perItem) : input.array
        if let length { for axis in input.lengthAxes { array = array.cut(axis, to: length) } }
        return array
      },
      results: outputs.map { output in
        var result = output.result
        if output.perItem > 0 { result.shape[0] = items.count * output.perItem }
        if let length { for axis in output.lengthAxes { result.shape[axis] = length } }
        return result
      }, parameters: parameters + more)
  }

  /// All of it, in one call.
  package var whole: GuestCall { call(items: Array(0..<itemCount)) }
}

extension GuestArray {
  /// Steps `items` along the first axis, `each` at a time.
  func taking(_ items: [Int], each: Int) -> GuestArray {
    let size = rowCount * width * each
    var taken = self
    taken.shape[0] = items.count * each
    taken.bytes = []
    taken.bytes.reserveCapacity(items.count * size)
    for item in items { taken.bytes += bytes[item * size..<(item + 1) * size] }
    return taken
  }

  /// The first `length` along an axis; all where there are no more.
  func cut(_ axis: Int, to length: Int) -> GuestArray {
    guard length < shape[axis] else { return self }
    let inner = shape[(axis + 1)...].reduce(1, *) * width
    let outer = shape[..<axis].reduce(1, *)
    var cut = self
    cut.shape[axis] = length
    cut.bytes = []
    cut.bytes.reserveCapacity(outer * length * inner)
    for k in 0..<outer {
      let start = k * shape[axis] * inner
      cut.bytes += bytes[start..<start + length * inner]
    }
    return cut
  }
}
