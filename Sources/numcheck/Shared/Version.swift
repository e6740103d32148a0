import Reports

/// The version of the command and of its libraries.
let toolVersion = "0.1.0"

extension Report {
  /// An empty report of this version.
  init(_ command: String, title: String = "") {
    self.init(command: command, version: toolVersion, title: title)
  }
}
