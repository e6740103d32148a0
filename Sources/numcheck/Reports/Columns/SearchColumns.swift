import Reports

/// Columns of what a search found.
enum SearchColumns {
  static let kernel = Column(
    "kernel", "kernel", .decides, "the kernel that was searched", align: .left, key: true)
  static let fault = Column(
    "fault", "fault", .decides,
    "how its results are wrong: nan, infinite, finite (where the truth is special), zero, above-bound, batch (its neighbours change a "
      + "row), crash, time-out, …; none where nothing wrong was found",
    align: .left, key: true)
  static let rows = Column(
    "wrong", "wrongRows", .decides, "rows that were found wrong so", sense: .lowerIsBetter)
  static let foundAt = Column(
    "found at", "foundAt", .decides,
    "rows that were tried until the first such one; 0 for one kept from before")
  static let ulp = Column(
    "max ulp", "ulp.max", .decides, "the largest error of the worst row", unit: "ulp", hex: true,
    sense: .lowerIsBetter)
  static let share = Column(
    "x bound", "share", .decides,
    "the largest error of the worst row as a multiple of what a right kernel may err by",
    sense: .lowerIsBetter)
  static let length = Column("length", "length", .decides, "numbers, or pairs, in the worst row")
  static let shrunkLength = Column(
    "shrunk", "shrunk.length", .decides, "numbers, or pairs, in the simplest row that fails so")
  static let steps = Column("steps", "shrunk.steps", .detail, "steps from the worst row to the simplest")
  static let attempts = Column("tried", "shrunk.tries", .detail, "rows that were tried on the way")
  static let isComplete = Column(
    "complete", "shrunk.complete", .detail,
    "whether there is nothing simpler one step away; no where --shrink or --seconds ended it")
  static let isReproduced = Column(
    "alone", "reproduced", .detail, "whether the row fails by itself as it did among others")
  static let witness = Column(
    "witness", "witness", .machine,
    "the simplest row, and its worst result: where it stands, what was computed, what is exact, what is allowed"
  )

  static let all = [
    kernel, fault, rows, foundAt, ulp, share, length, shrunkLength, steps, attempts, isComplete, isReproduced,
    witness,
  ]
}
