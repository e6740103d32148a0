// swift-tools-version: 6.2
import PackageDescription

// As in the package that is measured: conversions and fused operations as single instructions.
#if arch(x86_64)
  let machine: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-march=x86-64-v3"])]
#else
  let machine: [SwiftSetting] = []
#endif

let package = Package(
  name: "Benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "numcheck", path: "..")],
  targets: [
    .executableTarget(
      name: "Bench",
      dependencies: [
        .product(name: "NumKit", package: "numcheck"), .product(name: "Quant", package: "numcheck"),
      ],
      swiftSettings: machine)
  ]
)
