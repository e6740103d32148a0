/// One tensor of each layer, in the order of layers: what a name with a number in it stands for.
public struct LayerSeries: Sendable {
  /// The name with `*` for the layer's number: `blk.*.attn_k.weight`.
  public let pattern: String
  /// Layer numbers, ascending. They need not be neighbours: a file may hold some layers only.
  public let layers: [Int]
  /// For each layer, which of the tensors given it is.
  public let tensors: [Int]
  /// Their names.
  public let names: [String]
  /// The channels that are massive in any layer, those with the largest peak first.
  public let courses: [ChannelCourse]
  /// The channels that LLM.int8() calls outliers (arXiv 2208.07339, §4): with |x| ≥ `ScanSettings.outlierLimit` in at least
  /// 6 % of the tokens of at least a quarter of the layers.
  public let outlierChannels: [Int]

  /// The share of tokens in a layer, and of layers, from which on a channel is an outlier.
  public static let outlierShares = (tokens: 0.06, layers: 0.25)

  /// The series among `tensors`: those whose names differ in their first number alone, with as many channels each, at least
  /// two of them.
  public static func series(of tensors: [(name: String, profile: TensorProfile)]) -> [LayerSeries] {
    // By their bytes: names that are canonically equivalent are still two.
    var groups: [[UInt8]: [(layer: Int, index: Int)]] = [:]
    var order: [[UInt8]] = []
    for (index, tensor) in tensors.enumerated() {
      guard let (pattern, layer) = split(tensor.name) else { continue }
      let key = Array("\(tensor.profile.columns) \(pattern)".utf8)
      if groups[key] == nil { order.append(key) }
      groups[key, default: []].append((layer, index))
    }
    return order.compactMap { key in
      let members = (groups[key] ?? []).sorted { $0.layer < $1.layer }
      guard members.count > 1, Set(members.map(\.layer)).count == members.count,
        let pattern = split(tensors[members[0].index].name)?.pattern
      else { return nil }
      return LayerSeries(
        pattern: pattern, layers: members.map(\.layer), tensors: members.map(\.index),
        names: members.map { tensors[$0.index].name }, profiles: members.map { tensors[$0.index].profile })
    }
  }

  /// The name of the tensor of that layer; the pattern where there is none.
  public func name(ofLayer layer: Int) -> String {
    layers.firstIndex(of: layer).map { names[$0] } ?? pattern
  }

  private init(pattern: String, layers: [Int], tensors: [Int], names: [String], profiles: [TensorProfile]) {
    self.pattern = pattern
    self.layers = layers
    self.tensors = tensors
    self.names = names
    let channels = Set(profiles.flatMap { Array($0.massive.channels.keys) })
    courses = channels.compactMap { ChannelCourse($0, layers: layers, profiles: profiles) }.sorted {
      ($1.peak, $0.channel) < ($0.peak, $1.channel)
    }
    var counts: [Int: Int] = [:]
    for profile in profiles {
      for channel in profile.outlierChannels(share: Self.outlierShares.tokens) {
        counts[channel, default: 0] += 1
      }
    }
    let needed = Self.outlierShares.layers * Double(profiles.count)
    outlierChannels = counts.filter { Double($0.value) >= needed }.keys.sorted()
  }

  /// A name without its first number, and that number; nil for names without one, or one too large.
  static func split(_ name: String) -> (pattern: String, layer: Int)? {
    // Of bytes: an accent behind a digit makes no letter of it.
    let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
    let bytes = name.utf8
    guard let start = bytes.firstIndex(where: isDigit) else { return nil }
    let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.endIndex
    guard let layer = Int(String(decoding: bytes[start..<end], as: UTF8.self)) else { return nil }
    let pattern = Array(bytes[..<start]) + Array("*".utf8) + Array(bytes[end...])
    return (String(decoding: pattern, as: UTF8.self), layer)
  }
}

/// A channel that is massive in some layer: where that begins, how long it lasts, where it ends.
public struct ChannelCourse: Sendable, Hashable {
  /// The channel.
  public let channel: Int
  /// max |a| of the channel in each layer of the series.
  public let maxima: [Float]
  /// Which layers of the series it is massive in, ascending.
  public let massiveLayers: [Int]
  /// The last layer given before it becomes massive; nil where it is so from the first.
  public let before: Int?
  /// The first layer in which it is massive.
  public let born: Int
  /// The last layer in which it is massive.
  public let last: Int
  /// The first layer given after that; nil where it is massive to the last.
  public let gone: Int?
  /// The layer of its largest magnitude.
  public let peakLayer: Int

  /// Its largest magnitude.
  public var peak: Float { maxima.max() ?? 0 }

  init?(_ channel: Int, layers: [Int], profiles: [TensorProfile]) {
    self.channel = channel
    let flags = profiles.map { $0.massive.channels[channel] != nil }
    guard let first = flags.firstIndex(of: true), let last = flags.lastIndex(of: true) else { return nil }
    maxima = profiles.map { profile in
      if channel < profile.columnMaxima.count { return profile.columnMaxima[channel] }
      // Channels of very wide tensors are not kept: what is known are the places.
      return profile.massive.places.filter { $0.column == channel }.map(\.magnitude).max() ?? 0
    }
    massiveLayers = layers.indices.filter { flags[$0] }.map { layers[$0] }
    before = first > 0 ? layers[first - 1] : nil
    born = layers[first]
    self.last = layers[last]
    gone = last + 1 < layers.count ? layers[last + 1] : nil
    let maxima = maxima
    peakLayer = layers[maxima.indices.max { (maxima[$0], $1) < (maxima[$1], $0) } ?? 0]
  }
}
