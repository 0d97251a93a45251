#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The folder of a machine that holds PostgreSQL's server programs.
struct ServerInstallation {
    let folder: String
    let majorVersion: Int

    /// The command that starts a program of it.
    func program(_ name: String) -> String { "\(folder)/\(name)" }

    /// Finds the programs: where `USAGE_POSTGRES_BIN` says, else the newest where packages put them, else on the path.
    ///
    /// - Parameter required: The version that made the data folder, which no other can read.
    static func find(
        environment: [String: String], required: Int?
    ) throws(LocalPostgresError) -> ServerInstallation {
        if let folder = environment["USAGE_POSTGRES_BIN"] {
            guard let found = inspect(folder) else {
                throw LocalPostgresError(
                    message: "USAGE_POSTGRES_BIN is '\(folder)', where PostgreSQL's initdb and pg_ctl are not.")
            }
            return try check(found, required: required)
        }
        let packaged = packagedFolders().compactMap(inspect).filter { $0.majorVersion >= 15 }
        if let required {
            if let match = packaged.first(where: { $0.majorVersion == required }) { return match }
        } else if let newest = packaged.max(by: { $0.majorVersion < $1.majorVersion }) {
            return newest
        }
        let onPath = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        if let match = onPath.lazy.compactMap(inspect).first(where: { $0.majorVersion >= 15 }) {
            return try check(match, required: required)
        }
        if let required, let other = packaged.first { return try check(other, required: required) }
        throw LocalPostgresError(
            message: "PostgreSQL 15 or newer was not found; install it with: sudo apt-get install postgresql")
    }

    private static func check(
        _ found: ServerInstallation, required: Int?
    ) throws(LocalPostgresError) -> ServerInstallation {
        guard found.majorVersion >= 15 else {
            throw LocalPostgresError(message: "PostgreSQL \(found.majorVersion) is too old; install 15 or newer.")
        }
        if let required, required != found.majorVersion {
            throw LocalPostgresError(
                message:
                    "The data folder was made by PostgreSQL \(required), but only \(found.majorVersion) was found; "
                    + "install it with: sudo apt-get install postgresql-\(required)")
        }
        return found
    }

    // Debian and Ubuntu, Fedora and Red Hat, Homebrew on either processor.
    private static func packagedFolders() -> [String] {
        ["/usr/lib/postgresql", "/usr", "/opt/homebrew/opt", "/usr/local/opt"].flatMap { parent in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
            return names.filter { $0.hasPrefix("pgsql-") || $0.hasPrefix("postgresql@") || Int($0) != nil }
                .map { "\(parent)/\($0)/bin" }
        }
    }

    private static func inspect(_ folder: String) -> ServerInstallation? {
        let files = FileManager.default
        guard ["initdb", "pg_ctl", "postgres"].allSatisfy({ files.isExecutableFile(atPath: "\(folder)/\($0)") }) else {
            return nil
        }
        // Packages name the folder after the version: …/15/bin, …/pgsql-15/bin, …/postgresql@15/bin.
        let parent = folder.split(separator: "/").dropLast().last ?? ""
        let digits = String(parent.reversed().prefix { $0.isNumber }.reversed())
        if packagedFolders().contains(folder), let version = Int(digits) {
            return ServerInstallation(folder: folder, majorVersion: version)
        }
        let output = "\(files.temporaryDirectory.path())/usage-\(UUID().uuidString)"
        defer { try? files.removeItem(atPath: output) }
        // Prints "postgres (PostgreSQL) 15.18".
        guard ServerProgram.run(["\(folder)/postgres", "--version"], output: output, limit: .seconds(10)) == 0,
            let text = try? String(contentsOfFile: output, encoding: .utf8),
            let version = text.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) })
        else { return nil }
        return ServerInstallation(folder: folder, majorVersion: version)
    }
}
