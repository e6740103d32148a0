import Quant
import Reports
import TensorFiles

/// Names that somebody may have meant.
enum NearNames {
  /// `; did you mean 'a' or 'b'?`; empty where none is near.
  static func question(_ name: String, _ known: [String]) -> String {
    let near = Names.near(name, in: known).prefix(3).map { "'\($0)'" }
    return near.isEmpty ? "" : "; did you mean \(near.joined(separator: " or "))?"
  }
}

extension TensorFileError {
  /// The error with names that may be meant, where that is what is wrong; nil where it is not, or none is near.
  var withNearNames: String? {
    guard let missing else { return nil }
    let near = NearNames.question(missing.name, missing.known)
    return near.isEmpty ? nil : "\(path): has no tensor '\(missing.name)'\(near)"
  }
}

extension SchemeError {
  /// The error with schemes that may be meant, where there is none of a name; nil elsewhere.
  var withNearNames: String? {
    guard case .unknown(let name) = self else { return nil }
    // Whoever asks for a dialect of what there is, wants to know which there are.
    if let parts = SchemeName(name), !parts.dialects.isEmpty {
      let dialects = SchemeRegistry.dialects(of: parts.base)
      if !dialects.isEmpty {
        return "\(self); dialects of \(parts.base): \(dialects.joined(separator: ", "))"
      }
    }
    // As weights spell them too, where somebody may have.
    let known = SchemeRegistry.known.map(\.name)
    let near = NearNames.question(name, known + known.map(\.ofWeights).filter { !known.contains($0) })
    return "\(self)" + (near.isEmpty ? "; 'numcheck list schemes' names all" : near)
  }
}
