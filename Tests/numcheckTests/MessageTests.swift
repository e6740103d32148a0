import Foundation
import TensorFiles
import Testing

/// What is wrong is said in the words of what was asked.
@Suite struct MessageTests {
  @Test(arguments: [
    (
      ["softmax", "--seed", "-1"],
      "'-1' is invalid for '--seed <seed>': must be from 0 to 18446744073709551615"
    ),
    (["softmax", "--rows", "1e3"], "'1e3' is invalid for '--rows <rows>': must be a whole number"),
    (["softmax", "--rows", "-5"], "--rows must be 1 or more"),
    (
      ["softmax", "--length", "99999999999999999999"],
      "must be from -9223372036854775808 to 9223372036854775807"
    ),
    (["attention", "--tokens", "many"], "'many' is invalid for '--tokens <tokens>': must be a whole number"),
    (["kvcache", "--layers", "1.5"], "must be a whole number"),
    (["activations", "x.npy", "--largest", "x"], "must be a whole number"),
    (["softmax", "--threads", "four"], "must be a whole number"),
    (["softmax", "--range", "many"], "'many' is invalid for '--range <range>': must be a number"),
    (["softmax", "--temperature", "-1"], "--temperature must be 0 or more"),
    (["crossentropy", "--target", "-1"], "target -1 is not an index of a row of 1024"),
    (["softmax", "--input", ""], "the value of '--input' is empty"),
    (["softmax", "--input="], "the value of '--input' is empty"),
    (["quantize", "--scheme"], "Missing value for '--scheme"),
    (["softmax", "nowhere.npy"], "nowhere.npy: cannot open: No such file"),
    (["softmax", "a.npy", "--input", "b.npy"], "'a.npy' and 'b.npy' are two inputs"),
    (["softmax", "a.npy", "b.npy"], "Unexpected argument 'b.npy'"),
    (["attention", "a.npy", "b.npy"], "files are three, q, k and v in this order"),
    (["tolerance", "attention", "--dtype", "bf16", "--lenght", "5"], "Unknown option '--lenght'"),
    (["mutate", "attention", "--tokns", "5"], "Unknown option '--tokns'"),
    (["mutate", "attention", "--defect", "zeroes"], "--defect: no defect 'zeroes'"),
    (["mutate", "attention", "--algorithm", "all"], "mutate takes one --algorithm"),
    (["mutate", "matmul", "--rule", "tourch"], "--rule: no rule 'tourch'"),
    (["mutate", "matmul", "--dtype", "int8"], "mutate needs a floating-point --dtype"),
    (["mutate", "matmul", "--rows", "4096", "--inner", "1025"], "2^22 numbers at most"),
    (["mutate", "layernorm", "--algorithm", "three-pass"], "no algorithm 'three-pass' for layernorm"),
    (["mutate", "rmsnorm", "--overflow", "saturate"], "mutate needs a floating-point --dtype"),
    (["attention", "--tokns", "5"], "Unknown option '--tokns'. Did you mean '--tokens'?"),
    (
      ["kvcache", "--tokens", "8", "--head-sise", "5"],
      "Unknown option '--head-sise'. Did you mean '--head-size'?"
    ),
    (["verify", "attention", "--cusal", "x"], "Unknown option '--cusal'. Did you mean '--causal'?"),
    (["softmax", "--range", "3", "--rwos", "5"], "Unknown option '--rwos'. Did you mean '--rows'?"),
    (["dialect", "nvfp4:torchao-0.11", "nvfp4"], "dialects of nvfp4: div, ct, "),
    (["dialect", "nvfp4:torchao-0.11", "nvfp4"], "torchao-0.14, torchao-0.15, torchao-0.16"),
    (["softmx", "--dtype", "f16"], "unknown command 'softmx'; did you mean 'softmax'"),
    (["zzzzz"], "unknown command 'zzzzz'; there are: softmax, logsoftmax,"),
    (["verify", "sofmax", "--input", "x"], "no operation 'sofmax' to verify; did you mean 'softmax'"),
    (["--dtype", "f16"], "a command comes before '--dtype'"),
    (["quantize", "--transform", "foo"], "unknown transform 'foo'; there are: "),
    (["quantize", "--calibration", "foo"], "unknown calibration 'foo'; there are: "),
    (["quantize", "--cure", "foo"], "unknown cure 'foo'"),
  ]) func saysWhatIsWrong(_ arguments: [String], _ part: String) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let run = try CommandRunner.run(arguments, folder: folder)
    #expect(run.status == 2 && run.errors.contains(part), "\(run.errors)")
    #expect(run.errors.filter { $0 == "\n" }.count == 1 && run.output.isEmpty)
  }

  @Test func negativeNumbersAreNumbers() throws {
    let run = try CommandRunner.json(["softmax", "--range", "-5", "--rows", "2", "--length", "4"])
    #expect(run["rows"] as? Int == 2)
    let flag = try CommandRunner.json([
      "attention", "--tokens", "4", "--head-size", "4", "--sentinel", "-1e4",
    ])
    #expect(flag["queries"] as? Int == 4)
  }

  /// A file without tensors is named, and one whose metadata is null is read as the format's own library reads it.
  @Test func emptyFilesAreNamed() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func file(_ name: String, _ header: String) throws {
      let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
      try (length + Data(header.utf8)).write(to: folder.appendingPathComponent(name))
    }
    try file("none.safetensors", "{}")
    try file("null.safetensors", "{\"__metadata__\":null}")
    for name in ["none.safetensors", "null.safetensors"] {
      for command in ["activations", "quantize", "softmax"] {
        let run = try CommandRunner.run([command, name], folder: folder)
        #expect(
          run.status == 2 && run.errors == "numcheck: \(name): holds no tensors\n",
          "\(command): \(run.errors)")
      }
    }
  }

  @Test func narrowTerminalsShowAllHelp() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    for columns in ["26", "20", "1", "0", "-5"] {
      let run = try Shell("COLUMNS=\(columns) \"$N\" softmax --help", in: folder)
      #expect(
        run.status == 0 && run.output.contains("Seed of") && run.output.contains("Number format"),
        "\(columns)")
    }
  }

  /// Files as arguments are what --input names.
  @Test func filesAreArguments() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    try TensorWriter.write(
      (0..<128).map { Double($0 % 13) }, as: .f32, shape: [4, 32],
      to: folder.appendingPathComponent("x.npy").path)
    func output(_ arguments: [String]) throws -> String {
      let run = try CommandRunner.run(arguments, folder: folder)
      #expect(run.status == 0, "\(arguments): \(run.errors)")
      return run.output
    }
    for command in [["softmax"], ["quantize"], ["dialect", "mxfp4", "mxfp4:ggml"]] {
      #expect(try output(command + ["x.npy"]) == output(command + ["--input", "x.npy"]))
    }
    for command in [["attention"], ["kvcache"]] {
      #expect(
        try output(command + ["x.npy", "x.npy", "x.npy"])
          == output(command + ["--q", "x.npy", "--k", "x.npy", "--v", "x.npy"]))
    }
    _ = try output(["reference", "softmax", "x.npy", "--output", "a.npy"])
    _ = try output(["reference", "softmax", "--input", "x.npy", "--output", "b.npy"])
    _ = try output(["reference", "attention", "x.npy", "x.npy", "x.npy", "--output", "c.npy"])
    #expect(
      FileManager.default.contentsEqual(
        atPath: folder.appendingPathComponent("a.npy").path,
        andPath: folder.appendingPathComponent("b.npy").path))
  }
}
