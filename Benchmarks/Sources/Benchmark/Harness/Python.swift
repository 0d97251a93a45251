/// A Python with packages of the package index, in a folder of this run.
struct Python: Sendable {
    let folder: ScratchFolder
    private var program: String { folder.file("venv/bin/python") }

    /// Installs the packages; nil where they cannot be had.
    static func make(with packages: [String]) async throws -> Python? {
        let python = Python(folder: try ScratchFolder())
        do {
            Progress.note("  installing \(packages.joined(separator: " and "))")
            let folder = python.folder
            _ = try await Program.run("/usr/bin/env", ["python3", "-m", "venv", folder.file("venv")], in: folder)
            _ = try await Program.run(python.program, ["-m", "pip", "install", "--quiet"] + packages, in: folder)
        } catch {
            Progress.note("  \(packages.joined(separator: " and ")) cannot be had: \(error)")
            return nil
        }
        return python
    }

    /// Runs a script, and returns what it prints, line by line.
    func run(_ script: String) async throws -> [Substring] {
        try await Program.run(program, ["-c", script], in: folder).output.split(separator: "\n")
    }
}
