import CGuests
import TensorFiles

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A kernel in a shared library (`numcheck_kernel.h`), called in a process of its own over memory that both see: it may crash or hang
/// there, and what it writes where it should not is seen here.
package final class LibraryGuest: GuestKernel {
  package private(set) var name: String
  package var gapDescription: String? { "gaps between rows" }
  package var staysLoaded: Bool { true }
  private let path: String
  private let program: [String]
  private let seconds: Double
  private var environment: [String: String] = [:]
  private var process: GuestProcess?
  private var channel: Int32 = -1
  private var descriptor: Int32 = -1
  private var memory: UnsafeMutableRawBufferPointer?
  private let page = Int(nc_page())

  /// The library at `path`; `program` and the path are the command that serves it (`serve`), `seconds` the time that a call may take.
  package init(_ path: String, program: [String], seconds: Double) {
    self.path = path
    self.program = program
    self.seconds = seconds
    name = path
  }

  deinit { close() }

  /// The process of a library: serves it until its parent goes. Its exit status.
  package static func serve(_ path: [UInt8]) -> Int32 {
    (path.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { nc_serve_library($0.baseAddress) }
  }

  /// Whether this process was started to serve one.
  package static var isCalled: Bool {
    var kind: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(Int32(NC_WIRE_CHANNEL), SOL_SOCKET, SO_TYPE, &kind, &length) == 0
  }

  package func restart(environment: [String: String]) {
    endProcess()
    self.environment = environment
  }

  package func close() {
    endProcess()
    if let memory { munmap(memory.baseAddress, memory.count) }
    memory = nil
    if descriptor >= 0 { closeDescriptor(descriptor) }
    descriptor = -1
  }

  private func endProcess() {
    process?.end()
    process = nil
    if channel >= 0 { closeDescriptor(channel) }
    channel = -1
  }

  /// Loads it; what is wrong with it shows here.
  package func load() throws(GuestFault) {
    if process != nil { return }
    if descriptor < 0 {
      descriptor = nc_anonymous_memory(Int64(page))
      guard descriptor >= 0 else { throw GuestFault(.start, "no memory can be shared") }
    }
    var ends: [Int32] = [-1, -1]
    guard nc_channel(&ends) == 0 else { throw GuestFault(.start, "no channel can be opened") }
    defer { closeDescriptor(ends[1]) }
    channel = ends[0]
    let process = try GuestProcess(
      program + [path], environment: environment, descriptors: [descriptor, ends[1]])
    self.process = process
    closeDescriptor(ends[1])
    ends[1] = -1
    let answer = try receive("while it was loaded")
    switch Int(answer.state) {
    case NC_WIRE_LOADED: break
    case NC_WIRE_NO_LIBRARY: throw ended(.start, "\(path): cannot be loaded")
    case NC_WIRE_NO_KERNEL:
      throw ended(.start, "\(path): exports no numcheck_kernel and numcheck_kernel_abi")
    case NC_WIRE_OTHER_ABI:
      throw ended(.start, "\(path): was built for version \(answer.code) of numcheck_kernel.h, not 1")
    default: throw ended(.start, "\(path): does not answer")
    }
    var said = [CChar](repeating: 0, count: Int(NC_WIRE_NAME))
    for k in said.indices {
      guard process.receive(&said[k], from: channel, seconds: seconds) == .done else {
        throw ended(.start, "\(path): does not answer")
      }
    }
    let text = String(decoding: said.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if !text.isEmpty { name = text }
  }

  package func call(_ call: GuestCall, _ conditions: CallConditions) throws(GuestFault) -> GuestAnswer {
    try load()
    func region(_ name: String, _ type: ElementType, _ shape: [Int], _ isResult: Bool) -> ArrayRegion {
      ArrayRegion(
        name, type, shape, isResult: isResult, rowGap: conditions.rowGap, atStart: conditions.isAtStart,
        page: page)
    }
    let regions =
      call.inputs.map { region($0.name, $0.type, $0.shape, false) }
      + call.results.map { region($0.name, $0.type, $0.shape, true) }
    let header = (MemoryLayout<nc_wire_call>.size + page - 1) / page * page
    // A guard page before each region and after the last.
    var offsets: [Int] = []
    var end = header
    for region in regions {
      offsets.append(end + page)
      end += page + region.length
    }
    end += page
    try makeRoom(end)
    guard let memory else { throw GuestFault(.start, "no memory can be shared") }
    try write(call, regions, offsets, end: end)
    var before: [[UInt8]] = []
    for (k, region) in regions.enumerated() {
      let piece = UnsafeMutableRawBufferPointer(rebasing: memory[offsets[k]..<offsets[k] + region.length])
      region.fill(piece, otherwise: conditions.fillsOtherwise)
      if k < call.inputs.count { region.place(call.inputs[k].bytes, in: piece) }
      before.append(Array(piece))
    }
    var request = nc_wire_request(length: Int64(memory.count), is_fresh: conditions.isFresh ? 1 : 0)
    guard nc_send(channel, &request, Int64(MemoryLayout<nc_wire_request>.size)) == 1 else {
      throw ended(.crash, "the process of \(path) is gone")
    }
    let answer = try receive("in a call of \(Self.shapes(call))")
    if Int(answer.state) == NC_WIRE_TOUCHED {
      throw ended(
        .outOfBounds, Self.touched(Int(answer.place), regions, offsets) + " in a call of \(Self.shapes(call))"
      )
    }
    guard Int(answer.state) == NC_WIRE_RETURNED else {
      throw ended(.start, "no memory of \(memory.count) bytes can be shared")
    }
    if answer.code == 1 {
      throw GuestFault(.unsupported, "returned NUMCHECK_UNSUPPORTED for \(Self.shapes(call))")
    }
    guard answer.code == 0 else {
      throw GuestFault(
        .failure, "returned \(answer.code) for \(Self.shapes(call))", said: process?.lastLines() ?? [])
    }
    return answered(call, regions, offsets, before, otherwise: conditions.fillsOtherwise)
  }

  private func answered(
    _ call: GuestCall, _ regions: [ArrayRegion], _ offsets: [Int], _ before: [[UInt8]], otherwise: Bool
  ) -> GuestAnswer {
    var answer = GuestAnswer(results: [])
    guard let memory else { return answer }
    for (k, region) in regions.enumerated() {
      let after = UnsafeRawBufferPointer(rebasing: memory[offsets[k]..<offsets[k] + region.length])
      var left: [Int] = []
      if region.isResult {
        let result = call.results[k - call.inputs.count]
        left = region.type.fillIsUnique ? [] : region.untouched(after, otherwise: otherwise)
        let isLeftOut =
          result.isOptional && region.untouched(after, otherwise: otherwise).count == region.count
        if isLeftOut { continue }
        answer.results.append(
          GuestArray(region.name, region.type, region.shape, bytes: region.elements(of: after)))
        answer.untouched.append(left)
      }
      before[k].withUnsafeBytes {
        answer.breaches += region.breaches(before: $0, after: after, otherwise: otherwise)
      }
    }
    return answer
  }

  /// What touched a page that nobody may: how far from the array that is nearest.
  private static func touched(_ place: Int, _ regions: [ArrayRegion], _ offsets: [Int]) -> String {
    var nearest = ("memory that is not its own", Int.max)
    for (region, offset) in zip(regions, offsets) {
      let (start, end) = (offset + region.start, offset + region.end)
      let distance = place < start ? start - place : place - end + 1
      if distance < nearest.1 {
        nearest = (
          "\(distance == 1 ? "1 byte" : "\(distance) bytes") \(place < start ? "before" : "after the end of") \(region.name)",
          distance
        )
      }
    }
    return "reads or writes \(nearest.0) (SIGSEGV)"
  }

  /// Makes the memory `length` bytes long at least.
  private func makeRoom(_ length: Int) throws(GuestFault) {
    if let memory, memory.count >= length { return }
    if let memory { munmap(memory.baseAddress, memory.count) }
    memory = nil
    guard ftruncate(descriptor, off_t(length)) == 0, let base = nc_map_shared(descriptor, Int64(length))
    else {
      throw GuestFault(.start, "no memory of \(length) bytes can be shared")
    }
    memory = UnsafeMutableRawBufferPointer(start: base, count: length)
  }

  /// Writes what the call is at the beginning of the memory.
  private func write(
    _ call: GuestCall, _ regions: [ArrayRegion], _ offsets: [Int], end: Int
  ) throws(GuestFault) {
    guard let base = memory?.baseAddress?.assumingMemoryBound(to: nc_wire_call.self) else { return }
    nc_wire_clear(base, call.operation)
    var fits = true
    for (region, offset) in zip(regions, offsets) {
      guard let number = region.type.guestNumber else {
        throw GuestFault(.unsupported, "numcheck_kernel.h has no number for \(region.type)")
      }
      let shape = region.shape.map(Int64.init)
      let strides = region.strides.map(Int64.init)
      fits =
        nc_wire_add_array(
          base, region.isResult ? 1 : 0, region.name, Int64(number), Int64(shape.count),
          Int64(offset + region.start), shape, strides) == 1 && fits
      fits = nc_wire_add_guard(base, Int64(offset - page), Int64(page)) == 1 && fits
    }
    fits = nc_wire_add_guard(base, Int64(end - page), Int64(page)) == 1 && fits
    for parameter in call.parameters {
      fits = nc_wire_add_parameter(base, parameter.name, parameter.value) == 1 && fits
    }
    guard fits else { throw GuestFault(.unsupported, "arrays or parameters that no call has room for") }
  }

  private func receive(_ when: String) throws(GuestFault) -> nc_wire_answer {
    var answer = nc_wire_answer()
    guard let process else { throw GuestFault(.start, "\(path): is not loaded") }
    switch process.receive(&answer, from: channel, seconds: seconds) {
    case .done: return answer
    case .late:
      throw ended(
        .hang,
        "did not end within \(seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)") s \(when)")
    case .closed:
      let ending = process.wait(seconds: 5)
      throw ended(.crash, "\(ending.map(GuestProcess.words) ?? "closed its channel") \(when)")
    }
  }

  /// The fault, after the process was ended.
  private func ended(_ kind: GuestFault.Kind, _ message: String) -> GuestFault {
    let process = self.process
    endProcess()
    return GuestFault(kind, message, said: process?.lastLines() ?? [])
  }

  /// `q [1, 4, 8], k [1, 6, 8]`.
  static func shapes(_ call: GuestCall) -> String {
    call.inputs.map { "\($0.name) \($0.shape)" }.joined(separator: ", ")
  }
}

private func closeDescriptor(_ descriptor: Int32) {
  guard descriptor >= 0 else { return }
  #if canImport(Darwin)
    _ = Darwin.close(descriptor)
  #elseif canImport(Glibc)
    _ = Glibc.close(descriptor)
  #elseif canImport(Musl)
    _ = Musl.close(descriptor)
  #endif
}
