import ArgumentParser

/// What a tensor is for.
enum Purpose: String, CaseIterable, ExpressibleByArgument {
  case softmax, matmul, attention
}
