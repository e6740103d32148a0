import Reports

/// A file to begin with: checks that any kernel should pass, and one for each tensor that was found.
package enum Starter {
  /// A tensor, and what it seems to be.
  package struct Tensor: Sendable {
    package let path: String
    package let kind: Kind

    package enum Kind: Sendable { case logits, weights, activations }

    package init(path: String, kind: Kind) { (self.path, self.kind) = (path, kind) }
  }

  /// What a file of that name holds, as far as its name says.
  package static func kind(of path: String) -> Tensor.Kind {
    let name = path.lowercased()
    if name.contains("logit") || name.contains("score") { return .logits }
    if name.contains("hidden") || name.contains("activation") || name.contains("embed") {
      return .activations
    }
    return name.hasSuffix(".gguf") || name.contains("weight") ? .weights : .activations
  }

  package static func text(_ tensors: [Tensor], schema: String) -> String {
    var out = """
      # yaml-language-server: $schema=\(schema)
      #
      # What 'numcheck gate' holds this repository's numbers to. Each check runs a command of numcheck ('run') with its flags
      # (keys without their dashes; 'numcheck COMMAND --help' lists them) and holds figures of its report ('numcheck list
      # figures') to limits. 'numcheck gate --list' shows what there is, 'numcheck gate --update' pins today's figures in
      # numcheck.lock, so that later runs fail where one gets worse.

      # threads: 2            # checks at once; --threads and NUMCHECK_THREADS come before it
      # time-limit: 60        # seconds a check
      # fail-fast: true
      # slack: 0.1            # a pinned figure may be a tenth worse (default: a hundredth)
      # history: numcheck.db  # keeps each run's figures; 'numcheck history numcheck.db' shows them over commits

      defaults:
        rows: 64
        seed: 1

      checks:
        # A softmax that subtracts the maximum stays within what theory allows it, in every format.
        - name: softmax
          run: softmax
          algorithm: shifted
          accumulate: f32            # long rows are too long for sums in 16 bits
          limit:
            - derived                # the proven bound holds, and says something
            - nanRows == 0
          matrix:
            dtype: [f32, f16, bf16]
            range: [1, 10, 100]
          length: 256

        # Numbers of your own: any figure, any relation. What stands before a colon selects results: of the others, which
        # overflow in half, nothing is asked.
        - name: log-sum-exp in half
          run: lse
          dtype: f16
          length: 256
          limit: "shifted*: ulp.max <= 2"

      """
    var names: [String: Int] = [:]
    for tensor in tensors {
      let base = tensor.path.split(separator: "/").last.map(String.init) ?? tensor.path
      names[base, default: 0] += 1
      let name = names[base] == 1 ? base : "\(base) (\(names[base] ?? 0))"
      out += "\n"
      switch tensor.kind {
      case .logits:
        out += """
            # Rows of a file that looks like logits.
            - name: \(quoted("softmax of \(name)"))
              run: softmax
              input: \(quoted(tensor.path))
              dtype: bf16
              accumulate: f32
              algorithm: shifted
              limit: derived

          """
      case .weights:
        out += """
            # What a scheme leaves of these weights, in dB.
            - name: \(quoted("schemes on \(name)"))
              run: quantize
              input: \(quoted(tensor.path))
              scheme: [q8_0, int8@token]
              limit: sqnr >= 30

          """
      case .activations:
        out += """
            # No number that is none, and nothing massive that nobody knows of.
            - name: \(quoted("activations of \(name)"))
              run: activations
              arguments: \(quoted(tensor.path))
              limit: [nan == 0, infinite == 0]

          """
      }
    }
    return out
  }

  /// A scalar of YAML that is text whatever it spells.
  private static func quoted(_ text: String) -> String { "\"" + Escaping.json(text) + "\"" }
}
