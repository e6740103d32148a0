import ArgumentParser
import NumKit

struct TensorRows: RowSource {
  let shape: [Int] = []
  var rowCount: Int { 0 }
  var length: Int { 0 }
  init(_ s: String, axis: Int, limit: Int?) throws {}
  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws {}
  static func wholeTensor(_ s: String) throws -> [Double] { [] }
}
struct ResultWriter {
  init(path: String, dtype: DType, as: DType?) throws {}
  func write(_ e: Experiment, _ a: Algorithm, _ i: RowInput) throws {}
}
struct ReferenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "reference")
}
