import NumKitNumbers
import NumKitQuestions

extension NarrowInputs: NormHypotheses {
  static func changes(_ context: NormContext) -> [NormChange] {
    cuts(of: context.format).map { name, cut in
      var change = NormChange(name)
      change.item = { $0.values = $0.values.map(cut) }
      return change
    }
  }
}
