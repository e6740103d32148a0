import Foundation
import TensorFiles
import Testing

/// Valid files with a few bytes changed, cut, doubled or moved: they open or throw; what opens can be read whole.
@Suite("Mutated files")
struct MutationTests {
  static let seeds = [
    "f4-little.npy", "fortran3.npy", "version3.npy", "stored.npz", "deflated.npz", "all.safetensors",
    "several.npz", "packed.safetensors", "small.gguf", "aligned.gguf",
  ]

  @Test(arguments: seeds) func parseOrThrow(_ name: String) throws {
    let valid = try Array(Data(contentsOf: URL(fileURLWithPath: fixture("files/\(name)"))))
    var random = SplitMix(state: UInt64(name.utf8.reduce(0) { ($0 * 31 + Int($1)) % 1_000_003 }))
    var opened = 0
    let trials = 6000
    for _ in 0..<trials {
      var file = valid
      for _ in 0..<Int.random(in: 1...4, using: &random) { Self.mutate(&file, &random) }
      do {
        let file = try TensorFile.of(file)
        opened += 1
        for tensor in file.views {
          // A deflated entry is looked at when it is read.
          do { try tensor.open() } catch { continue }
          try Self.read(tensor, &random)
        }
      } catch let error as TensorFileError {
        #expect(!error.description.contains { $0.isNewline })
      }
    }
    // Mutations that never open, or always, would try nothing.
    #expect(opened < trials)
    #expect(opened > 0)
  }

  /// Every way of reading; only what is refused by name may throw.
  static func read(_ tensor: TensorView, _ random: inout SplitMix) throws {
    #expect(try tensor.withRawBytes { $0.reduce(0, ^) } >= 0)
    guard tensor.elementType.isNumeric else { return }
    let doubles = try tensor.doubles
    #expect(doubles.count == tensor.count)
    guard tensor.count > 0 else { return }
    #expect(try tensor.floats.count == tensor.count)
    guard !tensor.shape.isEmpty else { return }
    let reader = try tensor.rows(axis: Int.random(in: 0..<tensor.shape.count, using: &random))
    var values = 0
    try reader.forEachBatch(batchBytes: 64) { _, rows in values += rows.count }
    #expect(values == tensor.count)
  }

  static func mutate(_ file: inout [UInt8], _ random: inout SplitMix) {
    guard file.count > 8 else { return }
    let place = Int.random(in: 0..<file.count, using: &random)
    switch Int.random(in: 0..<9, using: &random) {
    case 0: file[place] = UInt8.random(in: .min ... .max, using: &random)
    case 1: file[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 2: file.removeLast(Int.random(in: 1...min(file.count - 1, 64), using: &random))
    case 3: file.remove(at: place)
    case 4: file.insert(UInt8.random(in: .min ... .max, using: &random), at: place)
    case 5:
      let length = min(Int.random(in: 1...32, using: &random), file.count - place)
      file.insert(
        contentsOf: Array(file[place..<place + length]), at: Int.random(in: 0...file.count, using: &random))
    case 6:
      // A field set to an extreme.
      let extreme: [UInt64] = [0, 1, .max, .max - 7, 1 << 63, (1 << 63) - 1, 1 << 32, 0xffff_ffff, 1 << 31]
      let field = bytes(extreme[Int.random(in: 0..<extreme.count, using: &random)])
      let width = [1, 2, 4, 8][Int.random(in: 0..<4, using: &random)]
      for i in 0..<min(width, file.count - place) { file[place + i] = field[i] }
    case 7:
      // A digit of a text header.
      if let digit = file[place...].firstIndex(where: { (0x30...0x39).contains($0) }) {
        file[digit] = UInt8.random(in: 0x30...0x39, using: &random)
      }
    default:
      // A small number: counts, ranks and types.
      file[place] = UInt8.random(in: 0...12, using: &random)
    }
  }
}

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
