// swift-tools-version: 6.2
import PackageDescription

// From a repository by version, as a client has it; without NUMCHECK_REPOSITORY the one around this example.
let numcheck: Package.Dependency =
  Context.environment["NUMCHECK_REPOSITORY"].map { .package(url: $0, from: "0.1.0") }
  ?? .package(name: "numcheck", path: "../..")

let package = Package(
  name: "StabilityTestingExample",
  platforms: [.macOS(.v15)],
  dependencies: [numcheck],
  targets: [
    // The kernels know nothing of numcheck.
    .target(name: "RowKernels", path: "Sources/Kernels"),
    .testTarget(
      name: "RowKernelsTests",
      dependencies: ["RowKernels", .product(name: "StabilityTesting", package: "numcheck")],
      path: "Tests/KernelsTests"),
  ]
)
