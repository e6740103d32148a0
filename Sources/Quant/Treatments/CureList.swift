/// The treatments that are worth trying where a scheme suffers from outliers.
public enum CureList {
  /// The scheme as it is, then: finer groups, every transform, every calibration that is for such schemes, an outlier split before finer groups and before
  /// a rotation, and GPTQ after a rotation.
  public static func treatments(for scheme: any Scheme) throws -> [Treatment] {
    var list = [Treatment(scheme)]
    let finer = finerGroups(scheme)
    list += finer.map { Treatment($0) }
    for kind in TransformRegistry.kinds {
      list.append(Treatment(scheme, transforms: [try TransformRegistry.transform(named: kind.name)]))
    }
    for kind in CalibrationRegistry.kinds where kind.name != "minmax" && kind.suits(scheme) {
      list.append(Treatment(scheme, calibration: try CalibrationRegistry.calibration(named: kind.name)))
    }
    let split = try TransformRegistry.transform(named: "split")
    let hadamard = try TransformRegistry.transform(named: "hadamard")
    list += finer.prefix(1).map { Treatment($0, transforms: [split]) }
    list.append(Treatment(scheme, transforms: [split, hadamard]))
    list.append(
      Treatment(
        scheme, transforms: [hadamard], calibration: try CalibrationRegistry.calibration(named: "gptq")))
    return list
  }

  /// The treatment that a name asks for: a transform's, a calibration's, or a granularity `@…` of the scheme.
  public static func treatment(named text: String, for scheme: any Scheme) throws -> Treatment {
    if text.hasPrefix("@") {
      guard let name = SchemeName(scheme.name), let granularity = Granularity(text.dropFirst().lowercased())
      else {
        throw CureError.unknown(
          text, of: "granularity", known: ["@tensor", "@token", "@channel", "@gN", "@bRxC"])
      }
      return Treatment(
        try SchemeRegistry.scheme(named: SchemeName.joined(name.base, granularity, name.dialects)))
    }
    let name = text.lowercased().prefix { $0 != ":" }
    if TransformRegistry.kinds.contains(where: { $0.name == name }) {
      return Treatment(scheme, transforms: [try TransformRegistry.transform(named: text)])
    }
    let calibrations = CalibrationRegistry.kinds.map(\.name)
    guard calibrations.contains(where: { $0 == name }) else {
      throw CureError.unknown(
        text, of: "cure", known: ["all"] + TransformRegistry.kinds.map(\.name) + calibrations + ["@gN"])
    }
    return Treatment(scheme, calibration: try CalibrationRegistry.calibration(named: text))
  }

  /// The same scheme with smaller groups, rows, runs of 128, runs of 32, as far as it has them: not every family takes every group.
  private static func finerGroups(_ scheme: any Scheme) -> [any Scheme] {
    guard let name = SchemeName(scheme.name), let own = name.granularity else { return [] }
    let order: [Granularity] = [.tensor, .token, .group(128), .group(32)]
    let start: Int
    switch own {
    case .tensor, .channel, .block: start = 1
    case .token: start = 2
    case .group(let n): start = n > 128 ? 2 : n > 32 ? 3 : 4
    }
    return order[min(start, order.count)...].compactMap {
      try? SchemeRegistry.scheme(named: SchemeName.joined(name.base, $0, name.dialects))
    }
  }
}
