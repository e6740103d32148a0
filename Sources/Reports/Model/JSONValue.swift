/// A value as machines read it: what JSON can say, members in the order they were written, floats that are not finite included.
package enum JSONValue: Sendable, Equatable {
  /// No value.
  case none
  case flag(Bool)
  case integer(Int)
  case unsigned(UInt64)
  case number(Double)
  case text(String)
  case list([JSONValue])
  case members([Member])

  /// A value and its name.
  package struct Member: Sendable, Equatable {
    package let name: String
    package let value: JSONValue

    package init(_ name: String, _ value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  package static func object(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
    .members(members.map { Member($0.key, $0.value) })
  }

  /// `value`, or none.
  package static func optional(_ value: JSONValue?) -> JSONValue { value ?? .none }
}

extension JSONValue {
  /// The number that it is, for comparing; nil for anything else. An `unsigned` above 2^53 is rounded.
  package var double: Double? {
    switch self {
    case .integer(let n): Double(n)
    case .unsigned(let n): Double(n)
    case .number(let x): x
    default: nil
    }
  }

  /// Whether it is a single value: no list, no members.
  package var isScalar: Bool {
    switch self {
    case .list, .members: false
    default: true
    }
  }

  /// Whether it is a list without items, or has no members.
  var isEmpty: Bool {
    switch self {
    case .list(let items): items.isEmpty
    case .members(let members): members.isEmpty
    default: false
    }
  }

  /// What stands at a path of names within it; nil where nothing does.
  package subscript(path path: ArraySlice<Substring>) -> JSONValue? {
    guard let name = path.first else { return self }
    guard case .members(let members) = self,
      let member = members.first(where: { $0.name.utf8.elementsEqual(name.utf8) })
    else { return nil }
    return member.value[path: path.dropFirst()]
  }

  /// Values at dotted paths (`ulp.max`) as members within members.
  package static func nested(_ values: [(path: String, value: JSONValue)]) -> JSONValue {
    var root = Tree()
    for (path, value) in values { root.add(path.split(separator: ".")[...], value) }
    return root.value
  }

  /// Members under way: names in the order in which they first came.
  private struct Tree {
    private var order: [String] = []
    private var leaves: [String: JSONValue] = [:]
    private var branches: [String: Tree] = [:]

    mutating func add(_ path: ArraySlice<Substring>, _ value: JSONValue) {
      guard let first = path.first else { return }
      let name = String(first)
      if leaves[name] == nil && branches[name] == nil { order.append(name) }
      if path.count == 1 {
        leaves[name] = value
      } else {
        branches[name, default: Tree()].add(path.dropFirst(), value)
      }
    }

    var value: JSONValue {
      .members(
        order.map { name in
          guard let branch = branches[name]?.value else { return Member(name, leaves[name] ?? .none) }
          // What stands at the path itself comes before what stands within it.
          guard case .members(let own)? = leaves[name], case .members(let others) = branch else {
            return Member(name, branch)
          }
          return Member(name, .members(own + others))
        })
    }
  }
}
