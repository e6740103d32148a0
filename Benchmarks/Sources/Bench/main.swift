import Foundation

let arguments = CommandLine.arguments.dropFirst()
if arguments.first == "ggml", let library = arguments.dropFirst().first {
  benchmarkGGML(library: library)
} else if arguments.first == "tiers" {
  printTiers()
} else if let path = arguments.first, let data = FileManager.default.contents(atPath: path) {
  let rows = Rows(data)
  serve(certifiedCases(rows) + kernelCases(rows) + castCases(rows) + attentionCases(rows))
} else {
  print("usage: Bench DATA | Bench tiers | Bench ggml LIBRARY")
  exit(2)
}
