// A disk that is full while the file named by DISK_FULL_FLAG exists: loaded into a server with LD_PRELOAD, it lets
// every write fail that makes a file longer. With "all" in that file every write to a file fails, as on a disk whose
// file system copies on write.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int refuses(int file, off_t end) {
    const char *flag = getenv("DISK_FULL_FLAG");
    struct stat found, written;
    if (!flag || stat(flag, &found) != 0) return 0;
    if (fstat(file, &written) != 0 || !S_ISREG(written.st_mode)) return 0;
    if (found.st_size == 0 && end <= written.st_size) return 0;
    errno = ENOSPC;
    return 1;
}

static off_t length(const struct iovec *parts, int count) {
    off_t sum = 0;
    for (int i = 0; i < count; i++) sum += (off_t)parts[i].iov_len;
    return sum;
}

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *bytes, size_t count) {
    NEXT(write);
    off_t at = lseek(file, 0, SEEK_CUR);
    return at >= 0 && refuses(file, at + (off_t)count) ? -1 : next(file, bytes, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    NEXT(pwrite);
    return refuses(file, at + (off_t)count) ? -1 : next(file, bytes, count, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) { return pwrite(file, bytes, count, at); }

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
    NEXT(pwritev);
    return refuses(file, at + length(parts, count)) ? -1 : next(file, parts, count, at);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at) { return pwritev(file, parts, count, at); }

int posix_fallocate(int file, off_t at, off_t count) {
    NEXT(posix_fallocate);
    return refuses(file, at + count) ? ENOSPC : next(file, at, count);
}

int posix_fallocate64(int file, off64_t at, off64_t count) { return posix_fallocate(file, at, count); }

int fallocate(int file, int mode, off_t at, off_t count) {
    NEXT(fallocate);
    return refuses(file, at + count) ? -1 : next(file, mode, at, count);
}

int fallocate64(int file, int mode, off64_t at, off64_t count) { return fallocate(file, mode, at, count); }
