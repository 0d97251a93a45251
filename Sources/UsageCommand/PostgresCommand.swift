import ArgumentParser
import Postgres

struct PostgresCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "postgres", abstract: "Manage the private PostgreSQL that is used without DATABASE_URL.",
        discussion: """
            EXAMPLE: where it is, and how to look inside
              usage postgres status
              psql "$(usage postgres status --url)"
            """,
        subcommands: [Start.self, Stop.self, Status.self])

    static var server: LocalPostgres { LocalPostgres(home: LocalPostgres.defaultHome(environment: Environment.all)) }

    static func print(_ status: LocalPostgresStatus, onlyURL: Bool) {
        switch status {
        case .running(let url, let pid, let version, let dataDirectory):
            if onlyURL { return Terminal.print(url + "\n") }
            Terminal.print("running: PostgreSQL \(version), process \(pid), data in \(dataDirectory)\n\(url)\n")
        case .stopped: Terminal.print("stopped: it starts by itself when it is needed\n")
        case .absent: Terminal.print("absent: it is made when it is first needed\n")
        }
    }

    struct Start: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "start", abstract: "Start it, or join the running one.",
            discussion: "EXAMPLE:\n  usage postgres start")

        func run() async throws { PostgresCommand.print(try PostgresCommand.server.start(), onlyURL: false) }
    }

    struct Stop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "stop", abstract: "Stop it; its data stays.", discussion: "EXAMPLE:\n  usage postgres stop")

        func run() async throws {
            try PostgresCommand.server.stop()
            Terminal.note("Stopped.")
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status", abstract: "Say whether it runs, and where.",
            discussion: "EXAMPLE:\n  psql \"$(usage postgres status --url)\"")

        @Flag(help: "Print only the URL of the running server.")
        var url = false

        func run() async throws {
            let status = PostgresCommand.server.status()
            guard !url || status.isRunning else {
                throw Mistake("It does not run; start it with: usage postgres start")
            }
            PostgresCommand.print(status, onlyURL: url)
        }
    }
}
