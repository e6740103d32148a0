import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct ActivationsTests {
  private static let hidden = CommandRunner.fixtures.appendingPathComponent(
    "smollm2/smollm2-hidden-bf16.safetensors"
  ).path

  /// The bytes of an .npy file of version 1.
  static func npy(_ descriptor: String, _ shape: [Int], fortran: Bool = false, _ elements: Data) -> Data {
    let dimensions = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header =
      "{'descr': '\(descriptor)', 'fortran_order': \(fortran ? "True" : "False"), 'shape': (\(dimensions)), }"
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    var data = Data([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0])
    data.append(UInt8(header.utf8.count & 255))
    data.append(UInt8(header.utf8.count >> 8))
    return data + Data(header.utf8) + elements
  }

  /// A mask's fill beside ordinary numbers: a ratio beyond any integer. And a token's median is not the tensor's.
  @Test func ratiosAreShownWhereThereAreAny() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("mask.npy")
    let values = (0..<64).map { $0 == 9 ? -Double(Float.greatestFiniteMagnitude) : Double($0 % 7 + 1) }
    try Self.npy("<f4", [8, 8], Self.bytes(values, "<f4")).write(to: file)
    let outcome = try CommandRunner.run(["activations", file.path])
    #expect(outcome.status == 0 && outcome.output.contains("x the median 4.00"), "\(outcome.errors)")
    let token = try CommandRunner.run(
      ["activations", file.path, "--median-scope", "token", "--massive-above", "1e39"])
    #expect(token.status == 0 && !token.output.contains("x the median"))
    // Not below the limit that was given: a column of zeros has no outlier.
    let zeros = folder.appendingPathComponent("zeros.npy")
    try Self.npy("<f4", [2, 2], Self.bytes([0, 2, 0, 3], "<f4")).write(to: zeros)
    let limited = try CommandRunner.json(["activations", zeros.path, "--outlier-above", "1e-300"])
    let tensor = try #require((limited["results"] as? [[String: Any]])?.first)
    #expect(tensor["channelOutliers"] as? [Int] == [0, 2])
  }

  /// What cannot be judged is not passed, and what f32 cannot hold is not profiled as an infinity.
  @Test func nothingCheckedAndNothingNarrowedSilently() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let empty = folder.appendingPathComponent("nan.npy")
    try Self.npy("<f4", [2, 2], Self.bytes([.nan, .nan, .infinity, .nan], "<f4")).write(to: empty)
    #expect(try CommandRunner.run(["activations", empty.path]).status == 0)
    let checked = try CommandRunner.run(["activations", empty.path, "--no-massive"])
    #expect(checked.status == 2 && checked.errors.contains("no element is finite"))
    let wide = folder.appendingPathComponent("wide.npy")
    for shape in [[2, 32], [32, 2]] {
      var values = [Double](repeating: 1, count: 64)
      values[63] = -1e300
      try Self.npy("<f8", shape, Self.bytes(values, "<f8")).write(to: wide)
      for command in [["activations", wide.path], ["quantize", "--input", wide.path]] {
        for axis in [[], ["--axis", "0"]] {
          let outcome = try CommandRunner.run(command + axis)
          #expect(outcome.status == 2 && outcome.errors.contains("-1e+300"), "\(command): \(outcome.errors)")
        }
      }
      values[63] = -.infinity
      try Self.npy("<f8", shape, Self.bytes(values, "<f8")).write(to: wide)
      #expect(try CommandRunner.run(["activations", wide.path]).status == 0)
    }
  }

  static func safetensors(_ tensors: [(name: String, type: String, shape: [Int], bytes: Data)]) -> Data {
    var (entries, body) = ([String](), Data())
    for t in tensors {
      let end = body.count + t.bytes.count
      entries.append(
        "\"\(t.name)\":{\"dtype\":\"\(t.type)\",\"shape\":\(t.shape),\"data_offsets\":[\(body.count),\(end)]}"
      )
      body.append(t.bytes)
    }
    let header = Data("{\(entries.joined(separator: ","))}".utf8)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header + body
  }

  /// A channel that pauses is not said to be massive throughout; layer 10 comes after layer 2.
  @Test func aCourseWithAGapIsNoSpan() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("layers.safetensors")
    func layer(_ name: String, _ isMassive: Bool) -> (name: String, type: String, shape: [Int], bytes: Data) {
      var values = (0..<64).map { Double($0 % 7) / 4 }
      if isMassive { values[5] = 9000 }
      return (name, "F32", [4, 16], Self.bytes(values, "<f4"))
    }
    try Self.safetensors([
      layer("h.0", false), layer("h.1", true), layer("h.10", true), layer("h.2", false),
    ]).write(to: file)
    let text = try CommandRunner.run(["activations", file.path]).output
    #expect(
      text.contains("course: h.*: channel 5 is massive in 2 of 3 layers from h.1 to h.10 (not yet in h.0"),
      "\(text)")
    let report = try CommandRunner.json(["activations", file.path])
    let names = (report["results"] as? [[String: Any]])?.compactMap { $0["tensor"] as? String } ?? []
    #expect(names.map { $0.split(separator: ":").last ?? "" } == ["h.0", "h.1", "h.2", "h.10"], "\(names)")
  }

  /// A file a layer, as dumps have it.
  @Test func filesOfOneTensorAreLayersToo() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = (0..<3).map { folder.appendingPathComponent("layer\($0).npy") }
    for (k, file) in files.enumerated() {
      var values = (0..<64).map { Double($0 % 7) / 4 }
      if k > 0 { values[5] = 9000 }
      try Self.npy("<f4", [4, 16], Self.bytes(values, "<f4")).write(to: file)
    }
    let text = try CommandRunner.run(["activations"] + files.map(\.path)).output
    #expect(text.contains("channel 5 is massive from layer1 to layer2 (not yet in layer0"), "\(text)")
  }

  /// Of a file with several tensors those that cannot be read are named, with why, and the others reported.
  @Test func whatIsLeftOutIsNamed() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("mixed.safetensors")
    try Self.safetensors([
      ("a", "F32", [2, 32], Self.bytes((0..<64).map(Double.init), "<f4")), ("none", "F32", [0, 4], Data()),
      ("wide", "F64", [1, 32], Self.bytes([Double](repeating: 1e300, count: 32), "<f8")),
    ]).write(to: file)
    for command in [
      ["activations", file.path], ["quantize", "--scheme", "int8@token", "--input", file.path],
      ["quantize", "--cure", "hadamard", "--input", file.path],
    ] {
      let report = try CommandRunner.json(command)
      let left = try #require(report["findings"] as? [[String: String]]).filter { $0["kind"] == "left-out" }
      let reasons = Dictionary(uniqueKeysWithValues: left.map { ($0["where"] ?? "", $0["message"] ?? "") })
      #expect(left.count == 2, "\(command)")
      #expect(reasons["\(file.path):wide"] == "holds 1e+300, beyond f32, in which this is done")
      #expect(reasons["\(file.path):none"]?.contains("no elements") == true)
      let text = try CommandRunner.run(command)
      #expect(text.status == 0 && text.output.contains("left out: \(file.path):wide: holds 1e+300"))
    }
    // A table has no place for it.
    let csv = try CommandRunner.run(["activations", file.path, "--format", "csv"])
    #expect(csv.status == 0 && csv.errors.split(separator: "\n").count == 2)
    #expect(csv.errors.contains("left out: \(file.path):wide"), "\(csv.errors)")
    // What is not read is not passed, recommended or written.
    for (command, message) in [
      (["activations", file.path, "--no-nan"], "not all was checked"),
      (["activations", file.path, "--no-massive"], "not all was checked"),
      (
        ["quantize", "--input", file.path, "--recommend", "--max-bits", "30"], "no scheme is recommended for"
      ),
      (
        ["quantize", "--input", file.path, "--transform", "hadamard", "--output", folder.path + "/o.npy"],
        "--output needs one tensor"
      ),
    ] {
      let outcome = try CommandRunner.run(command)
      #expect(outcome.status == 2 && outcome.errors.contains(message), "\(command): \(outcome.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/o.npy"))
    // An axis that no tensor has.
    let axis = try CommandRunner.run(["activations", file.path, "--axis", "7"])
    #expect(axis.status == 2 && axis.errors.contains("no axis 7"), "\(axis.errors)")
  }

  static func bytes(_ values: [Double], _ descriptor: String) -> Data {
    var data = Data()
    func put<T: FixedWidthInteger>(_ bits: T) {
      let stored = descriptor.hasPrefix(">") ? bits.bigEndian : bits.littleEndian
      withUnsafeBytes(of: stored) { data.append(contentsOf: $0) }
    }
    for x in values {
      switch descriptor.dropFirst() {
      case "f8": put(x.bitPattern)
      case "f4": put(Float(x).bitPattern)
      case "f2": put(Float16(x).bitPattern)
      default: put(Int32(x))
      }
    }
    return data
  }

  @Test func theRealMassiveActivationComesFirst() throws {
    let outcome = try CommandRunner.run(["activations", Self.hidden])
    #expect(outcome.status == 0)
    let lines = outcome.output.split(separator: "\n").map(String.init)
    #expect(lines[0].hasPrefix("massive activations in 2 of 6 tensors"))
    #expect(lines[1].hasPrefix("massive: hidden.12: 24960 at token 0, channel 507"))
    #expect(lines[2].hasPrefix("massive: hidden.20"))
    #expect(lines[3].contains("channel 507 is massive from hidden.12 to hidden.20 (not yet in hidden.11"))
    for line in lines where line.hasPrefix("massive") { #expect(!line.contains("hidden.11")) }

    let json = try CommandRunner.json(["activations", Self.hidden])
    let results = try #require(json["results"] as? [[String: Any]])
    for result in results {
      let massive = try #require(result["massive"] as? [String: Any])
      let isLoud = ["hidden.12", "hidden.20"].contains { ("\(result["tensor"] ?? "")").hasSuffix($0) }
      #expect((massive["count"] as? Int ?? -1 > 0) == isLoud)
      #expect((result["cost"] as? [Any])?.isEmpty == !isLoud)
    }
    let quiet = try CommandRunner.run(["activations", Self.hidden + ":hidden.11"])
    #expect(!quiet.output.contains("massive:") && quiet.output.hasPrefix("hidden.11: nothing stands out"))
  }

  /// Whatever the type, the byte order, the order of elements, the number of dimensions.
  @Test(arguments: ["<f4", ">f4", "<f8", ">f8", "<f2", "<i4", ">i4"], [false, true])
  func plantedInEveryLayout(_ descriptor: String, _ fortran: Bool) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    for shape in [[24], [4, 6], [2, 3, 4]] {
      for position in [0, 5, 13, 23] {
        var values = (0..<24).map { Double($0 % 3 - 1) }
        values[position] = -60000
        // Where the element stands in the file.
        var stored = values
        if fortran {
          for k in 0..<24 {
            var (rest, place, step) = (k, 0, 1)
            var index: [Int] = []
            for n in shape.reversed() {
              index.insert(rest % n, at: 0)
              rest /= n
            }
            for (n, i) in zip(shape, index) {
              place += i * step
              step *= n
            }
            stored[place] = values[k]
          }
        }
        let file = folder.appendingPathComponent("planted.npy")
        try Self.npy(descriptor, shape, fortran: fortran, Self.bytes(stored, descriptor)).write(to: file)
        let json = try CommandRunner.json(["activations", file.path])
        let result = try #require((json["results"] as? [[String: Any]])?.first)
        let massive = try #require(result["massive"] as? [String: Any])
        #expect(massive["count"] as? Int == 1)
        let place = try #require((massive["places"] as? [[String: Any]])?.first)
        #expect(place["value"] as? Double == -60000)
        let columns = shape.last ?? 1
        #expect(
          place["token"] as? Int == position / columns && place["channel"] as? Int == position % columns)
        let index = try #require(place["index"] as? [Int])
        #expect(zip(shape, index).reduce(0) { $0 * $1.0 + $1.1 } == position)
        // The same along the first axis: its channels are the first index.
        let turned = try CommandRunner.json(["activations", file.path, "--axis", "0"])
        let other = try #require((turned["results"] as? [[String: Any]])?.first?["massive"] as? [String: Any])
        let moved = try #require((other["places"] as? [[String: Any]])?.first)
        #expect(moved["index"] as? [Int] == index && moved["channel"] as? Int == index[0])
      }
    }
  }

  /// Weights have rows and columns, whatever is beside them in the file.
  @Test func placesOfWeightsAreRowsAndColumns() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    var values = [Float](repeating: 1, count: 64 * 64)
    values[3 * 64 + 5] = 70000
    let data = values.withUnsafeBytes { Data($0) }
    let name = "model.layers.0.self_attn.q_proj.weight"
    let (alone, mixed) = (
      [(name, "F32", [64, 64], data)], [(name, "F32", [64, 64], data), ("x", "F32", [64, 64], data)]
    )
    for tensors in [alone, mixed] {
      let file = folder.appendingPathComponent("w\(tensors.count).safetensors")
      try Self.safetensors(tensors).write(to: file)
      let json = try CommandRunner.json(["activations", file.path])
      #expect(try SchemaValidator().errors(json) == [])
      let rows = try #require(json["results"] as? [[String: Any]])
      for row in rows {
        let isWeight = (row["tensor"] as? String)?.hasSuffix("weight") == true
        let (first, second) = isWeight ? ("row", "column") : ("token", "channel")
        let (other, another) = isWeight ? ("token", "channel") : ("row", "column")
        let peak = try #require(row["peak"] as? [String: Any])
        #expect(peak[first] as? Int == 3 && peak[second] as? Int == 5, "\(peak)")
        #expect(!(peak[other] is Int) && !(peak[another] is Int))
        let place = try #require((row["largest"] as? [[String: Any]])?.first)
        #expect(place[first] as? Int == 3 && place[second] as? Int == 5)
        #expect(place[other] == nil && place[another] == nil)
        let massive = try #require((row["massive"] as? [String: Any])?["places"] as? [[String: Any]])
        #expect(massive.first?[first] as? Int == 3)
      }
    }
  }

  @Test func checksFail() throws {
    let massive = try CommandRunner.run(["activations", Self.hidden, "--no-massive"])
    #expect(massive.status == 1 && massive.output.contains("checks: 2 of 6 FAILED"))
    #expect(
      massive.output.contains("hidden.12: massive.count is 2, not 0 (--no-massive); the largest, 24960"))
    #expect(try CommandRunner.run(["activations", Self.hidden, "--fail-on-massive"]).status == 1)
    #expect(try CommandRunner.run(["activations", Self.hidden + ":hidden.11", "--no-massive"]).status == 0)
    #expect(
      try CommandRunner.run(["activations", Self.hidden, "--no-massive", "--massive-above", "1e6"]).status
        == 0)
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("special.npy")
    try Self.npy("<f4", [2, 3], Self.bytes([1, 2, .infinity, .nan, 5, -.infinity], "<f4")).write(to: file)
    let special = try CommandRunner.run(["activations", file.path, "--no-nan"])
    #expect(special.status == 1)
    #expect(
      special.output.contains(
        "1 NaN, the first at token 1, channel 0; 2 infinite, the first at token 0, channel 2"))
    #expect(special.output.contains("special: nan is 1, not 0 (--no-nan); the first at token 0, channel 2"))
    #expect(special.output.contains("special: infinite is 2, not 0 (--no-nan)"))
  }

  @Test func rubbishIsRefusedInOneLine() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let empty = folder.appendingPathComponent("empty.npy")
    try Self.npy("<f4", [0, 3], Data()).write(to: empty)
    let text = folder.appendingPathComponent("text.npy")
    try Data("not a tensor".utf8).write(to: text)
    for arguments in [
      [], ["/nowhere"], [empty.path], [text.path], [Self.hidden + ":none"], [Self.hidden, "--axis", "7"],
      [Self.hidden, "--massive-above", "nan"], [Self.hidden, "--massive-ratio=-1"],
      [Self.hidden, "--massive-ratio", "inf"], [Self.hidden, "--top=-1"],
      [Self.hidden, "--outlier-above=-2"],
      [Self.hidden, "--median-scope", "layer"], [Self.hidden, "--format", "yaml"],
      [Self.hidden, "--svg", "/nowhere/x.svg"], [Self.hidden, "--threads", "0"],
    ] {
      let outcome = try CommandRunner.run(["activations"] + arguments)
      #expect(outcome.status == 2, "\(arguments)")
      #expect(
        outcome.output.isEmpty && outcome.errors.split(separator: "\n").count == 1,
        "\(arguments): \(outcome.errors)")
    }
    // Blocks of files decode; what cannot be read is named.
    let gguf = CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-weights.gguf").path
    let outcome = try CommandRunner.run(["activations", gguf])
    #expect(outcome.status == 0 && outcome.output.contains("q4_1"))
  }

  @Test func theDrawingIsXML() throws {
    final class Counter: NSObject, XMLParserDelegate {
      var counts: [String: Int] = [:]
      func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
      ) {
        counts[name, default: 0] += 1
      }
      var texts = ""
      func parser(_ parser: XMLParser, foundCharacters string: String) { texts += string }
    }
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    // With an accent on the mark: a letter to Swift, and still a mark.
    let file = folder.appendingPathComponent("a<\u{338}b>&\u{301}.npy")
    try Self.npy("<f4", [4, 6], Self.bytes((0..<24).map { $0 == 7 ? 9000 : 0.5 }, "<f4")).write(to: file)
    for inputs in [[Self.hidden], [file.path]] {
      let svg = folder.appendingPathComponent("out.svg")
      let outcome = try CommandRunner.run(["activations"] + inputs + ["--svg", svg.path])
      #expect(outcome.status == 0)
      let parser = XMLParser(data: try Data(contentsOf: svg))
      let counter = Counter()
      parser.delegate = counter
      #expect(parser.parse(), "\(String(describing: parser.parserError))")
      // The parser may mend what it gets: nothing of ours needs that.
      #expect(
        counter.counts.keys.allSatisfy {
          ["svg", "rect", "title", "text", "polyline", "circle"].contains($0)
        })
      #expect(counter.texts.contains(inputs == [Self.hidden] ? "hidden.12" : "a<\u{338}b>&\u{301}"))
      #expect((counter.counts["rect"] ?? 0) > 6)
      // Two channels over six layers in the real file.
      #expect(counter.counts["circle"] == (inputs == [Self.hidden] ? 12 : nil))
    }
  }

  /// 1 GiB of f32 takes less than 64 MiB of memory. (The file is sparse, but for what is planted at its end.)
  @Test func aGibibyteFitsIn64Mebibytes() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("large.npy")
    let header = Self.npy("<f4", [1 << 16, 1 << 12], Data())
    try header.write(to: file)
    let handle = try FileHandle(forWritingTo: file)
    let last = UInt64(header.count) + (1 << 30) - 4
    try handle.truncate(atOffset: last)
    try handle.seek(toOffset: last)
    try handle.write(contentsOf: Self.bytes([-4321], "<f4"))
    try handle.close()
    let output = folder.appendingPathComponent("out.json")
    let (status, memory) = try Self.run(["activations", file.path, "--format", "csv"], output: output.path)
    #expect(status == 0)
    let text = try String(contentsOf: output, encoding: .utf8)
    // Its largest value is what stands at the end.
    let rows = try CSV.rows(text)
    let place = try #require(rows[0].firstIndex(of: "min"))
    #expect(rows[1][place] == "-4321")
    #expect(memory < 64 << 20, "\(memory >> 20) MiB")
  }

  /// Runs the command and returns its status and the most memory it had.
  private static func run(_ arguments: [String], output: String) throws -> (Int32, Int) {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    var argv: [UnsafeMutablePointer<CChar>?] =
      ([CommandRunner.binary.path] + arguments).map { strdup($0) } + [nil]
    defer { argv.forEach { free($0) } }
    var pid = pid_t()
    try #require(posix_spawn(&pid, CommandRunner.binary.path, &actions, nil, &argv, environ) == 0)
    var status: Int32 = 0
    #if canImport(Darwin)
      var usage = rusage()
      try #require(wait4(pid, &status, 0, &usage) == pid)
      return (status, Int(usage.ru_maxrss))
    #else
      // Not `ru_maxrss`: on Linux that begins with what the spawning process had.
      var most = 0
      while waitpid(pid, &status, WNOHANG) == 0 {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
        // Until it runs the command, the child is still a copy of this process.
        if text.hasPrefix("Name:\tnumcheck\n") {
          most = max(most, Int(line.filter(\.isNumber)) ?? 0)
        }
        usleep(2000)
      }
      try #require(most > 0)
      return (status, most << 10)
    #endif
  }
}
