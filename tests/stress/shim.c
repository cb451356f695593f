/* Lets calls of the system fail for files below a folder: loaded before the C library, told by `fault`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE = 1, OPEN = 2, RENAME = 4, FSYNC = 8, FLOCK = 16, REMOVE = 32, PWRITE = 64 };
enum { ALWAYS, EVERY_SECOND, SHORT };

static char prefix[PATH_MAX];
static int calls = 0, number = 0, manner = ALWAYS;
static long asked = 0, failed = 0;

void fault(int which, int error, int how, const char *path) {
    calls = 0;
    strncpy(prefix, path, sizeof prefix - 1);
    number = error, manner = how, asked = failed = 0, calls = which;
}
long faults(void) { return failed; }

static int below(const char *path) { return path && !strncmp(path, prefix, strlen(prefix)); }

static int is_of(int call, int folder, const char *path) {
    char link[64], place[PATH_MAX];
    if (!(calls & call)) return 0;
    if (path && path[0] == '/') return below(path);
    if (folder < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t size = readlink(link, place, sizeof place - 1);
    if (size < 0) return 0;
    place[size] = 0;
    return below(place);
}

static int fails(int call, int folder, const char *path) {
    int saved = errno;
    int found = is_of(call, folder, path);
    errno = saved;
    if (!found || (manner == EVERY_SECOND && asked++ % 2)) return 0;
    failed++;
    errno = number;
    return 1;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
#define MODE(flags) int mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, int); va_end(rest); }
#define WRITES(flags) ((flags) & (O_CREAT | O_WRONLY | O_RDWR))

ssize_t write(int file, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (manner == SHORT && size > 1 && is_of(WRITE, file, NULL)) return failed++, real(file, data, size / 2);
    return manner != SHORT && fails(WRITE, file, NULL) ? -1 : real(file, data, size);
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t place) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    if (manner == SHORT && size > 1 && is_of(PWRITE, file, NULL)) return failed++, real(file, data, size / 2, place);
    return manner != SHORT && fails(PWRITE, file, NULL) ? -1 : real(file, data, size, place);
}
int open(const char *path, int flags, ...) {
    REAL(int, "open", const char *, int, ...); MODE(flags)
    return WRITES(flags) && fails(OPEN, -1, path) ? -1 : real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...); MODE(flags)
    return WRITES(flags) && fails(OPEN, -1, path) ? -1 : real(path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
    REAL(int, "openat", int, const char *, int, ...); MODE(flags)
    return WRITES(flags) && fails(OPEN, folder, path) ? -1 : real(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
    REAL(int, "openat64", int, const char *, int, ...); MODE(flags)
    return WRITES(flags) && fails(OPEN, folder, path) ? -1 : real(folder, path, flags, mode);
}
int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    return fails(OPEN, -1, path) ? -1 : real(path, mode);
}
int mkdirat(int folder, const char *path, mode_t mode) {
    REAL(int, "mkdirat", int, const char *, mode_t);
    return fails(OPEN, folder, path) ? -1 : real(folder, path, mode);
}
int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return fails(RENAME, -1, to) ? -1 : real(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
    REAL(int, "renameat", int, const char *, int, const char *);
    return fails(RENAME, b, to) ? -1 : real(a, from, b, to);
}
int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    return fails(REMOVE, -1, path) ? -1 : real(path);
}
int unlinkat(int folder, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    return fails(REMOVE, folder, path) ? -1 : real(folder, path, flags);
}
int fsync(int file) {
    REAL(int, "fsync", int);
    return fails(FSYNC, file, NULL) ? -1 : real(file);
}
int fdatasync(int file) {
    REAL(int, "fdatasync", int);
    return fails(FSYNC, file, NULL) ? -1 : real(file);
}
int flock(int file, int how) {
    REAL(int, "flock", int, int);
    return fails(FLOCK, file, NULL) ? -1 : real(file, how);
}
