#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How much memory there is to be had: asked before work begins, because an allocation that fails ends the process.
package enum Memory {
  /// Bytes that may still be taken: the least of what the machine has free, the process's own limits (RLIMIT_AS,
  /// RLIMIT_DATA) and those of its control group leave. `Int.max` where nothing is known.
  package static var available: Int {
    min(machine, limit, controlGroup)
  }

  /// What the limits on this process leave of its address space; `Int.max` where there is none.
  package static var limit: Int {
    let sizes = numbers(in: "/proc/self/statm")
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    // Pages of the address space, and of data and stack.
    let used = sizes.count > 5 ? (sizes[0] * page, sizes[5] * page) : (0, 0)
    return min(left(of: RLIMIT_AS, used.0), left(of: RLIMIT_DATA, used.1))
  }

  /// How many of `threads` there is room for, if each takes `each` bytes beside its stack; at least 1.
  package static func threads(_ threads: Int, each: Int = 0) -> Int {
    guard threads > 1 else { return threads }
    var stack = rlimit()
    var stackSize = 8 << 20
    if getrlimit(resource(RLIMIT_STACK), &stack) == 0, stack.rlim_cur < 1 << 40 {
      stackSize = Int(stack.rlim_cur)
    }
    // The allocator reserves an arena for each thread, of which only addresses are taken.
    let arena = 128 << 20
    let byAddresses = limit == .max ? threads : limit / 2 / sum(stackSize + arena, each)
    let byMemory = available == .max ? threads : available / 2 / sum(1 << 20, each)
    return max(1, min(threads, byAddresses, byMemory))
  }

  /// Throws where `bytes` more cannot be had. `what` is what needs them: "a row of 12 elements".
  package static func require(_ bytes: Int, for what: @autoclosure () -> String) throws(OutOfMemory) {
    let available = available
    if bytes > available { throw OutOfMemory(what: what(), needed: bytes, available: available) }
  }

  /// A product of sizes, `Int.max` where it is more.
  package static func product(_ factors: Int...) -> Int {
    var product = 1
    for factor in factors {
      let (next, overflow) = product.multipliedReportingOverflow(by: factor)
      if overflow { return .max }
      product = next
    }
    return product
  }

  private static func sum(_ a: Int, _ b: Int) -> Int {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? .max : sum
  }

  private static var machine: Int {
    #if canImport(Darwin)
      var size: UInt64 = 0
      var length = MemoryLayout<UInt64>.size
      return sysctlbyname("hw.memsize", &size, &length, nil, 0) == 0 ? Int(clamping: size) : .max
    #else
      let text = text(of: "/proc/meminfo")
      guard let free = field("MemAvailable:", of: text) else { return .max }
      return (free + (field("SwapFree:", of: text) ?? 0)) << 10
    #endif
  }

  /// Of control groups, version 2: what is free up to the least limit of the process's group and those around it. The files
  /// that the group has cached make room.
  private static var controlGroup: Int {
    guard
      let line = text(of: "/proc/self/cgroup").split(separator: "\n").first(where: { $0.hasPrefix("0::/") })
    else { return .max }
    var folder = "/sys/fs/cgroup" + line.dropFirst(3)
    var least = Int.max
    while folder.count >= "/sys/fs/cgroup".count {
      if let maximum = numbers(in: folder + "/memory.max").first {
        let used = numbers(in: folder + "/memory.current").first ?? 0
        let cached = field("file ", of: text(of: folder + "/memory.stat")) ?? 0
        least = min(least, max(0, maximum - max(0, used - cached)))
      }
      guard let slash = folder.lastIndex(of: "/") else { break }
      folder = String(folder[..<slash])
    }
    return least
  }

  #if canImport(Glibc)
    private typealias Resource = __rlimit_resource_t
  #else
    private typealias Resource = Int32
  #endif

  private static func resource(_ resource: some Any) -> Resource {
    #if canImport(Glibc)
      if let known = resource as? __rlimit_resource { return __rlimit_resource_t(known.rawValue) }
    #endif
    return resource as? Resource ?? 0
  }

  private static func left(of resource: some Any, _ used: Int) -> Int {
    var values = rlimit()
    guard getrlimit(self.resource(resource), &values) == 0, let most = Int(exactly: values.rlim_cur),
      most < 1 << 60
    else { return .max }
    return max(0, most - used)
  }

  private static func numbers(in path: String) -> [Int] {
    text(of: path).split(whereSeparator: { $0 == " " || $0 == "\n" }).compactMap { Int($0) }
  }

  private static func field(_ name: String, of text: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      return line.dropFirst(name.count).split(separator: " ").first.flatMap { Int($0) }
    }
    return nil
  }

  /// The first 64 KiB of a file of the system; empty where it cannot be read.
  private static func text(of path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : ""
  }
}

/// There is not enough memory for what is asked.
package struct OutOfMemory: Error, CustomStringConvertible {
  let what: String
  let needed: Int
  let available: Int

  package var description: String {
    "\(what) needs \(needed == .max ? "more memory than can be counted" : "about " + Self.size(needed)) of memory, "
      + "\(Self.size(available)) can be had"
  }

  /// `3.4 GB`.
  package static func size(_ bytes: Int) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"]
    var (value, unit) = (Double(bytes), 0)
    while value >= 999.5 && unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
    if unit == 0 { return "\(bytes) bytes" }
    let tenths = Int((value * 10).rounded())
    return value < 9.95
      ? "\(tenths / 10).\(tenths % 10) \(units[unit])" : "\(Int(value.rounded())) \(units[unit])"
  }
}
