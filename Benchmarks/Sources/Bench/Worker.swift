import Foundation

/// A case: how many elements one call handles, and the call.
struct Case {
  let name: String
  let elements: Int
  let body: () -> Void
}

/// Serves measurements to the driver: names all cases on one line, then answers each name read with the least time of
/// a call, in ns per element.
func serve(_ cases: [Case]) {
  print(cases.map(\.name).joined(separator: "\t"))
  fflush(nil)
  while let line = readLine() {
    guard let one = cases.first(where: { $0.name == line }) else {
      print("unknown")
      fflush(nil)
      continue
    }
    print(leastTime(one))
    fflush(nil)
  }
}

/// The least time of a call over at least 3 calls and 40 ms, in ns per element.
func leastTime(_ one: Case) -> Double {
  let clock = ContinuousClock()
  let start = clock.now
  var least = Double.infinity
  var calls = 0
  repeat {
    least = min(least, clock.measure(one.body) / .nanoseconds(1))
    calls += 1
  } while calls < 3 || clock.now - start < .milliseconds(40)
  return least / Double(one.elements)
}
