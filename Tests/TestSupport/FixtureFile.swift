import Foundation

/// The text of `fixtures/` + `path`, found from this file's own place.
public func fixtureText(_ path: String) throws -> String {
  let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  return try String(contentsOf: root.appending(path: "fixtures/\(path)"), encoding: .utf8)
}
