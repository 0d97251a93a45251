import Foundation
import RivyaSandbox
import TestDatabase
import Testing

@testable import Postgres

#if os(Linux)
    @Suite(.serialized, .timeLimit(.minutes(10))) struct `While the database's disk is full` {
        private static let submit = ["submit", "--project", "films", "--prompt", "A lighthouse"]

        @Test func `callers are told so at once, nothing is half booked, and a worker goes on when there is room`()
            async throws
        {
            let disk = try FullDisk()
            defer { disk.remove() }
            try await World.withServer(PrivateServer(programs: disk.programs)) { world, _ async throws in
                try await world.submit(count: 40)
                let worker = try world.usage.start(["worker", "--concurrency", "4"])
                try await world.wait(until: "SELECT least(count(*), 3) FROM settlement", is: 3)
                try disk.fill(.newSpace)
                // Pages that have room take some rows still.
                var refused: Program.Outcome?
                for _ in 0..<100 where refused == nil {
                    let start = ContinuousClock.now
                    let outcome = try await world.usage.run(Self.submit)
                    #expect(ContinuousClock.now - start < .seconds(4))
                    if outcome.status != 0 { refused = outcome }
                }
                let outcome = try #require(refused, "the disk has room for all that")
                #expect(outcome.status == 1)
                #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
                print("a caller is told: \(outcome.sentence)")
                #expect(
                    outcome.sentence.contains("disk is full") || outcome.sentence.contains("PostgreSQL"),
                    "\(outcome.errors)")
                disk.clear()
                let tasks = try await world.count("SELECT count(*) FROM reservation")
                let took = try await world.wait(until: "the worker goes on") {
                    try await world.count("SELECT count(*) FROM settlement") == tasks
                }
                print("all \(tasks) tasks charged \(took) after there was room")
                worker.terminate()
                #expect(await worker.outcome()?.status == 0)
            }
        }

        @Test func `even for its log, PostgreSQL stops, and all goes on once it is started with room`() async throws {
            let disk = try FullDisk()
            defer { disk.remove() }
            try await World.withServer(PrivateServer(programs: disk.programs)) { world, server async throws in
                await world.sandbox.holdCreateAnswers()
                try await world.submit(count: 40)
                let worker = try world.usage.start(["worker", "--concurrency", "4"])
                await world.sandbox.waitForHeldCreates(count: 4)
                try disk.fill(.everything)
                await world.sandbox.releaseCreateAnswers()
                let start = ContinuousClock.now
                let outcome = try await world.usage.run(Self.submit)
                print("a caller is told after \(ContinuousClock.now - start): \(outcome.sentence)")
                #expect(outcome.status == 1)
                #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
                #expect(ContinuousClock.now - start < .seconds(5))
                try await Task.sleep(for: .seconds(4))
                #expect(await world.creates == 4)
                disk.clear()
                server.kill()
                try server.start()
                let tasks = try await world.count("SELECT count(*) FROM reservation")
                try await world.wait(until: "all are charged") {
                    try await world.count("SELECT count(*) FROM settlement") == tasks
                }
                worker.terminate()
                #expect(await worker.outcome()?.status == 0)
            }
        }
    }

    /// Programs of PostgreSQL whose writes fail as on a full disk while a file is there.
    private struct FullDisk {
        enum What: String {
            /// What makes a file longer.
            case newSpace = ""
            /// Every write to a file.
            case everything = "all"
        }

        let programs: String
        private let flag: String

        init() throws {
            let files = FileManager.default
            let folder = files.temporaryDirectory.appending(path: "usage-full-\(UUID().uuidString)")
            try files.createDirectory(at: folder, withIntermediateDirectories: true)
            programs = folder.path
            flag = folder.appending(path: "full").path
            let library = folder.appending(path: "disk_full.so").path
            var source = URL(filePath: #filePath)
            for _ in 1...2 { source.deleteLastPathComponent() }
            source.append(path: "DiskFull/disk_full.c")
            try Self.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source.path, "-ldl"])
            let real = try Standby.installation().folder
            let preload = "LD_PRELOAD='\(library)' DISK_FULL_FLAG='\(flag)'"
            for (program, script) in [
                "postgres": "\(preload) exec '\(real)/postgres' \"$@\"",
                "pg_ctl": "exec '\(real)/pg_ctl' -p '\(programs)/postgres' \"$@\"",
                "initdb": "exec '\(real)/initdb' \"$@\"",
            ] {
                let path = folder.appending(path: program).path
                try Data("#!/bin/sh\n\(script)\n".utf8).write(to: URL(filePath: path))
                try files.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            }
        }

        func fill(_ what: What) throws { try Data(what.rawValue.utf8).write(to: URL(filePath: flag)) }

        func clear() { try? FileManager.default.removeItem(atPath: flag) }

        func remove() { try? FileManager.default.removeItem(atPath: programs) }

        private static func run(_ arguments: [String]) throws {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = arguments
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0, "\(arguments[0]) failed")
        }
    }
#endif
