/// The least number that both divide, for bands of rows that are whole units of several schemes; the largest Int where it is larger.
func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
  let (a, b) = (max(a, 1), max(b, 1))
  var (x, y) = (a, b)
  while y != 0 { (x, y) = (y, x % y) }
  let (product, overflow) = (a / x).multipliedReportingOverflow(by: b)
  return overflow ? .max : product
}
