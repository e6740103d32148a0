import NumKit

/// Around the maximum.
enum ShiftDefects {
  static let all = [
    Defect("no-shift", "no maximum subtracted: overflows where e^x does") { $0.shift = .none },
    Defect("stale-maximum", "the maximum of the first half alone: overflows where the rest is far above") {
      $0.shift = .stale(64)
    },
    Defect("skipped-rescale", "an online sum that is not rescaled where the maximum grows, in blocks of 128")
    {
      $0.unscaledBlock = 128
    },
    Defect("wrong-scale", "logits multiplied by 1.1") { $0.scale = 1.1 },
    Defect("slightly-wrong-scale", "logits multiplied by 1 + 2^-10") { $0.scale = 1 + 0x1p-10 },
    Defect("mask-off-by-one", "the last element hidden as if masked") { $0.hidden = { ($0 - 1)..<$0 } },
  ]
}

/// Around the sum.
enum SumDefects {
  static let all = [
    Defect("f16-accumulator", "sums in f16") { $0.accumulator = .f16 },
    Defect("bf16-accumulator", "sums in bf16") { $0.accumulator = .bf16 },
    Defect("lost-element", "the last element left out of the sum") { $0.unsummed = { ($0 - 1)..<$0 } },
    Defect("lost-block", "the last block of 32 left out of the sum") {
      $0.unsummed = { Swift.max(0, $0 - 32)..<$0 }
    },
    Defect("lost-half", "the second half left out of the sum: one of two threads' parts") {
      $0.unsummed = { ($0 / 2)..<$0 }
    },
  ]
}

/// Around e^x.
enum ExponentialDefects {
  static let all = [
    Defect("exp-degree-3", "2^f by a cubic: about 2^-13") { $0.exponential = .polynomial(degree: 3) },
    Defect("exp-degree-2", "2^f by a parabola: about 2^-9") { $0.exponential = .polynomial(degree: 2) },
    Defect("exp-bits", "e^x as the bits of a float: about 3 %") { $0.exponential = .bits },
    Defect("log2e-8-bits", "2^(x log2 e) with log2 e cut to 8 bits") { $0.exponential = .coarseConstant },
    Defect("f16-compute", "element-wise operations in f16") { $0.compute = .f16 },
  ]
}

/// Around results.
enum ResultDefects {
  static let all = [
    Defect("truncation", "results cut, not rounded to nearest") { $0.isTruncated = true },
    Defect("dropped-bits", "results keep 10 significand bits") {
      $0.after = { y, _ in for i in y.indices { y[i] = NumberFormat.tf32.round(y[i]) } }
    },
    Defect("flush", "results below 2^-14 become 0, as in f16 without subnormals", only: [.softmax]) {
      $0.after = { y, _ in for i in y.indices where y[i] < 0x1p-14 { y[i] = 0 } }
    },
    Defect("saturation", "results above 2^-9 saturate there", only: [.softmax]) {
      $0.after = { y, _ in for i in y.indices { y[i] = Swift.min(y[i], 0x1p-9) } }
    },
    Defect("swapped", "the first two results change places", only: [.softmax, .logSoftmax]) {
      $0.after = { y, _ in if y.count > 1 { y.swapAt(0, 1) } }
    },
    Defect("stale-row", "every eighth row has the results of the row before") {
      $0.looksBack = true
      $0.after = { y, place in if place.row % 8 == 7 { y = place.previous } }
    },
    Defect("nan-ignored", "NaN becomes 0") {
      $0.after = { y, _ in for i in y.indices where y[i].isNaN { y[i] = 0 } }
    },
  ]
}

/// Results that nobody computed.
enum CheatDefects {
  static let all = [
    Defect("zeros", "all results 0") { $0.after = { y, _ in for i in y.indices { y[i] = 0 } } },
    Defect("uniform", "all results 1/n", only: [.softmax]) {
      $0.after = { y, _ in
        let share = 1 / Double(y.count)
        for i in y.indices { y[i] = share }
      }
    },
    Defect("previous-row", "the results of the row before, from the second row on") {
      $0.looksBack = true
      $0.after = { y, place in if !place.previous.isEmpty { y = place.previous } }
    },
  ]
}
