/* Lets the k-th call that writes under a folder fail. Used by interrupted.py through LD_PRELOAD.

   Counted: open for writing, write, pwrite, writev, rename, fsync, mkdir, link, symlink. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char under[4096];
static long at, count;
static int error, armed;

void arm(const char *folder, int call, int with) {
    strncpy(under, folder, sizeof under - 1);
    at = call, error = with, count = 0, armed = 1;
}

long disarm(void) { armed = 0; return count; }

static int inside(const char *path) {
    char full[8192];
    if (!path) return 0;
    if (path[0] == '/') return !strncmp(path, under, strlen(under));
    if (!getcwd(full, sizeof full)) return 0;
    return !strncmp(full, under, strlen(under));
}

static int fd_inside(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return inside(path);
}

static int fails(int counted) {
    if (!armed || !counted) return 0;
    if (__atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST) != at) return 0;
    errno = error;
    return 1;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define OPEN(name) int name(const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
    REAL(int, #name, const char *, int, ...); \
    if (fails((flags & (O_WRONLY | O_RDWR | O_CREAT)) && inside(path))) return -1; \
    return real(path, flags, mode); }
OPEN(open)
OPEN(open64)

#define OPENAT(name) int name(int at_, const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
    REAL(int, #name, int, const char *, int, ...); \
    if (fails((flags & (O_WRONLY | O_RDWR | O_CREAT)) && inside(path))) return -1; \
    return real(at_, path, flags, mode); }
OPENAT(openat)
OPENAT(openat64)

FILE *fopen(const char *path, const char *mode) {
    REAL(FILE *, "fopen", const char *, const char *);
    if (fails(strpbrk(mode, "wa+") && inside(path))) return NULL;
    return real(path, mode);
}

ssize_t write(int fd, const void *bytes, size_t n) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (fails(armed && fd_inside(fd))) return -1;
    return real(fd, bytes, n);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t where) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    if (fails(armed && fd_inside(fd))) return -1;
    return real(fd, bytes, n, where);
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (fails(armed && fd_inside(fd))) return -1;
    return real(fd, parts, n);
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    if (fails(armed && fd_inside(fd))) return -1;
    return real(fd);
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    if (fails(inside(to))) return -1;
    return real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    if (fails(inside(path))) return -1;
    return real(path, mode);
}

int link(const char *from, const char *to) {
    REAL(int, "link", const char *, const char *);
    if (fails(inside(to))) return -1;
    return real(from, to);
}

int symlink(const char *from, const char *to) {
    REAL(int, "symlink", const char *, const char *);
    if (fails(inside(to))) return -1;
    return real(from, to);
}
