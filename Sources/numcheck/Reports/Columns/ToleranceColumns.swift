import Reports

/// Columns of what tolerance kernels deserve.
enum ToleranceColumns {
  static let figure = Column(
    "figure", "figure", .decides, "how an error is expressed", align: .left, key: true)
  static let sound = Column(
    "cannot exceed", "sound", .decides,
    "what no right kernel of the plan exceeds on these rows: the largest sound bound of any algorithm")
  static let random = Column(
    "if random", "random", .useful,
    "what a row exceeds with a probability of 10^-6 at most if the roundings of its sums are random, each of mean zero given "
      + "those before it (Higham, Mary 2019): a probabilistic bound")
  static let rare = Column(
    "1 row in 10^6", "rare", .decides,
    "what a right kernel's row exceeds with a probability of 10^-6 at most: extrapolated from the rows that were run"
  )
  static let seen = Column("seen", "seen", .decides, "the largest that was measured")
  static let rule = Column("rule", "rule", .decides, "the rule that is judged", align: .left, key: true)
  static let verdict = Column(
    "verdict", "verdict", .decides,
    "fits; too tight: it refuses correctly rounded results or right kernels; too loose: it accepts planted defects; vacuous: it "
      + "accepts zeros; not judged: it needs a plain kernel's results beside, of which there are none",
    align: .left)
  static let right = Column(
    "refuses right rows", "refusesRight", .decides,
    "rows of right kernels that the rule refuses, of all their rows")
  static let low = Column(
    "from", "refusesRight95.low", .machine, "the lower end of the 95 % interval of that share")
  static let high = Column(
    "to", "refusesRight95.high", .useful, "the upper end of the 95 % interval of that share")
  static let rounded = Column(
    "refuses rounded", "refusesRounded", .decides, "rows whose correctly rounded results the rule refuses")
  static let passes = Column(
    "lets through", "passes", .decides,
    "defects that do harm and that the rule accepts: planted in kernels of softmax, logsoftmax and lse, in the results of others",
    align: .left,
    prose: true)

  static let all = [figure, sound, random, rare, seen, rule, verdict, right, low, high, rounded, passes]
}
