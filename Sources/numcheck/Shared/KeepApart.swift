import SystemPackage
import TensorFiles

/// Throws where an output is a file that is also read, or written twice: what was in it would be gone. Files are told by what they
/// are, not by their names; standard input is one where it is a file, and standard output another output.
func keepApart(outputs: [String?], inputs: [String?]) throws {
  let outputs = outputs.compactMap { $0 }
  if outputs.isEmpty { return }
  var read: Set<FileIdentity> = []
  for input in inputs.compactMap({ $0 }) {
    let path = TensorSpecifier(argument: input).path
    if let identity = path == "-" ? FileIdentity(descriptor: 0) : FileIdentity(path) { read.insert(identity) }
  }
  var taken: Set<OutputPlace.Identity> = []
  if let identity = FileIdentity(descriptor: 1) { taken.insert(.file(identity)) }
  for output in outputs {
    let place = try OutputPlace(FilePath(argument: output))
    if case .file(let identity) = place.identity, read.contains(identity) || OpenedFiles.contains(identity) {
      throw UsageError("\(output) is an input, it would be lost")
    }
    guard taken.insert(place.identity).inserted else { throw UsageError("\(output) would be written twice") }
  }
}

/// Runs `report`, then puts the finished `files` under their names: all, or none where the report ends with status 2. A check that
/// failed is an answer: the files are there.
func deliver(_ files: [any UnfinishedFile], after report: () throws -> Void) throws {
  do {
    for file in files {
      try file.prepare()
      // Whatever the flag that named it: what was read stays.
      if case .file(let identity) = file.place?.identity, OpenedFiles.contains(identity) {
        throw UsageError("\(file.path) is an input, it would be lost")
      }
    }
    try report()
  } catch let failed as CheckFailed {
    try UnfinishedFiles.finish(files)
    throw failed
  } catch {
    for file in files { file.discard() }
    throw error
  }
  try UnfinishedFiles.finish(files)
}
