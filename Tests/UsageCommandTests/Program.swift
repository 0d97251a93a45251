import Foundation
import Logging
import Postgres
import RivyaSandbox
import Synchronization
import Testing

/// The real `usage`, run as a person or a script runs it.
struct Program: Sendable {
    /// What a run left behind.
    struct Outcome: Sendable {
        let status: Int32
        /// Whether SIGKILL ended it.
        let wasKilled: Bool
        let output: String
        let errors: String

        /// The error as one line, without what the parser adds for help.
        var sentence: String {
            let first = errors.split(separator: "\n").first.map(String.init) ?? ""
            return first.hasPrefix("Error: ") ? String(first.dropFirst(7)) : first
        }
    }

    /// The binary beside the test bundle.
    static let path: String = {
        var folder = URL(filePath: CommandLine.arguments[0])
        repeat {
            folder.deleteLastPathComponent()
        } while !FileManager.default.fileExists(
            atPath: folder.appending(path: "usage").path) && folder.path != "/"
        return folder.appending(path: "usage").path
    }()

    var environment: [String: String]

    /// Runs to the end.
    func run(_ arguments: String..., timeout: Duration = .seconds(600)) async throws -> Outcome {
        try await run(arguments, timeout: timeout)
    }

    func run(_ arguments: [String], timeout: Duration = .seconds(600)) async throws -> Outcome {
        try await ended(try start(arguments), arguments.joined(separator: " "), timeout: timeout)
    }

    /// Waits for the end of a run, and kills it if that does not come.
    func ended(_ running: RunningProgram, _ name: String, timeout: Duration = .seconds(600)) async throws -> Outcome {
        try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask { await running.outcome() }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            let first = try await group.next() ?? nil
            if first == nil { running.kill() }
            group.cancelAll()
            // Nobody waits for it any more.
            try Task.checkCancellation()
            return try #require(first, "usage \(name) did not end in time")
        }
    }

    /// Starts it and lets it run.
    func start(_ arguments: [String]) throws -> RunningProgram {
        let process = Process()
        process.executableURL = URL(filePath: Program.path)
        process.arguments = arguments
        process.environment = environment.merging(["PATH": ProcessInfo.processInfo.environment["PATH"] ?? ""]) {
            mine, _ in mine
        }
        process.standardInput = FileHandle.nullDevice
        return try RunningProgram(process)
    }
}

/// A `usage` that runs.
final class RunningProgram: Sendable {
    private let ended: AsyncStream<Program.Outcome>
    let processID: Int32

    init(_ process: Process) throws {
        // Files rather than pipes: a program that is killed leaves nobody waiting for an end of output.
        let folder = FileManager.default.temporaryDirectory.appending(path: "usage-run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let files = ["output", "errors"].map { folder.appending(path: $0) }
        for file in files { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
        let handles = try files.map { try FileHandle(forWritingTo: $0) }
        process.standardOutput = handles[0]
        process.standardError = handles[1]
        let (stream, continuation) = AsyncStream.makeStream(of: Program.Outcome.self)
        process.terminationHandler = { process in
            let texts = files.map { file in
                do { return String(decoding: try Data(contentsOf: file), as: UTF8.self) } catch { return "\(error)" }
            }
            try? FileManager.default.removeItem(at: folder)
            let wasKilled = process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL
            continuation.yield(
                Program.Outcome(
                    status: process.terminationStatus, wasKilled: wasKilled, output: texts[0], errors: texts[1]))
            continuation.finish()
        }
        ended = stream
        try process.run()
        // A process that has ended still holds them, and a walk starts thousands.
        for handle in handles { try handle.close() }
        processID = process.processIdentifier
    }

    /// Waits for its end; once.
    func outcome() async -> Program.Outcome? {
        for await outcome in ended { return outcome }
        return nil
    }

    /// Kills it as a power cut would.
    func kill() { _ = Foundation.kill(processID, SIGKILL) }

    /// Asks it to stop.
    func terminate() { _ = Foundation.kill(processID, SIGTERM) }
}
