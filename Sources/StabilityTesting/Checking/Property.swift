/// What must hold of every value, and what it is called.
public struct Property<Value> {
  /// As failures and regression files call it.
  public let name: String
  /// Makes the test, once for a check: it may keep what is costly to make.
  let make: () throws -> (Value) throws -> Violation?

  /// A property whose test says how it is violated; nil where it holds. What it throws is a violation as well.
  public init(_ name: String, making make: @escaping () throws -> (Value) throws -> Violation?) {
    self.name = name
    self.make = make
  }

  /// A property that needs nothing prepared.
  public init(_ name: String, _ test: @escaping (Value) throws -> Violation?) {
    self.init(name) { test }
  }
}

/// How a property is violated.
public struct Violation: Error, Sendable, Hashable, CustomStringConvertible {
  /// Which failure it is: shrinking keeps to it, so that it does not end at another one.
  public var kind: String
  /// What is wrong, in a line.
  public var message: String

  /// Both parts.
  public init(_ kind: String, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public var description: String { message }

  /// nil where it holds.
  public static func unless(_ holds: Bool, _ kind: String, _ message: @autoclosure () -> String) -> Violation?
  {
    holds ? nil : Violation(kind, message())
  }
}
