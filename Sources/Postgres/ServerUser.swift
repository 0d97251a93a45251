#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Who the server's programs run as: this process's user, or as root an unprivileged one, as the server refuses root.
struct ServerUser {
    let name: String
    let user: uid_t
    let group: gid_t
    /// What stands before a program and its arguments.
    let prefix: [String]

    /// Chooses the user.
    static func choose() throws(LocalPostgresError) -> ServerUser {
        guard geteuid() == 0 else { return ServerUser(name: "", user: geteuid(), group: getegid(), prefix: []) }
        guard let entry = getpwnam("postgres") ?? getpwnam("nobody") else {
            throw LocalPostgresError(
                message: "There is no user 'postgres' to run the server; make one with: useradd --system postgres")
        }
        let (user, group) = (entry.pointee.pw_uid, entry.pointee.pw_gid)
        let folders = ["/usr/bin", "/bin", "/usr/local/bin"]
        guard let folder = folders.first(where: { access("\($0)/setpriv", X_OK) == 0 }) else {
            throw LocalPostgresError(
                message: "The program setpriv was not found; install it with: apt-get install util-linux")
        }
        return ServerUser(
            name: String(cString: entry.pointee.pw_name), user: user, group: group,
            prefix: ["\(folder)/setpriv", "--reuid=\(user)", "--regid=\(group)", "--clear-groups", "--"])
    }

    /// Makes a folder that only this user may enter, or takes over one that is there.
    func ownFolder(_ path: String) throws(LocalPostgresError) {
        if mkdir(path, 0o700) != 0 && errno != EEXIST { throw Self.cannotMake(path) }
        guard chown(path, user, group) == 0, chmod(path, 0o700) == 0 else { throw Self.cannotMake(path) }
    }

    /// Checks that this user can pass through the folders above a path.
    func checkAccess(above path: String) throws(LocalPostgresError) {
        guard geteuid() == 0 else { return }
        var folder = ""
        for part in path.split(separator: "/").dropLast() {
            folder += "/\(part)"
            var status = stat()
            guard stat(folder, &status) == 0 else { return }
            let shift: mode_t = status.st_uid == user ? 6 : status.st_gid == group ? 3 : 0
            guard (status.st_mode >> shift) & 1 == 1 else {
                throw LocalPostgresError(
                    message: "The folder \(folder) cannot be entered by the user '\(name)', who runs the server; "
                        + "set USAGE_HOME to another folder.")
            }
        }
    }

    static func cannotMake(_ path: String) -> LocalPostgresError {
        let reason = String(cString: strerror(errno))
        return LocalPostgresError(
            message: "The folder \(path) cannot be made (\(reason)); set USAGE_HOME to a folder that can be written.")
    }
}
