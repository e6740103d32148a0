#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The system's own mutex around a value, for what is held long enough that others wait.
///
/// On Linux, `Synchronization.Mutex` is handed over by the kernel where threads wait, an order that ThreadSanitizer cannot see: it calls
/// each such wait a race.
package final class Lock<Value>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var value: Value

  package init(_ value: sending Value) {
    self.value = value
    mutex.initialize(to: pthread_mutex_t())
    let failure = pthread_mutex_init(mutex, nil)
    precondition(failure == 0, "no mutex: \(failure)")
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  package func withLock<Result, E: Error>(_ body: (inout Value) throws(E) -> Result) throws(E) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&value)
  }
}
