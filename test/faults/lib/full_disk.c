/* A disk that is full, or breaks, at will: preloaded into a server. While the file named by NPHD_FULL_DISK exists, writes that would make a
 * file below a "base" directory longer fail with ENOSPC; while the one named by NPHD_BROKEN_DISK exists, its writes fail with EIO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int on_disk(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = '\0';
    return strstr(path, "/base/") != NULL;
}

static int is_set(const char *variable) {
    const char *path = getenv(variable);
    return path != NULL && access(path, F_OK) == 0;
}

/* Whether a write of [offset, offset + n) must fail; sets errno. */
static int refused(int fd, off_t offset, size_t n) {
    const int saved = errno;
    const int full = is_set("NPHD_FULL_DISK"), broken = is_set("NPHD_BROKEN_DISK");
    struct stat status;
    int error = 0;
    if ((full || broken) && on_disk(fd)) {
        if (broken)
            error = EIO;
        else if (fstat(fd, &status) == 0 && offset + (off_t)n > status.st_size)
            error = ENOSPC;
    }
    errno = error ? error : saved;
    return error;
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    return refused(fd, offset, n) ? -1 : real(fd, data, n, offset);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite");
    return refused(fd, offset, n) ? -1 : real(fd, data, n, offset);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t offset) {
    static ssize_t (*real)(int, const struct iovec *, int, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwritev64");
    size_t n = 0;
    for (int i = 0; i < count; ++i) n += iov[i].iov_len;
    return refused(fd, offset, n) ? -1 : real(fd, iov, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset) {
    static ssize_t (*real)(int, const struct iovec *, int, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwritev");
    size_t n = 0;
    for (int i = 0; i < count; ++i) n += iov[i].iov_len;
    return refused(fd, offset, n) ? -1 : real(fd, iov, count, offset);
}

int posix_fallocate64(int fd, off64_t offset, off64_t n) {
    static int (*real)(int, off64_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "posix_fallocate64");
    const int error = refused(fd, offset, (size_t)n);
    return error ? error : real(fd, offset, n);
}

int posix_fallocate(int fd, off_t offset, off_t n) {
    static int (*real)(int, off_t, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "posix_fallocate");
    const int error = refused(fd, offset, (size_t)n);
    return error ? error : real(fd, offset, n);
}
