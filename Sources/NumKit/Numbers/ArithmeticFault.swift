import CLoops

/// Why nothing can be proven on a thread: its arithmetic is not the one that proofs assume (and that kernels are said to have).
/// A library compiled with -ffast-math sets such modes when it is loaded; threads inherit them.
public enum ArithmeticFault: Error, Hashable, CustomStringConvertible {
  /// It does not round to nearest even.
  case roundsElsewhere
  /// Subnormal numbers become 0.
  case flushesSubnormals

  /// That of this thread.
  public static var here: ArithmeticFault? {
    switch nc_arithmetic_fault() {
    case nc_rounds_elsewhere: return .roundsElsewhere
    case nc_flushes_subnormals: return .flushesSubnormals
    default: return nil
    }
  }

  /// Ends the process where arithmetic is not what proofs assume: an answer would be a false certificate.
  package static func refuse() {
    if let fault = here { fatalError(fault.description) }
  }

  public var description: String {
    switch self {
    case .roundsElsewhere:
      return
        "arithmetic does not round to nearest even on this thread (see fesetround), so nothing can be proven"
    case .flushesSubnormals:
      return
        "subnormal numbers are flushed to zero on this thread (by code made with -ffast-math?), so nothing can be proven"
    }
  }
}
