/// Which elements of a matrix share a scale.
public enum Granularity: Sendable, Hashable {
  /// `@tensor`: all of them.
  case tensor
  /// `@channel`: those of a column, as in activations (tokens × channels).
  case channel
  /// `@token`: those of a row. What is called "per output channel" of a weight (outputs × inputs) is this.
  case token
  /// `@gN`: runs of N in a row; the last of a row may be shorter.
  case group(Int)
  /// `@bRxC`: blocks of R rows × C columns; those at the right and lower edges may be smaller.
  case block(Int, Int)

  /// Reads what follows the `@` of a name; nil if that is no granularity. `row` and `column` are other names of
  /// `token` and `channel`.
  public init?(_ text: some StringProtocol) {
    switch text {
    case "tensor": self = .tensor
    case "channel", "column": self = .channel
    case "token", "row": self = .token
    default:
      guard let kind = text.first, text.allSatisfy(\.isASCII) else { return nil }
      let sizes = text.dropFirst().split(separator: "x", omittingEmptySubsequences: false).map { size in
        size.allSatisfy(\.isNumber) ? Int(size) : nil
      }
      switch (kind, sizes.count) {
      case ("g", 1):
        guard let length = sizes[0], length > 0 else { return nil }
        self = .group(length)
      case ("b", 2):
        guard let rows = sizes[0], let columns = sizes[1], rows > 0, columns > 0 else { return nil }
        self = .block(rows, columns)
      default: return nil
      }
    }
  }

  /// What follows the `@` of a name.
  public var name: String {
    switch self {
    case .tensor: return "tensor"
    case .channel: return "channel"
    case .token: return "token"
    case .group(let length): return "g\(length)"
    case .block(let rows, let columns): return "b\(rows)x\(columns)"
    }
  }

  /// Rows of a block in a matrix of `rows`.
  func blockRows(_ rows: Int) -> Int {
    switch self {
    case .tensor, .channel: return max(rows, 1)
    case .token, .group: return 1
    case .block(let height, _): return min(height, max(rows, 1))
    }
  }

  /// Columns of a block in a matrix of `columns`.
  func blockColumns(_ columns: Int) -> Int {
    switch self {
    case .tensor, .token: return max(columns, 1)
    case .channel: return 1
    case .group(let width), .block(_, let width): return min(width, max(columns, 1))
    }
  }

  /// See `Scheme.independentRows`.
  var independentRows: Int? {
    switch self {
    case .tensor, .channel: return nil
    case .token, .group: return 1
    case .block(let height, _): return height
    }
  }
}
