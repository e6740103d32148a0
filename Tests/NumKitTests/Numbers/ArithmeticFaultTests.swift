import Foundation
import NumKit
import Testing

/// A thread whose arithmetic is not what proofs assume is told so. Modes belong to a thread: each test runs on its own.
@Suite struct ArithmeticFaultTests {
  /// What `body` says on a thread of its own.
  private func onThread<T: Sendable>(_ body: @escaping @Sendable () -> T) -> T {
    nonisolated(unsafe) var answer: T?
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      answer = body()
      done.signal()
    }
    thread.start()
    done.wait()
    return answer!
  }

  @Test func ordinaryArithmeticIsFine() {
    #expect(ArithmeticFault.here == nil)
  }

  private static let modes: [Int32] = [FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO]

  @Test(arguments: modes)
  func anotherRoundingIsSeen(mode: Int32) {
    #expect(onThread { fesetround(mode) == 0 ? ArithmeticFault.here : nil } == .roundsElsewhere)
  }

  @Test func aTrialDoesNotRun() {
    let error = onThread { () -> String in
      fesetround(Self.modes[0])
      let experiment = Experiment(
        .softmax, algorithms: Algorithm.all(for: .softmax, dtype: .float(.f16)),
        configuration: KernelConfiguration(storage: .float(.f16)))
      do {
        _ = try experiment.run(on: GeneratedRows(.uniform, range: 1, rows: 1, length: 4, seed: 1))
        return "ran"
      } catch { return "\(error)" }
    }
    #expect(error == ArithmeticFault.roundsElsewhere.description)
  }

  #if arch(x86_64)
    /// Flush-to-zero (results), denormals-are-zero (arguments), both.
    @Test(arguments: [0x8000 as UInt32, 0x0040, 0x8040])
    func flushedSubnormalsAreSeen(bits: UInt32) {
      let fault = onThread { () -> ArithmeticFault? in
        var environment = fenv_t()
        fegetenv(&environment)
        environment.__mxcsr |= bits
        fesetenv(&environment)
        return ArithmeticFault.here
      }
      #expect(fault == .flushesSubnormals)
    }

    @Test func aProofDoesNotBegin() async {
      await #expect(processExitsWith: .failure) {
        var environment = fenv_t()
        fegetenv(&environment)
        environment.__mxcsr |= 0x8040
        fesetenv(&environment)
        _ = Reference(.softmax, format: .f16)
      }
    }
  #endif
}
