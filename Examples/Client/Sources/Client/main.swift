import NumKit

// 1. Our kernels in bf16, as in the README.

let experiment = Experiment(
  .softmax, algorithms: Algorithm.all(for: .softmax, dtype: .float(.bf16)),
  configuration: KernelConfiguration(storage: .float(.bf16), accumulator: .f32))
let rows = GeneratedRows(.normal, range: 4, rows: 64, length: 256, seed: 1)
for entry in try experiment.run(on: rows).entries {
  print(entry.algorithm, entry.verdict, entry.kernel.maxUlp)
}

// 2. A kernel of one's own beside them, written once for every format. It has no error model: nobody else's bound is taken.

let own = Experiment(
  .softmax, algorithms: [Algorithm(HalvedSoftmax.self)],
  configuration: KernelConfiguration(storage: .float(.f16), compute: .f32))
for entry in try own.run(on: rows).entries {
  print(entry.algorithm, entry.verdict, entry.kernel.maxUlp, entry.bound)
}

// 3. A question of one's own: the mean of a row.

let trial = Trial(Mean(), candidates: [FloatMean()], format: .f32, threads: 2) { _ in MeanProver() }
let found = try trial.run(on: MeanRows(rows: rows))
for entry in found.entries {
  let part = entry.parts[0]
  print(entry.candidate.name, part.verdict, part.kernel.maxUlp, "of", part.boundUlp)
}
