/// What can be asked in a gate's file: the commands of the program and their flags. The program says what it has; nothing here knows any.
package struct Catalogue: Sendable {
  package struct Flag: Sendable {
    /// Without its dashes.
    package let name: String
    /// Whether it takes no value.
    package let isSwitch: Bool
    package let isRepeating: Bool
    /// All values there are, aliases aside; empty where there is no list.
    package let values: [String]
    package let summary: String
    /// Flags beside which it says nothing: where a check has one of them, a default of this name is not for it.
    package let yieldsTo: Set<String>

    package init(
      name: String, isSwitch: Bool, isRepeating: Bool, values: [String] = [], summary: String = "",
      yieldsTo: Set<String> = []
    ) {
      self.yieldsTo = yieldsTo
      self.name = name
      self.isSwitch = isSwitch
      self.isRepeating = isRepeating
      self.values = values
      self.summary = summary
    }
  }

  package struct Command: Sendable {
    /// As it is called: `softmax`, `reference attention`.
    package let name: String
    package let summary: String
    package let flags: [Flag]
    /// Whether it takes arguments that are no flags.
    package let takesArguments: Bool

    package init(name: String, summary: String = "", flags: [Flag], takesArguments: Bool = false) {
      self.name = name
      self.summary = summary
      self.flags = flags
      self.takesArguments = takesArguments
    }

    func flag(_ name: String) -> Flag? { flags.first { $0.name == name } }
  }

  package let commands: [Command]

  package init(_ commands: [Command]) { self.commands = commands }

  func command(_ name: String) -> Command? { commands.first { $0.name == name } }

  /// Every flag of every command, once.
  var allFlags: [Flag] {
    var list: [Flag] = []
    for flag in commands.flatMap(\.flags) where !list.contains(where: { $0.name == flag.name }) {
      list.append(flag)
    }
    return list
  }
}
