import Foundation

/// A Python with packages of the package index, in a folder of this run.
struct Python: Sendable {
    let folder: ScratchFolder
    /// What was installed, as in `Python 3.11.7, duckdb 2.0.1`.
    let versions: String
    private static let program = "venv/bin/python"

    /// Installs packages, each as in `duckdb==2.0.1`; nil where they cannot be had.
    static func make(with packages: [String]) async throws -> Python? {
        let folder = try ScratchFolder()
        let program = folder.file(program)
        do {
            Progress.note("  installing \(packages.joined(separator: " and "))")
            _ = try await Program.run("/usr/bin/env", ["python3", "-m", "venv", folder.file("venv")], in: folder)
            _ = try await Program.run(program, ["-m", "pip", "install", "--quiet"] + packages, in: folder)
        } catch {
            Progress.note("  \(packages.joined(separator: " and ")) cannot be had: \(error)")
            return nil
        }
        let names = packages.map { "'\($0.prefix { $0 != "=" })'" }.joined(separator: ", ")
        let script = """
            import importlib.metadata, platform
            installed = [f"{name} {importlib.metadata.version(name)}" for name in [\(names)]]
            print(", ".join(["Python " + platform.python_version()] + installed))
            """
        let versions = try await Program.run(program, ["-c", script], in: folder).output
        return Python(folder: folder, versions: versions.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Runs a script.
    func run(_ script: String) async throws -> Program.Outcome {
        try await Program.run(folder.file(Self.program), ["-c", script], in: folder)
    }
}
