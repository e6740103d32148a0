import NumKitNumbers
import NumKitQuestions

extension NarrowInputs: RowHypotheses {
  static func changes(_ context: RowContext) -> [RowChange] {
    cuts(of: context.inputs).map { name, cut in
      var change = RowChange(name)
      change.item = { $0.values = $0.values.map(cut) }
      return change
    }
  }
}
