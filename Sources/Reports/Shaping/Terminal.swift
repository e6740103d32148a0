#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// What standard output is.
package enum Terminal {
  /// What tables must fit where nobody says how wide a line may be.
  package static let usualWidth = 100

  /// The style that suits standard output: as wide as the terminal, in colour unless `NO_COLOR` is set or it knows no codes.
  package static func style(columns: ColumnChoice) -> Style {
    guard isatty(STDOUT_FILENO) == 1 else { return Style(width: usualWidth, columns: columns) }
    return Style(
      width: width, wraps: columns == .fitting, hasColour: getenv("NO_COLOR") == nil && !isDumb,
      columns: columns)
  }

  /// Whether it says that it knows no escape codes.
  package static var isDumb: Bool { getenv("TERM").map { String(cString: $0) == "dumb" } ?? false }

  /// `COLUMNS` where it is set to a number, else what the terminal says.
  private static var width: Int {
    if let text = getenv("COLUMNS"), let width = Int(String(cString: text)), width > 0 { return width }
    var size = winsize()
    let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return isKnown ? Int(size.ws_col) : usualWidth
  }
}
