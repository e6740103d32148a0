/// Whether tests were compiled with optimisation: what takes minutes without is then asked in full.
public let isOptimized: Bool = {
  var isDebug = false
  // Only evaluated without.
  assert(
    {
      isDebug = true
      return true
    }())
  return !isDebug
}()
