import NumKit
import TensorFiles
import Testing

@testable import Guests

/// What is seen of memory around arrays.
@Suite struct ArrayRegionTests {
  private func region(_ shape: [Int], result: Bool, gap: Int = 0, atStart: Bool = false) -> ArrayRegion {
    ArrayRegion("x", .f32, shape, isResult: result, rowGap: gap, atStart: atStart, page: 4096)
  }

  private func breaches(_ region: ArrayRegion, _ change: (UnsafeMutableRawBufferPointer) -> Void) -> [Breach]
  {
    var memory = [UInt8](repeating: 0, count: region.length)
    memory.withUnsafeMutableBytes { region.fill($0, otherwise: false) }
    let before = memory
    memory.withUnsafeMutableBytes { change($0) }
    return before.withUnsafeBytes { old in
      memory.withUnsafeBytes { region.breaches(before: old, after: $0, otherwise: false) }
    }
  }

  @Test(arguments: [0, 3], [false, true]) func elementsComeBack(gap: Int, atStart: Bool) throws {
    let array = try GuestArray("x", .f32, [3, 5], values: (0..<15).map(Double.init))
    let region = region([3, 5], result: false, gap: gap, atStart: atStart)
    #expect(region.strides == [5 + gap, 1])
    #expect(region.start % 64 == 0 && region.length % 4096 == 0)
    var memory = [UInt8](repeating: 0, count: region.length)
    memory.withUnsafeMutableBytes { region.place(array.bytes, in: $0) }
    #expect(memory.withUnsafeBytes { region.elements(of: $0) } == array.bytes)
  }

  @Test func whatIsNotWrittenIsSeen() {
    let region = region([2, 4], result: true, gap: 3)
    let all = breaches(region) { _ in }
    #expect(all == [.unwritten("x", count: 8, first: [0, 0])])
    let some = breaches(region) { memory in
      // The NaN that arithmetic makes is a result like any other.
      for i in 0..<7 {
        memory.storeBytes(
          of: UInt32(0x7fc0_0000), toByteOffset: region.start + (i / 4 * 7 + i % 4) * 4, as: UInt32.self)
      }
    }
    #expect(some == [.unwritten("x", count: 1, first: [1, 3])])
  }

  @Test func whatIsWrittenElsewhereIsSeen() {
    let region = region([2, 4], result: true, gap: 3)
    func write(_ places: [Int]) -> [Breach] {
      breaches(region) { memory in
        for row in 0..<2 { for i in 0..<16 { memory[region.start + row * 28 + i] = 1 } }
        for place in places { memory[place] = 1 }
      }
    }
    #expect(write([]) == [])
    #expect(write([region.start - 2]) == [.outside("x", .before, bytes: 1, reach: 2)])
    #expect(write([region.start + 16, region.start + 18]) == [.outside("x", .between, bytes: 2, reach: 3)])
    #expect(write([region.start + 28 + 16]) == [.outside("x", .after, bytes: 1, reach: 1)])
  }

  @Test func anInputThatChangesIsSeen() {
    let region = region([2, 3], result: false)
    #expect(breaches(region) { $0[region.start + 4 * 4 + 1] ^= 1 } == [.input("x", first: [1, 1])])
  }
}

/// Codes of elements, and how far apart they are.
@Suite struct GuestCodeTests {
  @Test(arguments: ["f64", "f32", "f16", "bf16", "f8e4m3fn", "f8e5m2", "f8e4m3fnuz", "int8", "int64"])
  func numbersComeBack(name: String) throws {
    let type = try #require(ElementType.numeric.first { $0.name == name })
    let array = try GuestArray("x", type, [5], values: [0, 1, -2, 3, 96])
    #expect(array.values == [0, 1, -2, 3, 96])
    #expect(array.bytes.count == 5 * type.guestWidth)
  }

  @Test func stepsAreThoseOfTheFormat() {
    let one = ElementType.f32.guestCode(1) ?? 0
    #expect(ElementType.f32.steps(one, one) == 0)
    #expect(ElementType.f32.steps(one, one + 5) == 5)
    #expect(ElementType.f32.steps(one, 0x7fc0_0000) == nil)
    #expect(ElementType.f32.steps(0x7fc0_0000, 0x7fc0_0001) == 0)
    // From the smallest positive to the smallest negative number: over both zeros, which are one number.
    #expect(ElementType.f16.steps(0x0001, 0x8001) == 2)
    #expect(ElementType.f16.steps(0x0000, 0x8000) == 1)
  }

  @Test func problemsAreCut() throws {
    let x = try GuestArray("input", .f32, [3, 4], values: (0..<12).map(Double.init))
    let w = try GuestArray("weight", .f32, [4], values: [1, 2, 3, 4])
    let problem = GuestProblem(
      "rmsnorm",
      inputs: [.init(x, perItem: 1, lengthAxes: [1]), .init(w, perItem: 0, lengthAxes: [0])],
      outputs: [.init(GuestResult("results", .f32, [3, 4]), perItem: 1, lengthAxes: [1])])
    #expect(problem.itemCount == 3 && problem.length == 4)
    let call = problem.call(items: [2, 0], length: 3)
    #expect(call.inputs[0].shape == [2, 3] && call.inputs[0].values == [8, 9, 10, 0, 1, 2])
    #expect(call.inputs[1].values == [1, 2, 3])
    #expect(call.results[0].shape == [2, 3])
  }
}
