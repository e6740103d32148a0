import NumKit

/// A way to make values by chance. What it makes shrinks by itself: it is made anew from simpler choices, by the same code, so that it
/// never is what the generator could not have made.
public struct Generator<Value>: Sendable {
  let make: @Sendable (Draw) throws -> Value

  /// A generator that asks `draw` for its choices.
  public init(_ make: @escaping @Sendable (_ draw: Draw) throws -> Value) { self.make = make }

  /// The value of these choices; nil where they lead to none.
  public func value(of choices: [Choice]) throws -> Value? { try replay(choices)?.value }

  /// The same, with the choices that were asked for: what was too much is left out.
  public func replay(_ choices: [Choice]) throws -> (value: Value, choices: [Choice])? {
    let draw = Draw(replaying: choices)
    do {
      let value = try make(draw)
      return draw.isUsedUp ? (value, draw.choices) : nil
    } catch is Draw.Unfit {
      return nil
    }
  }

  /// Value number `run` of a seed, and the choices that make it again; nil where a filter wants none of it.
  public func value(seed: UInt64, run: Int) throws -> (value: Value, choices: [Choice])? {
    let draw = Draw(seed: seed, run: run)
    do { return (try make(draw), draw.choices) } catch is Draw.Unfit { return nil }
  }

  /// Makes another value of each.
  public func map<T>(_ change: @escaping @Sendable (Value) throws -> T) -> Generator<T> {
    Generator<T> { try change(make($0)) }
  }

  /// Goes on with a generator that depends on the value.
  public func flatMap<T>(_ next: @escaping @Sendable (Value) throws -> Generator<T>) -> Generator<T> {
    Generator<T> { draw in try next(make(draw)).make(draw) }
  }

  /// Only values that `isWanted` wants. Where it wants few, a generator that makes them is better.
  public func filter(_ isWanted: @escaping @Sendable (Value) throws -> Bool) -> Generator {
    Generator { draw in
      let value = try make(draw)
      guard try isWanted(value) else { throw Draw.Unfit() }
      return value
    }
  }

  /// Lists of values.
  public func list(_ count: ClosedRange<Int>) -> Generator<[Value]> {
    Generator<[Value]> { draw in try draw.list(count) { _ in try make(draw) } }
  }

  /// Always the same.
  public static func always(_ value: Value) -> Generator where Value: Sendable { Generator { _ in value } }

  /// One of several; shrinking goes towards the first.
  public static func one(of generators: [Generator]) -> Generator {
    Generator { draw in
      guard !generators.isEmpty else { throw Draw.Unfit() }
      return try generators[draw.integer(0...generators.count - 1)].make(draw)
    }
  }

  /// Pairs.
  public static func pair<A, B>(_ a: Generator<A>, _ b: Generator<B>) -> Generator<(A, B)>
  where Value == (A, B) {
    Generator { draw in (try a.make(draw), try b.make(draw)) }
  }
}

extension Generator where Value == Int {
  /// Whole numbers.
  public static func integers(_ range: ClosedRange<Int>) -> Generator { Generator { try $0.integer(range) } }

  /// Lengths: small ones, those around powers of two, and any.
  public static func lengths(_ range: ClosedRange<Int>) -> Generator {
    Generator { draw in try draw.integer(range) { $0.length(in: range) } }
  }
}

extension Generator where Value == Bool {
  /// True and false.
  public static var flags: Generator { Generator { try $0.flag() } }
}
