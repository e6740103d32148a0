import Reports

/// The JSON Schema of a gate's file, for editors: made from what the program has, so that it knows every flag.
package enum GateSchema {
  package static let id = "urn:numcheck:schema:numcheck-gate-1"

  package static func text(_ catalogue: Catalogue) -> String {
    var flags = Definitions()
    let checks = catalogue.commands.map { check($0, &flags) }
    let defaults = catalogue.allFlags.map { JSONValue.Member($0.name, flags.reference($0)) }
    return JSONText.of(
      .object([
        "$schema": .text("https://json-schema.org/draft/2020-12/schema"), "$id": .text(id),
        "title": .text("A gate of numcheck (numcheck.yml)"), "type": .text("object"),
        "required": .list([.text("checks")]), "additionalProperties": .flag(false),
        "properties": .object([
          "checks": described(
            "What is checked, in order.",
            .object(["type": .text("array"), "items": .object(["oneOf": .list(checks)])])),
          "defaults": described(
            "Flags of every check whose command has them, unless it says otherwise.",
            .object([
              "type": .text("object"), "additionalProperties": .flag(false), "properties": .members(defaults),
            ])),
          "threads": described("How many checks run at once.", whole(1, 1024)),
          "time-limit": described("Seconds that a check may take.", positive),
          "fail-fast": described("Whether the first that fails ends the run.", boolean),
          "lock": described("The lockfile's path (numcheck.lock).", string),
          "slack": described("By which share a pinned figure may be worse (0.01).", share),
          "history": described("An SQLite file that keeps each run's figures.", string),
        ]),
        "$defs": .members(
          [
            .init("scalar", scalar),
            .init(
              "values", .object(["type": .text("array"), "minItems": .integer(1), "items": aScalar])),
          ] + own.map { .init("check." + $0.0, $0.1) } + flags.list),
      ]), width: 110)
  }

  /// Flags that several commands share are written once.
  private struct Definitions {
    private(set) var list: [JSONValue.Member] = []

    mutating func reference(_ flag: Catalogue.Flag) -> JSONValue {
      let value = GateSchema.flag(flag)
      var name = "flag.\(flag.name)"
      var number = 1
      while let known = list.first(where: { $0.name == name }) {
        if known.value == value { break }
        number += 1
        name = "flag.\(flag.name).\(number)"
      }
      if !list.contains(where: { $0.name == name }) { list.append(.init(name, value)) }
      return .object(["$ref": .text("#/$defs/\(name)")])
    }
  }

  private static let scalar: JSONValue = .object([
    "type": .list(["string", "number", "boolean"].map { .text($0) })
  ])
  private static let aScalar: JSONValue = .object(["$ref": .text("#/$defs/scalar")])
  private static let string: JSONValue = .object(["type": .text("string"), "minLength": .integer(1)])
  private static let boolean: JSONValue = .object(["type": .text("boolean")])
  private static let positive: JSONValue = .object(["type": .text("number"), "exclusiveMinimum": .integer(0)])
  private static let share: JSONValue = .object([
    "type": .text("number"), "minimum": .integer(0), "maximum": .integer(1000),
  ])

  private static func whole(_ least: Int, _ most: Int) -> JSONValue {
    .object(["type": .text("integer"), "minimum": .integer(least), "maximum": .integer(most)])
  }

  private static func described(_ text: String, _ value: JSONValue) -> JSONValue {
    guard case .members(let members) = value else { return value }
    return .members([.init("description", .text(text))] + members)
  }

  /// One, or a list of at least one.
  private static func oneOrMore(_ item: JSONValue) -> JSONValue {
    .object([
      "oneOf": .list([
        item, .object(["type": .text("array"), "minItems": .integer(1), "items": item]),
      ])
    ])
  }

  private static func flag(_ flag: Catalogue.Flag) -> JSONValue {
    if flag.isSwitch { return described(flag.summary, boolean) }
    var one = aScalar
    // Aliases are taken too, so that names are examples.
    if !flag.values.isEmpty {
      one = .object([
        "type": .list([.text("string"), .text("number")]), "examples": .list(flag.values.map { .text($0) }),
      ])
    }
    return described(flag.summary, flag.isRepeating ? oneOrMore(one) : one)
  }

  /// Keys of a check that are no flags, `run` and `matrix` aside.
  private static let own: [(String, JSONValue)] = [
    ("name", described("What it is called; each of a file otherwise.", string)),
    ("arguments", described("Arguments that are no flags.", oneOrMore(aScalar))),
    (
      "limit",
      described(
        "What its report is held to: 'ulp.max <= 3', 'shifted: headroomBits >= 2', or 'derived': the bound that theory allows.",
        oneOrMore(string))
    ),
    ("tolerance", described("How many times the derived bound is allowed (1).", positive)),
    ("allow-vacuous", described("Results that may have nothing to hold a limit against.", oneOrMore(string))),
    (
      "exclude",
      described(
        "Combinations to leave out.",
        .object(["type": .text("array"), "items": .object(["type": .text("object")])]))
    ),
    (
      "pin",
      described(
        "Figures that the lockfile pins; false for none, true for those with a better side (true).",
        .object(["oneOf": .list([boolean, string, .object(["type": .text("array"), "items": string])])]))
    ),
    ("slack", described("By which share a pinned figure may be worse.", share)),
    ("time-limit", described("Seconds that it may take.", positive)),
  ]

  private static func check(_ command: Catalogue.Command, _ definitions: inout Definitions) -> JSONValue {
    let values: JSONValue = .object(["$ref": .text("#/$defs/values")])
    let keys: [JSONValue.Member] =
      [
        .init(
          "run",
          described(
            command.summary,
            .object(["type": .text("string"), "pattern": .text("^\(command.name)( .*)?$")]))),
        .init(
          "matrix",
          described(
            "Flags and the values to try: a check for each combination.",
            .object([
              "type": .text("object"), "minProperties": .integer(1),
              "propertyNames": .object(["enum": .list(command.flags.map { .text($0.name) })]),
              "additionalProperties": values,
            ]))),
      ] + own.map { .init($0.0, .object(["$ref": .text("#/$defs/check.\($0.0)")])) }
    // A key of the gate's own comes before a flag of that name.
    let flags = command.flags.filter { f in !keys.contains { $0.name == f.name } }.map {
      JSONValue.Member($0.name, definitions.reference($0))
    }
    return .object([
      "title": .text(command.name), "type": .text("object"), "required": .list([.text("run")]),
      "additionalProperties": .flag(false), "properties": .members(keys + flags),
    ])
  }
}
