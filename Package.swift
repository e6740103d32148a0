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

let package = Package(
  name: "numcheck",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "NumKit", targets: ["NumKit"]),
    .library(name: "Quant", targets: ["Quant"]),
    .library(name: "TensorFiles", targets: ["TensorFiles"]),
    .executable(name: "numcheck", targets: ["numcheck"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
  ],
  targets: [
    .systemLibrary(
      name: "CMPFR", pkgConfig: "mpfr",
      providers: [.apt(["libmpfr-dev"]), .yum(["mpfr-devel"]), .brew(["mpfr"])]),
    .target(name: "CVector", cSettings: cSettings),
    .target(
      name: "NumKit",
      dependencies: [
        "CMPFR", "CVector", .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: swiftSettings),
    .target(name: "TensorFiles", dependencies: ["NumKit"], swiftSettings: swiftSettings),
    .target(name: "Quant", dependencies: ["NumKit", "CVector"], swiftSettings: swiftSettings),
    .executableTarget(
      name: "numcheck",
      dependencies: [
        "NumKit", "Quant", "TensorFiles", "CVector",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "TestSupport", dependencies: ["NumKit"], path: "Tests/TestSupport",
      swiftSettings: swiftSettings),
    .testTarget(
      name: "NumKitTests",
      dependencies: [
        "NumKit", "CMPFR", "CVector", "TestSupport", .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "TensorFilesTests", dependencies: ["TensorFiles", "TestSupport"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "QuantTests",
      dependencies: [
        "Quant", "TensorFiles", "CMPFR", "TestSupport",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "numcheckTests", dependencies: ["numcheck", "TensorFiles", "TestSupport"],
      exclude: ["Snapshots"],
      swiftSettings: swiftSettings),
  ]
)
