// NumKit hands on its rooms: `import NumKit` is all that a client writes.
@_exported import NumKitJudging
@_exported import NumKitKernels
@_exported import NumKitNumbers
@_exported import NumKitQuestions
@_exported import NumKitTruth
