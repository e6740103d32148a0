import ArgumentParser
import Foundation
import NumKit

extension AttentionCommand {
  /// Runs the backward passes and reports their errors.
  func measureBackward() throws {
    let configuration = try precision.configuration()
    let source = try AttentionInput(input)
    let parameters = try question.parameters(source)
    var options = kernel
    if options.algorithm.isEmpty || options.algorithm == ["all"] {
      options.algorithm = ["standard", "flash"]
    }
    let runners = try options.runners(configuration, parameters)
    let gradient = try backward.gradient(source, seed: input.seed)
    let experiment = BackwardExperiment(
      source.tensors, gradient: gradient.values, parameters, runners, threads: threads.count)
    let progress = Progress(total: source.tensors.shape.keyHeads)
    let result: BackwardMeasurement
    do {
      result = try experiment.run(progress: progress.callback)
    } catch let error as BackwardError {
      throw UsageError("\(error)")
    }
    progress.finish()
    let backward = BackwardReport(
      configuration: configuration, experiment: experiment, origin: source.origin, gradient: gradient.name,
      result: result)
    try report.finish(backward.report, limits: thresholds.limits)
  }
}
