// swift-tools-version: 6.2
import PackageDescription

// Float16 conversion (F16C) and fused multiply-add are single instructions from x86-64-v3 on;
// without them both are library calls. Every module shares the flag.
#if arch(x86_64)
  let machine = ["-Xcc", "-march=x86-64-v3"]
  let machineC = ["-march=x86-64-v3"]
#else
  let machine: [String] = []
  let machineC: [String] = []
#endif

// Warnings are errors where it is our turn to fix them (`make`, CI), never for a client.
let strict = Context.environment["NUMCHECK_STRICT"] != nil
let swiftSettings: [SwiftSetting] =
  [.unsafeFlags(machine)] + (strict ? [.treatAllWarnings(as: .error)] : [])
let cSettings: [CSetting] =
  [.unsafeFlags(machineC + ["-ffp-contract=off", "-Wno-psabi"])]
  + (strict ? [.treatAllWarnings(as: .error)] : [])

/// Loops in C that must become vectors, with their owner's name.
func loops(_ name: String, _ dependencies: [Target.Dependency] = ["CLoops"]) -> Target {
  .target(name: name, dependencies: dependencies, cSettings: cSettings)
}

/// A room of NumKit: what it may know is what it depends on. The names carry NumKit's because target names are one space for a
/// whole package graph, and a client may well have a `Kernels` of its own.
func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  let numerics = Target.Dependency.product(name: "RealModule", package: "swift-numerics")
  return .target(
    name: "NumKit\(name)", dependencies: dependencies + [numerics], path: "Sources/NumKit/\(name)",
    swiftSettings: swiftSettings)
}

let rooms = ["Numbers", "Questions", "Truth", "Kernels", "Judging"]

// NumKit and its rooms by name: what only re-exports them does not change when they do, and its clients would not be built anew.
let numKit = (["NumKit"] + rooms.map { "NumKit\($0)" }).map { Target.Dependency.target(name: $0) }

