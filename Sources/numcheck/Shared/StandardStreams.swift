import Foundation
import Reports

/// Writes to standard output and error. Foundation's handles end the process where a descriptor cannot be written.
enum StandardStreams {
  /// Writes all of `text`; false where that cannot be.
  static func write(_ text: String, to descriptor: Int32) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while let start = rest.baseAddress, !rest.isEmpty {
        let written = Foundation.write(descriptor, start, rest.count)
        if written > 0 {
          rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        } else if written < 0 && errno == EAGAIN {
          // Somebody else's end made it non-blocking.
          var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&wait, 1, -1)
        } else if written == 0 || errno != EINTR {
          return false
        }
      }
      return true
    }
  }
}

/// Writes a report to standard output; throws where it cannot be written whole, so that no status 0 covers a lost report.
func emit(_ text: String) throws {
  guard StandardStreams.write(text, to: STDOUT_FILENO) else {
    throw UsageError("cannot write to standard output")
  }
}

/// A line on standard error, whatever names are in it (they drive no terminal). Where it cannot be written nobody reads it.
func printNote(_ text: String) {
  _ = StandardStreams.write("numcheck: \(Escaping.line(ArgumentText.shown(text)))\n", to: STDERR_FILENO)
}
