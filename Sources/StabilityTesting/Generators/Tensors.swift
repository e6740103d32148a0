import NumKit

extension Generator where Value: Scalar {
  /// Vectors of so many numbers.
  public func vector(_ count: ClosedRange<Int>) -> Generator<[Value]> { list(count) }

  /// Matrices, row by row; shrinking takes out rows and columns.
  public func matrix(rows: ClosedRange<Int>, columns: ClosedRange<Int>) -> Generator<[[Value]]> {
    Generator<[[Value]]> { draw in try Self.rectangle(draw, rows, columns) { _, _ in try make(draw) } }
  }

  fileprivate static func rectangle<T>(
    _ draw: Draw, _ rows: ClosedRange<Int>, _ columns: ClosedRange<Int>,
    _ element: (_ row: Int, _ column: Int) throws -> T
  ) throws -> [[T]] {
    var width = draw.decide { $0.length(in: columns) }
    return try draw.list(rows) { row in
      let line = try draw.list(width.map { $0...$0 } ?? columns, length: { _ in width ?? 0 }) { column in
        try element(row, column)
      }
      width = line.count
      return line
    }
  }
}

extension Generator {
  /// Rows of logits of the kinds in `families`, finite numbers at most `range` in magnitude; at least one is finite.
  public static func logits<S: Scalar>(
    _ count: ClosedRange<Int>, range: Double = .infinity, families: [RowFamily] = RowFamily.allCases
  ) -> Generator<[S]> where Value == [S] {
    let limit = S.format.largest(upTo: range)
    var domain = FloatDomain(S.format, in: -limit...limit)
    domain.hasMinusInfinity = families.contains(where: \.isMasked)
    let fixed = domain
    return Generator { draw in
      let planned = draw.decide { random in
        var row = [Double](repeating: 0, count: random.length(in: count))
        random.one(of: families).fill(&row, S.format, range: range, &random)
        return row
      }
      let row = try draw.list(count, length: { _ in planned?.count ?? 0 }) { i in
        S(rounding: try draw.float(fixed) { _ in planned?[i] ?? 0 })
      }
      guard row.isEmpty || row.contains(where: { $0.exact.isFinite }) else { throw Draw.Unfit() }
      return row
    }
  }

  /// Masks of queries by keys, true where a key is seen: all, causal, a window, blocks, padding, single keys; a query may see none.
  public static func mask(queries: ClosedRange<Int>, keys: ClosedRange<Int>) -> Generator
  where Value == [[Bool]] {
    Generator { draw in
      let kind = draw.decide { $0.integer(in: 0...5) } ?? 0
      let width = draw.decide { $0.integer(in: 1...8) } ?? 1
      let cut = draw.decide { $0.integer(in: keys) } ?? 0
      return try Generator<Float>.rectangle(draw, queries, keys) { i, j in
        try draw.flag { random in
          switch kind {
          case 0: true
          case 1: j <= i
          case 2: (i - width...i).contains(j)
          case 3: (i / width + j / width) % 2 == 0
          case 4: j < cut
          default: random.chance(0.3)
          }
        }
      }
    }
  }

  /// Tensors of normal numbers with planted outliers, as transformers have them: some channels large in every token, and a few massive
  /// elements. Magnitudes are `outlier` times the spread and more.
  public static func outliers<S: Scalar>(
    tokens: ClosedRange<Int>, channels: ClosedRange<Int>, spread: Double = 1, outlier: Double = 100
  ) -> Generator<[[S]]> where Value == [[S]] {
    let domain = FloatDomain(S.format)
    return Generator { draw in
      let loud = draw.decide { random in
        Set(
          (0..<random.integer(in: 0...2)).map { _ in random.integer(in: 0...max(0, channels.upperBound - 1)) }
        )
      }
      let massive = draw.decide { random in
        (
          random.integer(in: 0...max(0, tokens.upperBound - 1)),
          random.integer(in: 0...max(0, channels.upperBound - 1))
        )
      }
      return try Generator<S>.rectangle(draw, tokens, channels) { i, j in
        S(
          rounding: try draw.float(domain) { random in
            let x = spread * random.normal()
            if let massive, massive == (i, j) { return x + outlier * outlier * spread }
            return loud?.contains(j) == true ? x * outlier : x
          })
      }
    }
  }
}