let package = Package(
  name: "numcheck",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "NumKit", targets: ["NumKit"]),
    .library(name: "Quant", targets: ["Quant"]),
    .library(name: "TensorFiles", targets: ["TensorFiles"]),
    .library(name: "StabilityTesting", targets: ["StabilityTesting"]),
    .executable(name: "numcheck", targets: ["numcheck"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
  ],
  targets: [
    .systemLibrary(
      name: "CMPFR", pkgConfig: "mpfr",
      providers: [.apt(["libmpfr-dev"]), .yum(["mpfr-devel"]), .brew(["mpfr"])]),
    .systemLibrary(
      name: "CZlib", pkgConfig: "zlib",
      providers: [.apt(["zlib1g-dev"]), .yum(["zlib-devel"]), .brew(["zlib"])]),
    .target(name: "CFiles", cSettings: cSettings),
    loops("CLoops", []),
    loops("CNumbers"),
    loops("CProof"),
    loops("CKernels"),
    loops("CJudging", ["CLoops", "CProof"]),
    loops("CSchemes"),
    room("Numbers", ["CLoops", "CNumbers"]),
    room("Questions", ["NumKitNumbers"]),
    room("Truth", ["NumKitNumbers", "NumKitQuestions", "CMPFR", "CProof"]),
    room("Kernels", ["NumKitNumbers", "NumKitQuestions", "CKernels"]),
    room("Judging", ["NumKitNumbers", "NumKitQuestions", "NumKitTruth", "NumKitKernels", "CJudging"]),
    .target(
      name: "NumKit", dependencies: rooms.map { .target(name: "NumKit\($0)") }, path: "Sources/NumKit",
      exclude: rooms,
      sources: ["NumKit.swift"], swiftSettings: swiftSettings),
    .target(
      name: "TensorFiles",
      dependencies: numKit + [
        "CFiles", "CZlib", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: swiftSettings),
    .target(name: "Quant", dependencies: numKit + ["CSchemes"], swiftSettings: swiftSettings),
    .target(name: "Reports", swiftSettings: swiftSettings),
    .target(name: "Shards", dependencies: ["NumKitNumbers"], swiftSettings: swiftSettings),
    .target(name: "Decoding", dependencies: numKit, swiftSettings: swiftSettings),
    .target(
      name: "Tolerances",
      dependencies: numKit + [.product(name: "RealModule", package: "swift-numerics")],
      swiftSettings: swiftSettings),
    .target(name: "StabilityTesting", dependencies: numKit, swiftSettings: swiftSettings),
    .target(name: "CGuests", cSettings: cSettings),
    .target(
      name: "Guests",
      dependencies: numKit + [
        "TensorFiles", "CGuests", "CFiles", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Searching", dependencies: numKit + ["StabilityTesting", "Guests", "TensorFiles"],
      swiftSettings: swiftSettings),
    .target(
      name: "Fingerprints",
      dependencies: numKit + [
        "Guests", "TensorFiles", .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Gate",
      dependencies: [
        "Reports", "Shards", .product(name: "Yams", package: "Yams"),
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "numcheck",
      dependencies: numKit + [
        "Quant",
        "TensorFiles",
        "Guests",
        "Reports",
        "Tolerances",
        "Decoding",
        "Gate",
        "Shards",
        "StabilityTesting",
        "Searching",
        "Fingerprints",
        "CFiles",
        "CLoops",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "TestSupport", dependencies: numKit, path: "Tests/TestSupport",
      swiftSettings: swiftSettings),
    .testTarget(
      name: "NumKitTests",
      dependencies: numKit + [
        "CMPFR", "CJudging", "CProof", "TestSupport",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "FirstTierTests", dependencies: numKit + ["TestSupport"], swiftSettings: swiftSettings),
    .testTarget(
      name: "TensorFilesTests",
      dependencies: [
        "TensorFiles", "TestSupport", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "QuantTests",
      dependencies: [
        "Quant", "TensorFiles", "CMPFR", "TestSupport",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(name: "PlanTests", dependencies: ["Quant"], swiftSettings: swiftSettings),
    .testTarget(
      name: "OriginalsTests", dependencies: ["Quant", "TensorFiles"], swiftSettings: swiftSettings),
    .testTarget(
      name: "ReportsTests", dependencies: ["Reports", "TestSupport"], swiftSettings: swiftSettings),
    .testTarget(
      name: "GuestsTests", dependencies: numKit + ["Guests", "TensorFiles", "TestSupport"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "DecodingTests", dependencies: numKit + ["Decoding", "StabilityTesting", "TestSupport"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "FormulasTests", dependencies: numKit + ["CMPFR", "TestSupport"], swiftSettings: swiftSettings),
    .testTarget(
      name: "FingerprintsTests",
      dependencies: numKit + ["Fingerprints", "Guests", "TensorFiles", "TestSupport"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "TolerancesTests", dependencies: numKit + ["Tolerances", "TestSupport"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "GateTests", dependencies: ["Gate", "Reports", "Shards", "TestSupport"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ShardsTests", dependencies: numKit + ["numcheck", "Shards", "Quant", "Guests"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "StabilityTestingTests", dependencies: numKit + ["StabilityTesting"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "SearchingTests",
      dependencies: numKit + ["Searching", "StabilityTesting", "Guests", "TensorFiles"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "numcheckTests", dependencies: ["numcheck", "TensorFiles", "TestSupport"],
      exclude: ["Snapshots"],
      swiftSettings: swiftSettings),
  ]
)

// `NUMCHECK_TESTS=QuantTests swift test` builds that target's tests alone, which is what one waits for while working on them.
if let wanted = Context.environment["NUMCHECK_TESTS"] {
  let names = wanted.split(separator: ",").map(String.init)
  package.targets.removeAll { $0.type == .test && !names.contains($0.name) }
}

// Bytes that may be tensor files, thought up by libFuzzer: see Scripts/fuzz/coverage, which alone asks for it.
if Context.environment["NUMCHECK_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "ReaderFuzzer", dependencies: ["TensorFiles"], path: "Scripts/fuzz/readers",
      swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library"])]))
}
