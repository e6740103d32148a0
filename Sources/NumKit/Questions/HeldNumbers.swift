import NumKitNumbers

/// The numbers of a tensor, held as Floats where that loses nothing and somebody asked for it: each reads as the Double it is.
@usableFromInline package struct HeldNumbers: Sendable {
  /// Exactly one of these has all numbers.
  @usableFromInline package let wide: [Double]
  @usableFromInline package let narrow: [Float]

  init(_ wide: [Double]) { (self.wide, narrow) = (wide, []) }
  init(_ narrow: [Float]) { (wide, self.narrow) = ([], narrow) }

  /// All of them.
  @inlinable package var array: [Double] { narrow.isEmpty ? wide : narrow.map { Double($0) } }

  /// Those at `range`.
  @inlinable package func withNumbers<Result>(
    _ range: Range<Int>, _ body: (UnsafeBufferPointer<Double>) -> Result
  )
    -> Result
  {
    if narrow.isEmpty {
      return wide.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[range])) }
    }
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: range.count) { room in
      for (place, i) in range.enumerated() { room.initializeElement(at: place, to: Double(narrow[i])) }
      return body(UnsafeBufferPointer(room))
    }
  }

  /// Those at `range` as a pointer: into what is held, or into `room`, which has space for them and receives them.
  package func pointer(
    _ range: Range<Int>, room: @autoclosure () -> UnsafeMutablePointer<Double>,
    _ body: (UnsafePointer<Double>) -> Void
  ) {
    if narrow.isEmpty {
      return wide.withUnsafeBufferPointer { $0.baseAddress.map { body($0 + range.lowerBound) } ?? () }
    }
    let room = room()
    narrow.withUnsafeBufferPointer { x in
      for (place, i) in range.enumerated() { room[place] = Double(x[i]) }
    }
    body(room)
  }

  /// The same numbers as Floats, if all are.
  func narrowed() -> HeldNumbers {
    let fits = narrow.isEmpty && wide.allSatisfy { $0.isNaN || Double(Float($0)) == $0 }
    return fits ? HeldNumbers(wide.map { Float($0) }) : self
  }

  /// Each rounded to `format`; as Floats where they were such or it is `narrowing`, if that holds them. What does not change is not held
  /// twice.
  func rounded(to format: NumberFormat, _ overflow: Overflow, narrowing: Bool) -> HeldNumbers {
    let changes = contains { format.round($0, overflow: overflow).bitPattern != $0.bitPattern }
    if !changes { return self }
    if (narrowing || !narrow.isEmpty) && NumberFormat.f32.holdsNumbers(of: format) {
      return HeldNumbers(map { Float(format.round($0, overflow: overflow)) })
    }
    return HeldNumbers(map { format.round($0, overflow: overflow) })
  }

  /// Whether all are the same; a NaN is as good as another.
  func isSame(as other: HeldNumbers) -> Bool {
    count == other.count && zip(self, other).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
  }
}

extension HeldNumbers: RandomAccessCollection {
  @inlinable package var startIndex: Int { 0 }
  @inlinable package var endIndex: Int { narrow.isEmpty ? wide.count : narrow.count }
  @inlinable package subscript(i: Int) -> Double { narrow.isEmpty ? wide[i] : Double(narrow[i]) }
}
