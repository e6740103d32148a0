import ArgumentParser
import Foundation
import Guests

/// The process in which a library's kernel is called. Not for people: it finds its caller's memory and channel as open descriptors.
struct ServeLibraryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: Invocation.libraryCommand,
    abstract: "Serve calls of a library's kernel to the process that started this one.",
    shouldDisplay: false)

  @Argument(help: ArgumentHelp("The library.", valueName: "FILE"), completion: .file())
  var library: String

  func run() throws {
    guard LibraryGuest.isCalled else {
      throw UsageError(
        "'\(Invocation.libraryCommand)' is how 'verify' calls libraries; it is no command of its own")
    }
    let bytes = ArgumentText.bytes(of: library)
    let status = LibraryGuest.serve(bytes)
    Foundation.exit(status)
  }
}
