#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Runs `body(0)` … `body(count − 1)` at once, each on a thread of its own (the first on the caller's), and waits for all.
///
/// Plain threads, not a pool that decides how many the machine can spare: `--threads` means what it says.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Task {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
  var started: [pthread_t] = []
  var rest: [Int] = []
  for index in 1..<Swift.max(count, 1) {
    let task = Unmanaged.passRetained(Task { body(index) })
    #if canImport(Darwin)
      var thread: pthread_t?
      let failed =
        pthread_create(
          &thread, nil,
          {
            Unmanaged<Task>.fromOpaque($0).takeRetainedValue().run(); return nil
          }, task.toOpaque()) != 0
      if !failed, let thread { started.append(thread) }
    #else
      var thread = pthread_t()
      let failed =
        pthread_create(
          &thread, nil,
          { argument in
            if let argument { Unmanaged<Task>.fromOpaque(argument).takeRetainedValue().run() }
            return nil
          }, task.toOpaque()) != 0
      if !failed { started.append(thread) }
    #endif
    if failed {
      task.release()
      rest.append(index)
    }
  }
  body(0)
  // What the system gave no thread for is done here.
  for index in rest { body(index) }
  for thread in started { pthread_join(thread, nil) }
}
