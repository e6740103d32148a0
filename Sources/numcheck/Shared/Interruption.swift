import Dispatch
import Foundation
import TensorFiles

/// What an interrupted command leaves behind: nothing.
enum Interruption {
  /// From now on a signal that ends the process removes its temporary files first. One that is ignored stays so.
  static func removeUnfinishedFiles() {
    // A parent may hand them on blocked, as Foundation's Process does: nobody could end this one but by force.
    var mask = sigset_t()
    sigemptyset(&mask)
    for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&mask, number) }
    pthread_sigmask(SIG_UNBLOCK, &mask, nil)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      // Taken over only where it would end the process.
      let before = signal(number, SIG_IGN)
      guard before == nil else {
        signal(number, before)
        continue
      }
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        UnfinishedFiles.remove {
          signal(number, SIG_DFL)
          kill(getpid(), number)
          // The signal may take another thread first.
          sleep(1)
        }
      }
      source.resume()
      sources.append(source)
    }
  }

  /// A mapped file that another process cuts short ends this one with a line, as any unreadable input does.
  static func reportTruncatedInputs() {
    UnfinishedFiles.removeAtOnce()
    signal(SIGBUS) { _ in
      UnfinishedFiles.removeAtOnce()
      let line: StaticString = "numcheck: an input was cut short while it was read\n"
      write(STDERR_FILENO, line.utf8Start, line.utf8CodeUnitCount)
      _exit(2)
    }
  }

  nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []
}
