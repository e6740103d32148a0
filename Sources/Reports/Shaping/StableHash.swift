/// A short name for text that stays the same from run to run and from machine to machine (FNV-1a, 64 bits): by it services tell a
/// known alert from a new one. No secret and no proof.
package enum StableHash {
  package static func of(_ parts: [String]) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for part in parts {
      for byte in part.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
      // An end of its own, so that "ab", "c" is not "a", "bc".
      hash = (hash ^ 0xff) &* 0x100_0000_01b3
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension Check {
  /// What it is, whatever its value and wherever it is written.
  func fingerprint(of command: String) -> String { StableHash.of([command, place, name]) }
}

extension Finding {
  func fingerprint(of command: String) -> String { StableHash.of([command, kind, place]) }
}
