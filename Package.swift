// swift-tools-version: 6.2
import PackageDescription

/// A file uses the modules that it imports: a method of Foundation that slips in through another file brings all of Foundation, 40 MB,
/// into the program.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error), .enableUpcomingFeature("MemberImportVisibility")]
/// In builds for tests only: what a test can make the program do that nobody else may.
let forTests: [SwiftSetting] = [.define("FAILURE_POINTS", .when(configuration: .debug))]
/// For the program as it is installed, with `--static-swift-stdlib`: what it needs of the C++ runtime goes into it, and it
/// offers no names of its own to others. Else the loader looks up thousands of names at each start, a tenth of a short
/// command's time.
let quickToLoad: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-L\(Context.packageDirectory)/scripts/linking", "-Xclang-linker", "-static-libgcc", "-Xlinker",
            "--no-export-dynamic",
        ], .when(platforms: [.linux], configuration: .release))
]
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let decoders: [Target.Dependency] = [
    "Accounting", "CLibpq", "Ledger", "Postgres", "RivyaClient", "RivyaSandbox", "UsageCommand", argumentParser,
]

let package = Package(
    name: "usage",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "usage", targets: ["UsageCommand"]),
        .library(name: "RivyaClient", targets: ["RivyaClient"]),
        // What Benchmarks measures.
        .library(
            name: "UsageParts",
            targets: [
                "Accounting", "Ledger", "Postgres", "Reporting", "RivyaClient", "RivyaSandbox", "UsageSQL", "Worker",
            ]),
        .executable(name: "storm", targets: ["Storm"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", "3.12.3"..<"5.0.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        // Without its traits it does with FoundationEssentials.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The C library.
        .systemLibrary(
            name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
        // Places at which a test lets the process die; nothing in a release build.
        .target(
            name: "FailurePoints",
            swiftSettings: strict + forTests),
        // An async client for PostgreSQL over libpq, and a private server for when there is none.
        .target(name: "Postgres", dependencies: ["CLibpq", "FailurePoints", logging, crypto], swiftSettings: strict),
        // Credits, months, budgets, refusals: values and rules, no I/O.
        .target(name: "Accounting", swiftSettings: strict),
        // The core client: the provider's API and model contract. Knows no database.
        .target(
            name: "RivyaClient",
            dependencies: [
                "FailurePoints", httpClient, logging, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict),
        // A stand-in provider on loopback with its own books and faults on demand.
        .target(
            name: "RivyaSandbox",
            dependencies: [.product(name: "Hummingbird", package: "hummingbird"), crypto, logging, lifecycle],
            swiftSettings: strict),
        // The schema and the statements, embedded.
        .target(
            name: "UsageSQL", dependencies: ["Postgres"], path: "sql",
            resources: [.embedInCode("migrations"), .embedInCode("queries"), .embedInCode("verify")],
            swiftSettings: strict),
        // The books: guard, reservations, settlements, errors, readings.
        .target(name: "Ledger", dependencies: ["Accounting", "Postgres", "UsageSQL", crypto], swiftSettings: strict),
        // Takes tasks, sends them, follows them, settles them.
        .target(
            name: "Worker", dependencies: ["Ledger", "Postgres", "RivyaClient", lifecycle, logging],
            swiftSettings: strict),
        // The report queries, embedded.
        .target(
            name: "UsageReports", dependencies: ["Postgres"], path: "reports",
            resources: [
                .embedInCode("chain_heads.sql"), .embedInCode("charges_by_day.sql"),
                .embedInCode("charges_by_model.sql"),
                .embedInCode("charges_by_project.sql"), .embedInCode("entries.sql"),
                .embedInCode("set_period.sql"), .embedInCode("set_tasks.sql"), .embedInCode("tasks_of_period.sql"),
                .embedInCode("unattributed.sql"), .embedInCode("unit_prices.sql"),
            ], swiftSettings: strict),
        // Runs the report queries and the proof of the books; prints table, CSV and JSON.
        .target(
            name: "Reporting", dependencies: ["Accounting", "Postgres", "UsageReports", "UsageSQL", crypto],
            swiftSettings: strict),
        // The executable: one file a subcommand; the only place that wires parts together.
        .executableTarget(
            name: "UsageCommand",
            dependencies: [
                "Ledger", "Reporting", "RivyaClient", "RivyaSandbox", "Worker", argumentParser, crypto, lifecycle,
                signals,
            ],
            swiftSettings: strict + forTests, linkerSettings: quickToLoad),

        // Runs the real programs under every fault there is, and compares three accounts of the truth at the end.
        .executableTarget(
            name: "Storm",
            dependencies: [
                "Postgres", "RivyaSandbox", argumentParser, httpClient, logging,
            ],
            path: "Tests/Storm", swiftSettings: strict),
        .target(
            name: "TestDatabase", dependencies: ["Postgres", logging], path: "Tests/TestDatabase", swiftSettings: strict
        ),
        .testTarget(name: "PostgresTests", dependencies: ["Postgres", "TestDatabase", logging], swiftSettings: strict),
        .testTarget(
            name: "RivyaClientTests",
            dependencies: [
                "RivyaClient", httpClient, logging, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "RivyaSandboxTests",
            dependencies: [
                "RivyaSandbox", httpClient, logging, lifecycle, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(name: "AccountingTests", dependencies: ["Accounting"], swiftSettings: strict),
        .testTarget(
            name: "LedgerTests",
            dependencies: [
                "Accounting", "Ledger", "Postgres", "Reporting", "TestDatabase", "UsageReports", "UsageSQL", logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "Accounting", "Ledger", "Postgres", "Reporting", "RivyaClient", "RivyaSandbox", "TestDatabase",
                "UsageSQL",
                "Worker", lifecycle, logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ReportingTests",
            dependencies: [
                "Accounting", "Ledger", "Postgres", "Reporting", "TestDatabase", "UsageReports", "UsageSQL",
            ],
            exclude: ["Expected"], swiftSettings: strict),
        // What must hold for any bytes from outside; scripts/fuzz runs the same functions under libFuzzer.
        .testTarget(
            name: "FuzzTests",
            dependencies: decoders + [logging], exclude: ["Driver", "Corpus", "Dictionaries", "Regressions"],
            swiftSettings: strict),
        .testTarget(
            name: "UsageCommandTests",
            dependencies: [
                "Postgres", "Reporting", "RivyaClient", "RivyaSandbox", "Storm", "TestDatabase", "UsageCommand",
                "UsageSQL",
                argumentParser, logging,
            ],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

// scripts/fuzz sets this: our modules with the fuzzer's instrumentation, and nothing but what the fuzzer needs.
if Context.environment["USAGE_FUZZ"] != nil {
    let instrumented = strict + [.unsafeFlags(["-sanitize=fuzzer", "-O"])]
    // A main of its own would stand beside the fuzzer's.
    let renamed = ["-entry-point-function-name", "usage_main"].flatMap { ["-Xfrontend", $0] }
    package.products = [.executable(name: "fuzz", targets: ["fuzz"])]
    package.targets = package.targets.filter { $0.type != .test && !["Storm", "TestDatabase"].contains($0.name) }.map {
        target in
        guard target.type != .system else { return target }
        guard target.type == .executable else {
            target.swiftSettings = instrumented
            return target
        }
        return .target(
            name: target.name, dependencies: target.dependencies,
            swiftSettings: instrumented + [.unsafeFlags(renamed)])
    }
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: decoders, path: "Tests/FuzzTests", sources: ["Decoders", "Driver"],
            swiftSettings: instrumented,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
}
