import Foundation
import TensorFiles
import Testing

/// What is written, and over what: never an input, never half, and nothing where the status is 2.
@Suite struct OutputTests {
  private let folder: URL

  init() throws {
    folder = try CommandRunner.temporaryFolder()
    func write(_ name: String, _ shape: [Int], _ type: ElementType = .f32) throws {
      let count = shape.reduce(1, *)
      let (factor, modulus, divisor) = type == .int64 ? (1, 4, 1.0) : (7, 11, 4.0)
      let values = (0..<count).map { k -> Double in Double(k * factor % modulus) / divisor }
      try TensorWriter.write(values, as: type, shape: shape, to: path(name))
    }
    for name in ["x", "q", "k", "v", "do", "mask"] { try write("\(name).npy", [4, 32]) }
    try write("mask.npy", [4, 4])
    try write("target.npy", [4], .int64)
    try write("v32.npy", [32])
  }

  private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
  private var contents: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()) ?? []
  }
  private func shell(_ script: String) throws -> Shell { try Shell(script, in: folder) }

  /// Every flag that names a file to read, and a command that writes.
  private static let inputs: [(input: String, command: String)] = [
    ("x.npy", "softmax x.npy --algorithm shifted --output"),
    ("x.npy", "softmax --input x.npy --algorithm shifted --output"),
    ("x.npy", "reference softmax x.npy --output"),
    ("target.npy", "reference crossentropy x.npy --target target.npy --output"),
    ("target.npy", "crossentropy x.npy --target target.npy --algorithm shifted --output"),
    ("v32.npy", "reference softmax-vjp x.npy --cotangent v32.npy --output"),
    ("q.npy", "attention --q q.npy --k k.npy --v v.npy --algorithm flash --output"),
    ("k.npy", "attention q.npy k.npy v.npy --algorithm flash --output"),
    ("v.npy", "reference attention --q q.npy --k k.npy --v v.npy --output"),
    ("mask.npy", "attention --q q.npy --k k.npy --v v.npy --mask mask.npy --algorithm flash --output"),
    ("mask.npy", "reference attention --q q.npy --k k.npy --v v.npy --mask mask.npy --output"),
    ("x.npy", "quantize x.npy --scheme q8_0 --output"),
    ("x.npy", "quantize --input x.npy --scheme q8_0 --raw"),
    ("q.npy", "quantize --input x.npy --activations q.npy --scheme int8@token --calibration mse --output"),
    ("x.npy", "activations x.npy --svg"),
  ]

  @Test func inputsAreNeverWrittenOver() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    for (input, command) in Self.inputs {
      let before = FileManager.default.contents(atPath: path(input))
      let aliases = [
        ("", input), ("", "./\(input)"), ("ln \(input) hard.npy", "hard.npy"),
        ("ln -s \(input) soft.npy", "soft.npy"),
        ("mkdir d; ln -s .. d/up", "d/up/\(input)"),
      ]
      for (make, name) in aliases {
        let run = try shell("\(make.isEmpty ? ":" : make); \"$N\" \(command) \(name)")
        #expect(run.isRefusal("\(name) is an input, it would be lost"), "\(command) \(name): \(run)")
        _ = try shell("rm -rf hard.npy soft.npy d")
        #expect(FileManager.default.contents(atPath: path(input)) == before, "\(command) \(name)")
      }
      let piped = command.replacingOccurrences(of: " \(input)", with: " -")
      let run = try shell("\"$N\" \(piped) \(input) <\(input)")
      #expect(run.isRefusal("is an input, it would be lost"), "\(piped): \(run)")
      #expect(FileManager.default.contents(atPath: path(input)) == before, "\(piped)")
    }
    #expect(!contents.contains { $0.hasPrefix(".") })
  }

  /// A file that no flag names: a shard of an index.
  @Test func shardsAreInputsToo() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try TensorWriter.write([1, 2, 3, 4], as: .f32, shape: [1, 4], name: "a", to: path("s.safetensors"))
    try Data("{\"weight_map\": {\"a\": \"s.safetensors\"}}".utf8).write(
      to: folder.appendingPathComponent("s.safetensors.index.json"))
    let before = FileManager.default.contents(atPath: path("s.safetensors"))
    let run = try shell("\"$N\" reference softmax s.safetensors.index.json --output s.safetensors")
    #expect(run.isRefusal("s.safetensors is an input"), "\(run)")
    #expect(FileManager.default.contents(atPath: path("s.safetensors")) == before)
    #expect(!contents.contains { $0.hasPrefix(".") })
  }

  @Test func bothOrNone() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let before = contents
    let long = String(repeating: "r", count: 280)
    for (raw, reason) in [
      (long, "File name too long"), ("x.npy/r", "Not a directory"), ("o.npy", "written twice"),
      ("./o.npy", "written twice"), ("no/r", "No such file"),
    ] {
      let run = try shell("\"$N\" quantize --rows 4 --length 64 --scheme q8_0 --output o.npy --raw \(raw)")
      #expect(run.isRefusal(reason), "\(raw): \(run)")
      #expect(contents == before, "\(raw)")
    }
  }

  /// Status 2 and a file do not go together; a failed check is an answer.
  @Test func nothingIsWrittenWithStatusTwo() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try TensorWriter.write([.nan, .nan, .nan, .nan], as: .f32, shape: [1, 4], to: path("nan.npy"))
    let before = contents
    for command in [
      "activations nan.npy --no-massive --svg o.svg",
      "softmax nan.npy --algorithm shifted --max-ulp 1 --output o.npy",
      "attention nan.npy nan.npy nan.npy --algorithm flash --max-ulp 1 --output o.npy",
    ] {
      let run = try shell("\"$N\" \(command)")
      #expect(run.status == 2 && run.errors.contains("nothing was checked"), "\(command): \(run)")
      #expect(contents == before, "\(command)")
    }
    let failed = try shell("\"$N\" softmax x.npy --dtype f16 --algorithm naive --max-ulp 0 --output o.npy")
    #expect(failed.status == 1 && contents.contains("o.npy"), "\(failed)")
  }

  @Test func whatIsThereIsRespected() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let command = "\"$N\" reference softmax x.npy --output"
    let locked = try shell("cp q.npy locked.npy; chmod 444 locked.npy; \(command) locked.npy")
    #expect(locked.isRefusal("locked.npy: is read-only"), "\(locked)")
    #expect(FileManager.default.contentsEqual(atPath: path("q.npy"), andPath: path("locked.npy")))
    let dangling = try shell("ln -s new.npy to.npy; \(command) to.npy && test -L to.npy && test -f new.npy")
    #expect(dangling.status == 0, "\(dangling)")
    let loop = try shell("ln -s b.npy a.npy; ln -s a.npy b.npy; \(command) a.npy")
    #expect(loop.isRefusal("symbolic links"), "\(loop)")
  }

  @Test func namesThatAreNoTextStayAsTheyAre() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let run = try shell(
      "i=$(printf 'i\\377\\303.npy'); o=$(printf 'o\\377\\364\\217\\277\\277.npy'); cp x.npy \"$i\"; "
        + "\"$N\" softmax \"$i\" --algorithm shifted --output \"$o\" && \"$N\" activations \"$i\" && test -f \"$o\""
    )
    #expect(run.status == 0, "\(run)")
    #expect(
      run.output.contains("from i\\xff\\xc3.npy") && run.output.contains("\ni\\xff\\xc3  ")
        && !run.output.contains("\u{fffd}"), "\(run.output)")
    let gone = try shell("\"$N\" softmax \"$(printf 'no\\377.npy')\"")
    #expect(gone.isRefusal("no\\xff.npy: cannot open"), "\(gone)")
    let over = try shell("i=$(printf 'i\\377\\303.npy'); \"$N\" reference softmax \"$i\" --output \"$i\"")
    #expect(over.isRefusal("is an input"), "\(over)")
    // Names that only look the same are two.
    let accents = try shell(
      "cp x.npy \"$(printf '\\303\\251.npy')\"; \"$N\" reference softmax \"$(printf '\\303\\251.npy')\" --output "
        + "\"$(printf 'e\\314\\201.npy')\"")
    #expect(accents.status == 0, "\(accents)")
  }

  /// Every writer refuses what its type cannot hold: 2^-10 of f8e4m3fnuz is 0 in f8e4m3fn.
  @Test func noWriterLosesValues() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let before = contents
    let commands = [
      "softmax --rows 2 --length 8 --algorithm shifted", "reference softmax --rows 2 --length 8",
      "attention --tokens 4 --head-size 8 --algorithm flash", "reference attention --tokens 4 --head-size 8",
    ]
    for (dtype, type) in [
      ("f8e4m3fnuz", "f8e4m3fn"), ("f8e5m2", "f8e4m3fn"), ("bf16", "f16"), ("f16", "bf16"), ("f32", "e8m0"),
      ("f6e3m2", "f6e2m3"), ("f8e4m3fn", "f8e4m3fnuz"),
    ] {
      for command in commands {
        let run = try shell("\"$N\" \(command) --dtype \(dtype) --output o.safetensors --as \(type)")
        #expect(
          run.isRefusal("--as \(type) cannot hold every value of \(dtype)"), "\(command) \(dtype): \(run)")
        #expect(contents == before)
      }
    }
    for (dtype, type) in [
      ("f8e4m3fnuz", "bf16"), ("f4e2m1", "f6e2m3"), ("f4e2m1", "f4e2m1"), ("f6e3m2", "f16"),
    ] {
      for command in commands {
        let run = try shell("\"$N\" \(command) --dtype \(dtype) --output o.safetensors --as \(type)")
        #expect(run.status == 0, "\(command) \(dtype): \(run)")
      }
    }
  }
}
