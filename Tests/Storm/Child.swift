import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A program that the storm has started, in the process group of the ``Watchdog``.
struct Child: Sendable {
    /// How a program has ended.
    enum End: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)
    }

    struct SpawnError: Error, CustomStringConvertible {
        let program: String
        let code: Int32
        var description: String { "\(program) cannot be started: \(String(cString: strerror(code)))" }
    }

    let processID: pid_t

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - output: The file that gets its output; errors go to another, at its end.
    ///   - input: A descriptor that becomes its standard input; it reads nothing without.
    ///   - group: The process group; 0 makes one of its own.
    init(
        _ program: String, _ arguments: [String], environment: [String: String], output: String = "/dev/null",
        errors: String = "/dev/null", input: Int32? = nil, group: pid_t
    ) throws(SpawnError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        // A socket that a child inherited would stay open when the sandbox or the relay cuts it.
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd")) ?? []
        for descriptor in open.compactMap({ Int32($0) }) where descriptor > 2 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, group)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

        let words = ([program] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, program, &actions, &attributes, words, variables)
        guard code == 0 else { throw SpawnError(program: program, code: code) }
        processID = process
    }

    func send(_ signal: Int32) { _ = kill(processID, signal) }

    /// Waits for its end; once.
    func end() async -> End {
        var status: Int32 = 0
        while true {
            let found = waitpid(processID, &status, WNOHANG)
            if found == processID {
                // The low seven bits hold the signal, the next eight the exit status.
                return status & 0x7F == 0 ? .exited((status >> 8) & 0xFF) : .signalled(status & 0x7F)
            }
            guard found == 0 || errno == EINTR else { return .signalled(0) }
            // A cancelled task still waits: nothing of a storm may be left over.
            await Task { try? await Task.sleep(for: .milliseconds(10)) }.value
        }
    }
}

/// Sees to it that nothing of a storm outlives it, however it ends: its input closes with the storm, and then it ends the
/// process group of all children, and the server, and removes the folder.
struct Watchdog: Sendable {
    let group: pid_t

    init(folder: String) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Child.SpawnError(program: "pipe", code: errno) }
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        let script = """
            cat >/dev/null
            # A server that was being started at that moment comes up a little later.
            for turn in 1 2 3 4 5 6 7 8; do
                process=$(head -n 1 "$0/server/postgres/data/postmaster.pid" 2>/dev/null)
                if [ -n "$process" ]; then kill -9 "$process"; fi
                rm -rf "$0"
                sleep 0.5
            done
            kill -9 -$$
            """
        let child = try Child(
            "/bin/sh", ["-c", script, folder], environment: ["PATH": "/usr/bin:/bin"], input: ends[0], group: 0)
        close(ends[0])
        group = child.processID
    }

    /// Ends every child that is left, and itself.
    func end() { _ = kill(-group, SIGKILL) }
}
