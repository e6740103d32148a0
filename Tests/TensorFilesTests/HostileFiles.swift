extension Hostile {
  static let all = npyFiles + safetensorsFiles + ggufFiles + zipFiles + others

  private static func header(_ text: String, _ reason: String, data: [UInt8] = []) -> Hostile {
    Hostile("npy " + text.prefix(80), npy(text, data: data), reason)
  }

  private static func npyShape(_ shape: String, _ reason: String, data: [UInt8] = []) -> Hostile {
    header("{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }\n", reason, data: data)
  }

  private static func npyType(_ descr: String, _ reason: String) -> Hostile {
    header(
      "{'descr': \(descr), 'fortran_order': False, 'shape': (1,), }\n", reason,
      data: [0, 0, 0, 0, 0, 0, 0, 0])
  }

  private static let npyFiles: [Hostile] = [
    Hostile("npy magic only", Array(twoFloats.prefix(6)), "truncated: 6 bytes"),
    Hostile("npy cut in the length", Array(twoFloats.prefix(9)), "truncated: 9 bytes"),
    Hostile("npy version 2 cut in the length", Array(npy("", version: 2).prefix(11)), "truncated: 11 bytes"),
    Hostile("npy version 0", npy("{}", version: 0), "version 0.0"),
    Hostile("npy version 4", npy("{}", version: 4), "version 4.0"),
    Hostile("npy minor version", [0x93] + Array("NUMPY".utf8) + [1, 7, 0, 0], "version 1.7"),
    Hostile("npy header beyond the file", npy("{}", length: 60000), "header of 60000 bytes in 2"),
    Hostile(
      "npy 4 GiB header", npy("{}", version: 3, length: 0xffff_fff0), "header of 4294967280 bytes in 2"),
    Hostile("npy huge header", npy(String(repeating: " ", count: 1 << 21), version: 2), "above 1048576"),
    Hostile("npy cut in the data", Array(twoFloats.dropLast()), "needs 8 bytes, 7 are there"),
    Hostile("npy without data", Array(twoFloats.dropLast(8)), "needs 8 bytes, 0 are there"),
    Hostile("npy with more data", twoFloats + [1, 2, 3], "3 bytes follow the 8"),
    header("", "needs '{'"), header("   \n", "where it ends"), header("{", "needs a string"),
    header("{}\n", "lacks 'descr'"),
    header("{'descr': '<f4'}\n", "lacks 'fortran_order'"),
    header("{'descr': '<f4', 'fortran_order': False}\n", "lacks 'shape'"),
    header("{'descr': '<f4', 'descr': '<f4'}\n", "has 'descr' twice"),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}\n", "unknown key 'x'"),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", "needs '}'"),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} rubbish\n", "garbage"),
    header("{'descr': '<f4' 'fortran_order': False}", "needs '}'"),
    header("{'descr' '<f4'}", "needs ':'"), header("{'descr': '<f4", "does not end"),
    header("{'de\u{e9}scr': '<f4'}", "not plain ASCII"), header("{'de\\x41': 1}", "not plain ASCII"),
    header("{'a\0': 1}", "not plain ASCII"),
    header("{'descr': '<f4', 'fortran_order': 1}", "needs True or False"),
    header("{'descr': '<f4', 'fortran_order': None}", "needs True or False"),
    npyShape("(-1,)", "negative dimension"), npyShape("(3)", "comma"), npyShape("3", "needs '('"),
    npyShape("[3]", "needs '('"), npyShape("(1.5,)", "comma"), npyShape("(x,)", "needs a dimension"),
    npyShape("(99999999999999999999,)", "beyond 64 bits"),
    npyShape("(4611686018427387904, 4)", "more elements than fit"),
    npyShape("(4611686018427387904,)", "more bytes than fit"),
    npyShape("(0, 4611686018427387904, 4)", "more elements than fit"),
    npyShape("(9223372036854775807,)", "more bytes than fit"),
    npyShape("(1000000000,)", "needs 4000000000 bytes"), npyShape("(0,)", "1 bytes follow", data: [0]),
    npyShape("(\(String(repeating: "1,", count: 65)))", "more than 64 dimensions", data: [0, 0, 0, 0]),
    npyType("'|O'", "Python objects"), npyType("[('a', '<f4'), ('b', '<i2')]", "structured dtype"),
    npyType("'<c8'", "complex"), npyType("'|V2'", "bfloat16"), npyType("'<V2'", "save it as .safetensors"),
    npyType("'|V1'", "which fp8"), npyType("'<g2'", "bfloat16"), npyType("'bfloat16'", "bfloat16"),
    npyType("'float8_e4m3fn'", "cannot say float8_e4m3fn"), npyType("'<f1'", "7 bytes follow the 1"),
    npyType("'<U4'", "text"), npyType("'|S4'", "text"), npyType("'|V5'", "raw bytes"),
    npyType("'<f3'", "dtype"),
    npyType("'<f16'", "astype('<f8')"), npyType("''", "dtype ''"), npyType("'<'", "dtype '<'"),
    npyType("'<M8[ns]'", "dtype"),
    npyType("4", "needs a string"), npyType("('<f4', (2,))", "structured dtype"), npyType("'<<f4'", "dtype"),
  ]

  private static func json(_ text: String, _ reason: String, data: Int = 0) -> Hostile {
    Hostile(
      "safetensors " + text.prefix(80), safetensors(text, data: [UInt8](repeating: 1, count: data)), reason)
  }

  private static func tensor(_ body: String, _ reason: String, data: Int = 0) -> Hostile {
    json("{\"a\":{\(body)}}", reason, data: data)
  }

  private static func pair(_ a: (Int, Int), _ b: (Int, Int), _ reason: String, data: Int) -> Hostile {
    func one(_ r: (Int, Int)) -> String {
      "{\"dtype\":\"U8\",\"shape\":[\(r.1 - r.0)],\"data_offsets\":[\(r.0),\(r.1)]}"
    }
    return json("{\"a\":\(one(a)),\"b\":\(one(b))}", reason, data: data)
  }

  private static let f32 = "\"dtype\":\"F32\",\"shape\":[2],"

  private static let safetensorsFiles: [Hostile] = [
    Hostile("safetensors of 4 bytes", [2, 0, 0, 0], "truncated: 4 bytes", path: "a.safetensors"),
    Hostile(
      "safetensors of a length only", bytes(UInt64(2)), "truncated: header of 2 bytes", path: "a.safetensors"),
    Hostile(
      "safetensors without a header", bytes(UInt64(0)), "does not begin with '{'", path: "a.safetensors"),
    Hostile("safetensors header too long", safetensors("{}", length: 100_000_001), "above the format's"),
    Hostile("safetensors header of 2^64 − 1", safetensors("{}", length: .max), "above the format's"),
    Hostile(
      "safetensors header beyond the file", safetensors("{}", length: 3), "truncated: header of 3 bytes"),
    Hostile("safetensors header short of its end", safetensors("{\"a\":{}}", length: 5), "ends at byte 5"),
    Hostile("safetensors array", safetensors("[]"), "does not begin with '{'", path: "a.safetensors"),
    Hostile("safetensors space first", safetensors(" {}"), "does not begin with '{'", path: "a.safetensors"),
    Hostile(
      "safetensors not UTF-8", bytes(UInt64(7)) + [0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x7d],
      "not valid UTF-8"),
    json("{", "ends at byte 1"), json("{}x", "garbage"), json("{}{}", "garbage"),
    json("{\"a\"}", "needs ':'"),
    json("{a:1}", "needs a string"), json("{\"a\":1}", "needs '{'"),
    json("{\"__metadata__\":{}", "ends at byte 18"),
    json("{\"a\":null}", "needs '{'"), json("{},", "garbage"), json("{\"a\":{},}", "lacks 'dtype'"),
    json("{\"a", "does not end"), json("{\"a\\", "needs an escape"), json("{\"\\x\":{}}", "unknown escape"),
    json("{\"\\u12\":1}", "not a hexadecimal"), json("{\"\\u1", "cut escape"),
    json("{\"\\ud800\":{}}", "surrogate"),
    json("{\"\\ud800\\u0041\":{}}", "surrogate"), json("{\"\\udc00\":{}}", "surrogate"),
    json("{\"a\\u0000b\":{}}", "with NUL"), json("{\"a\nb\":{}}", "control character"),
    json("{\"__metadata__\":{\"a\":1}}", "needs a string"), json("{\"__metadata__\":[]}", "needs '{'"),
    json("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", "key 'a' twice"),
    json("{\"__metadata__\":{},\"__metadata__\":{}}", "'__metadata__' twice"),
    json(
      "{\"a\":{\(f32)\"data_offsets\":[0,8]},\"a\":{\(f32)\"data_offsets\":[8,16]}}", "key 'a' twice",
      data: 16),
    json(String(repeating: "{\"a\":", count: 50000), "unknown key"),
    tensor("", "lacks 'dtype'"), tensor("\"dtype\":\"F32\"", "lacks 'shape'"),
    tensor("\"dtype\":\"F32\",\"shape\":[]", "lacks 'data_offsets'"),
    tensor("\"dtype\":\"F32\",\"dtype\":\"F32\"", "key 'dtype' twice"),
    tensor("\"more\":1", "unknown key 'more'"),
    tensor("\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]", "unknown dtype 'F31'", data: 8).one,
    tensor("\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]", "unknown dtype 'f32'", data: 8).one,
    tensor("\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,9]", "1 of its", data: 8),
    tensor("\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,1]", "needs 2 bytes", data: 1),
    tensor(
      "\"dtype\":\"F6_E2M3\",\"shape\":[6],\"data_offsets\":[0,4]", "does not fill whole bytes", data: 4),
    tensor("\"dtype\":32", "needs a string"), tensor("\"shape\":2", "needs the array shape"),
    tensor("\"shape\":[-2]", "negative number in shape"), tensor("\"shape\":[2.0]", "not an integer"),
    tensor("\"shape\":[2e0]", "not an integer"), tensor("\"shape\":[02]", "begins with 0"),
    tensor("\"shape\":[\"2\"]", "needs an integer"), tensor("\"shape\":[2,]", "needs an integer"),
    tensor("\"shape\":[2 2]", "needs ',' or ']'"), tensor("\"shape\":[[2]]", "needs an integer"),
    tensor("\"shape\":[18446744073709551616]", "beyond 64 bits"),
    tensor("\"shape\":[9223372036854775808]", "beyond 64 bits"),
    tensor("\"shape\":[\(String(repeating: "1,", count: 65))1]", "more than 64 numbers"),
    tensor(
      "\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]", "more elements than fit",
      data: 8),
    tensor("\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]", "more bytes than fit"),
    tensor(f32 + "\"data_offsets\":[0]", "not two numbers", data: 8),
    tensor(f32 + "\"data_offsets\":[0,4,8]", "more than 2 numbers", data: 8),
    tensor(f32 + "\"data_offsets\":[8,0]", "run backwards", data: 8),
    tensor(f32 + "\"data_offsets\":[0,8]", "truncated: 1 of its", data: 7),
    tensor(
      f32 + "\"data_offsets\":[0,9223372036854775807]", "data_offsets [0, 9223372036854775807] give", data: 8),
    tensor(f32 + "\"data_offsets\":[0,7]", "needs 8 bytes", data: 7),
    tensor(f32 + "\"data_offsets\":[0,9]", "needs 8 bytes", data: 9),
    tensor(f32 + "\"data_offsets\":[1,9]", "1 bytes before tensor 'a'", data: 9),
    tensor(f32 + "\"data_offsets\":[0,8]", "last 2 bytes", data: 10),
    tensor("\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]", "does not fill whole bytes", data: 1),
    pair((0, 4), (2, 6), "'b' at offset 2 overlaps", data: 6), pair((0, 4), (0, 4), "overlaps", data: 4),
    pair((0, 4), (5, 8), "1 bytes before tensor 'b'", data: 8),
    pair((4, 8), (0, 3), "1 bytes before", data: 8),
    pair((0, 4), (2, 2), "overlaps", data: 4), json("{}", "last 1 bytes", data: 1),
  ]

  private static func gguf(_ name: String, _ content: [UInt8], _ reason: String) -> Hostile {
    Hostile("gguf " + name, content, reason)
  }

  private static func ggufPair(_ key: String, _ type: UInt32, _ value: [UInt8], _ reason: String) -> Hostile {
    gguf("\(key) \(type) \(value.count)", GGUFBytes.file(pairs: [GGUFBytes.pair(key, type, value)]), reason)
  }

  private static func ggufTensor(
    _ dimensions: [UInt64], _ type: UInt32, _ offset: UInt64, _ reason: String, data: Int = 64
  ) -> Hostile {
    gguf(
      "\(dimensions) \(type) \(offset)",
      GGUFBytes.file(tensors: [GGUFBytes.tensor("a", dimensions, type, offset)], data: data), reason)
  }

  private static func nested(_ depth: Int) -> [UInt8] {
    (0..<depth).flatMap { _ in bytes(UInt32(9)) + bytes(UInt64(1)) } + bytes(UInt32(0)) + bytes(UInt64(0))
  }

  private static let ggufFiles: [Hostile] = [
    gguf("magic only", Array("GGUF".utf8), "truncated: version"),
    gguf("cut in the counts", Array(GGUFBytes.file().prefix(20)), "truncated: metadata count"),
    gguf("version 1", GGUFBytes.file(version: 1), "version 1 is not"),
    gguf("version 4", GGUFBytes.file(version: 4), "version 4 is not"),
    gguf("big-endian", GGUFBytes.file(version: UInt32(3).byteSwapped), "big-endian"),
    gguf("2^64 − 1 tensors", GGUFBytes.file(tensorCount: .max), "18446744073709551615 tensors"),
    gguf("2^64 − 1 pairs", GGUFBytes.file(pairCount: .max), "18446744073709551615 metadata pairs"),
    gguf("2^40 tensors", GGUFBytes.file(tensorCount: 1 << 40, data: 4096), "1099511627776 tensors"),
    gguf(
      "a tensor too few", GGUFBytes.file(tensors: [GGUFBytes.tensor("a", [1], 0, 0)], tensorCount: 2),
      "truncated"),
    gguf(
      "a pair too few",
      GGUFBytes.file(pairs: [GGUFBytes.pair("a", 8, GGUFBytes.text("xxxxxxxxxxxxx"))], pairCount: 2),
      "truncated"),
    ggufPair("", 99, [0], "unknown metadata type 99"), ggufPair("a", 13, [0], "unknown metadata type 13"),
    ggufPair("a", 10, [1, 2, 3], "truncated: metadata value"),
    ggufPair("a", 8, bytes(UInt64.max), "truncated: string needs 18446744073709551615"),
    ggufPair("a", 9, bytes(UInt32(4)) + bytes(UInt64.max), "truncated: metadata array"),
    ggufPair("a", 9, bytes(UInt32(10)) + bytes(UInt64(1) << 61), "truncated: metadata array"),
    ggufPair("a", 9, bytes(UInt32(8)) + bytes(UInt64.max), "truncated: string length"),
    ggufPair("a", 9, bytes(UInt32(77)) + bytes(UInt64(1)), "unknown metadata type 77"),
    ggufPair("a", 9, bytes(UInt32(9)) + bytes(UInt64.max), "truncated: metadata array type"),
    ggufPair("deep", 9, nested(8), "nest deeper than 8"),
    ggufPair("deeper", 9, nested(60000), "nest deeper than 8"),
    ggufPair("general.alignment", 10, bytes(UInt64(32)), "has type 10"),
    ggufPair("general.alignment", 4, bytes(UInt32(0)), "alignment 0"),
    ggufPair("general.alignment", 4, bytes(UInt32(24)), "alignment 24"),
    ggufPair("general.alignment", 4, bytes(UInt32(0x8000_0000)), "alignment 2147483648"),
    gguf(
      "key twice", GGUFBytes.file(pairs: [GGUFBytes.pair("k", 0, [1]), GGUFBytes.pair("k", 0, [1])]),
      "key 'k' twice"),
    gguf(
      "key of 2^63 bytes", GGUFBytes.file(pairs: [bytes(UInt64(1) << 63) + [0, 0, 0, 0, 0]]),
      "truncated: metadata key"),
    gguf(
      "key not UTF-8", GGUFBytes.file(pairs: [bytes(UInt64(1)) + [0xff, 0, 0, 0, 0, 1]]), "not valid UTF-8"),
    gguf("key with NUL", GGUFBytes.file(pairs: [GGUFBytes.pair("a\0", 0, [1])]), "without NUL"),
    gguf(
      "name not UTF-8",
      GGUFBytes.file(tensors: [bytes(UInt64(1)) + [0xc3] + [UInt8](repeating: 0, count: 24)]),
      "not valid UTF-8"),
    gguf("name with NUL", GGUFBytes.file(tensors: [GGUFBytes.tensor("\0", [1], 0, 0)]), "without NUL"),
    gguf(
      "name twice",
      GGUFBytes.file(
        tensors: [GGUFBytes.tensor("a", [1], 0, 0), GGUFBytes.tensor("a", [1], 0, 32)], data: 64),
      "tensor 'a' twice"),
    gguf(
      "overlap",
      GGUFBytes.file(
        tensors: [GGUFBytes.tensor("a", [16], 0, 0), GGUFBytes.tensor("b", [1], 0, 32)], data: 64),
      "'a' and 'b' overlap"),
    gguf(
      "rank 2^32 − 1",
      GGUFBytes.file(tensors: [GGUFBytes.text("a") + bytes(UInt32.max) + [UInt8](repeating: 0, count: 20)]),
      "rank 4294967295"),
    ggufTensor([1, 1, 1, 1, 1], 0, 0, "rank 5"), ggufTensor([1], 4, 0, "unknown ggml type 4").one,
    ggufTensor([1], 0xffff_ffff, 0, "unknown ggml type").one, ggufTensor([1 << 63], 0, 0, "beyond 63 bits"),
    ggufTensor([1 << 32, 1 << 32], 0, 0, "more elements than fit"),
    ggufTensor([1 << 62], 0, 0, "more bytes than fit"),
    ggufTensor([33], 8, 0, "whole blocks of 32"), ggufTensor([8, 4], 8, 0, "whole blocks of 32"),
    ggufTensor([128], 12, 0, "whole blocks of 256"), ggufTensor([1], 0, 4, "not a multiple of 32"),
    ggufTensor([17], 0, 0, "truncated: shape [17]"), ggufTensor([1], 0, 96, "truncated"),
    ggufTensor([1], 0, .max - 31, "truncated"), ggufTensor([1], 0, 0, "truncated", data: 0),
  ]

  private static func zip(_ name: String, _ content: [UInt8], _ reason: String) -> Hostile {
    Hostile("zip " + name, content, reason)
  }

  private static let entry = ZipBytes(name: "a.npy", content: twoFloats)
  private static func with(_ change: (inout ZipBytes) -> Void) -> [UInt8] {
    var entry = entry
    change(&entry)
    return ZipBytes.file([entry])
  }

  private static let zipFiles: [Hostile] = [
    zip("magic only", Array("PK".utf8) + [3, 4], "no end record"),
    zip("cut at its end", Array(ZipBytes.file([entry]).dropLast()), "no end record"),
    zip("bytes after its end", ZipBytes.file([entry]) + [0], "no end record"),
    zip("too many entries", ZipBytes.file([entry], count: 900), "cannot hold 900 entries"),
    zip("directory beyond the file", ZipBytes.file([entry], start: 100_000), "lies outside"),
    zip("directory too long", ZipBytes.file([entry], size: 100_000), "lies outside"),
    zip("directory elsewhere", ZipBytes.file([entry], start: 0), "no zip directory entry at byte 0"),
    zip("ZIP64 without locator", ZipBytes.file([entry], count: 0xffff), "ZIP64 locator"),
    zip("ZIP64 sizes missing", with { $0.size = 0xffff_ffff }, "lacks its ZIP64 sizes"),
    zip(
      "ZIP64 offset hostile",
      with {
        $0.offset = 0xffff_ffff; $0.extra = [1, 0, 8, 0] + bytes(UInt64.max)
      }, "no local header at byte 1844"),
    zip(
      "ZIP64 extra cut",
      with {
        $0.offset = 0xffff_ffff; $0.extra = [1, 0, 80, 0]
      }, "lacks its ZIP64"),
    zip("sizes differ", with { $0.size = 3 }, "sizes 3 and"),
    zip(
      "entry too long",
      with {
        $0.size = 90000; $0.packed = 90000
      }, "truncated: entry 'a.npy' needs 90000"),
    zip("no local header", with { $0.offset = 1 }, "no local header at byte 1"),
    zip("local header far away", with { $0.offset = 0xffff_fff0 }, "no local header at byte 4294967280"),
    zip("another local name", with { $0.localName = "b.npy" }, "another name"),
    zip("stored, said to be deflated", with { $0.method = 8 }, "no .npy header").one,
    zip("method 12", with { $0.method = 12 }, "zip method 12").one,
    zip("encrypted", with { $0.flags = 1 }, "encrypted").one,
    zip("entry twice", ZipBytes.file([entry, entry]), "'a.npy' twice"),
    zip("NUL in a name", with { $0.name = "a\0.npy" }, "not valid UTF-8"),
    zip(
      "overlap",
      ZipBytes.file([
        ZipBytes(name: "a.npy", content: ZipBytes.file([ZipBytes(name: "b.npy", content: twoFloats)])),
        ZipBytes(name: "b.npy", content: twoFloats, offset: 35),
      ]), "overlap"),
    zip(
      "entry that is no npy", ZipBytes.file([ZipBytes(name: "a.npy", content: [1, 2, 3])]),
      "truncated: 3 bytes"
    ).one,
    zip(
      "entry without magic", ZipBytes.file([ZipBytes(name: "a.npy", content: [UInt8](1...20))]),
      "no .npy magic"
    ).one,
    zip(
      "bad entry", ZipBytes.file([ZipBytes(name: "a.npy", content: Array(twoFloats.dropLast()))]),
      "7 are there"
    ).one,
  ]

  private static let others: [Hostile] = [
    Hostile("one byte", [7], "its 1 bytes begin with 07"),
    Hostile("text", Array("hello, world\n".utf8), "begin with 68 65 6c 6c 6f 2c 20 77"),
    Hostile("cut magic", [0x93, 0x4e, 0x55], "is no .npy", path: "a.npy"),
    Hostile(
      "Git LFS pointer",
      Array("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 988097824\n".utf8),
      "pointer of Git LFS to the file, of 988097824 bytes", path: "model.safetensors"),
    Hostile(
      "Git LFS pointer without a size", Array("version https://git-lfs.github.com/spec/v1\n".utf8),
      "pointer of Git LFS to the file, which"),
    Hostile("JSON", Array("{\"a\": [1, -2.5e3, null, {\"b\": true}]}".utf8), "without a 'weight_map'"),
    Hostile("JSON that ends", Array("{\"weight_map\": {\"a\": \"b".utf8), "does not end"),
    Hostile("JSON number", Array("{\"metadata\": {\"total_size\": 01}}".utf8), "needs a value"),
    Hostile("JSON word", Array("{\"metadata\": nul}".utf8), "needs '{'"),
    Hostile(
      "JSON nested", Array(("{\"x\":" + String(repeating: "[", count: 70000)).utf8), "nests deeper than 64"),
    Hostile("index twice", Array("{\"weight_map\": {}, \"weight_map\": {}}".utf8), "'weight_map' twice"),
    Hostile(
      "index of a tensor twice", Array("{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}".utf8), "'a' twice"),
    Hostile(
      "index upwards", Array("{\"weight_map\": {\"a\": \"../x.safetensors\"}}".utf8), "not lie beside it"),
    Hostile(
      "index of the root", Array("{\"weight_map\": {\"a\": \"/etc/passwd\"}}".utf8), "not lie beside it"),
    Hostile("index of nothing", Array("{\"weight_map\": {\"a\": \"\"}}".utf8), "not lie beside it"),
    Hostile("index with NUL", Array("{\"weight_map\": {\"a\": \"x\\u0000\"}}".utf8), "NUL"),
    Hostile("zeros", [UInt8](repeating: 0, count: 64), "is no .npy"),
    Hostile("nothing", [], "is empty"),
  ]
}
