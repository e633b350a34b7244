/* A machine that loses its power when the process is killed.
 *
 * Preloaded with LD_PRELOAD. What a process writes to the files under POWERLOSS_UNDER stays in its own memory until
 * it asks for it to be on disk (fsync, fdatasync), so SIGKILL takes with it what a power cut would. Reads see the
 * writes that are held back. Lengths reach the disk at once: a file may come back longer than what is in it.
 *
 * With POWERLOSS_LIES_MS the disk lies: asked to keep what was written, it says it did, and keeps only what is older
 * than that many milliseconds. A hub that loses nothing over this disk was not tested.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 1024 };

struct held {
    struct held *next;
    off_t at;
    size_t length;
    int64_t since_ms;
    char bytes[];
};

struct file {
    int watched, appends;
    struct held *oldest, *newest;
};

static struct file files[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static struct file *watched(int fd) {
    return fd >= 0 && fd < FILES && files[fd].watched ? &files[fd] : NULL;
}

/* Whether a path, taken from where the process stands, begins as POWERLOSS_UNDER says. */
static int is_under(const char *path) {
    const char *under = getenv("POWERLOSS_UNDER");
    char whole[PATH_MAX] = "";
    if (!under) return 0;
    if (path[0] != '/') {
        if (!getcwd(whole, sizeof whole - 1)) return 0;
        strcat(whole, "/");
    }
    strncat(whole, path, sizeof whole - strlen(whole) - 1);
    return strncmp(whole, under, strlen(under)) == 0;
}

static int opened(int fd, const char *path, int flags) {
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (fd >= 0 && writes && is_under(path)) {
        if (fd >= FILES) abort();
        pthread_mutex_lock(&lock);
        files[fd].appends = (flags & O_APPEND) != 0;
        files[fd].watched = 1;
        pthread_mutex_unlock(&lock);
    }
    return fd;
}

#define OPEN(name)                                                                \
    int name(const char *path, int flags, ...) {                                  \
        mode_t mode = 0;                                                          \
        if (flags & (O_CREAT | O_TMPFILE)) {                                      \
            va_list rest;                                                         \
            va_start(rest, flags);                                                \
            mode = va_arg(rest, mode_t);                                          \
            va_end(rest);                                                         \
        }                                                                         \
        int (*open_it)(const char *, int, ...) = real(#name);                     \
        return opened(open_it(path, flags, mode), path, flags);                   \
    }
OPEN(open)
OPEN(open64)

static ssize_t hold(struct file *file, const void *bytes, size_t length, off_t at) {
    struct held *held = malloc(sizeof *held + length);
    if (!held) abort();
    *held = (struct held){.at = at, .length = length, .since_ms = now_ms()};
    memcpy(held->bytes, bytes, length);
    if (file->newest) file->newest->next = held;
    else file->oldest = held;
    file->newest = held;
    return (ssize_t)length;
}

/* Puts over `bytes`, read at `at`, what is held back. */
static void overlay(const struct file *file, char *bytes, size_t length, off_t at) {
    for (const struct held *held = file->oldest; held; held = held->next) {
        off_t from = held->at > at ? held->at : at;
        off_t held_end = held->at + (off_t)held->length, end = at + (off_t)length;
        off_t to = held_end < end ? held_end : end;
        if (from < to) memcpy(bytes + (from - at), held->bytes + (from - held->at), (size_t)(to - from));
    }
}

#define PWRITE(name)                                                              \
    ssize_t name(int fd, const void *bytes, size_t length, off_t at) {            \
        pthread_mutex_lock(&lock);                                                \
        struct file *file = watched(fd);                                          \
        ssize_t written = file ? hold(file, bytes, length, at) : -1;              \
        pthread_mutex_unlock(&lock);                                              \
        if (file) return written;                                                 \
        ssize_t (*write_it)(int, const void *, size_t, off_t) = real(#name);      \
        return write_it(fd, bytes, length, at);                                   \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

/* Where a write without a place goes: on from the last one, or to the end of all that was written. */
static off_t next_place(int fd, const struct file *file, size_t length) {
    if (!file->appends) return lseek(fd, (off_t)length, SEEK_CUR) - (off_t)length;
    struct stat now;
    if (fstat(fd, &now)) abort();
    off_t end = now.st_size;
    if (file->newest && file->newest->at + (off_t)file->newest->length > end)
        end = file->newest->at + (off_t)file->newest->length;
    return end;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    static ssize_t (*write_it)(int, const void *, size_t);
    if (!write_it) write_it = real("write");
    if (!watched(fd)) return write_it(fd, bytes, length);
    pthread_mutex_lock(&lock);
    struct file *file = watched(fd);
    ssize_t written = file ? hold(file, bytes, length, next_place(fd, file, length)) : -1;
    pthread_mutex_unlock(&lock);
    return file ? written : write_it(fd, bytes, length);
}

#define PREAD(name)                                                               \
    ssize_t name(int fd, void *bytes, size_t length, off_t at) {                  \
        ssize_t (*read_it)(int, void *, size_t, off_t) = real(#name);             \
        pthread_mutex_lock(&lock);                                                \
        ssize_t got = read_it(fd, bytes, length, at);                             \
        struct file *file = watched(fd);                                          \
        if (file && got > 0) overlay(file, bytes, (size_t)got, at);               \
        pthread_mutex_unlock(&lock);                                              \
        return got;                                                               \
    }
PREAD(pread)
PREAD(pread64)

/* Lets what is held back since `newest` or longer reach the kernel, in order. */
static void release(int fd, struct file *file, int64_t newest) {
    ssize_t (*write_it)(int, const void *, size_t, off_t) = real("pwrite64");
    while (file->oldest && file->oldest->since_ms <= newest) {
        struct held *held = file->oldest;
        for (size_t done = 0; done < held->length;) {
            ssize_t wrote = write_it(fd, held->bytes + done, held->length - done, held->at + (off_t)done);
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote <= 0) abort();
            done += (size_t)wrote;
        }
        file->oldest = held->next;
        if (!file->oldest) file->newest = NULL;
        free(held);
    }
}

/* What a sync puts on the disk. */
static int64_t synced(void) {
    const char *lies = getenv("POWERLOSS_LIES_MS");
    return lies ? now_ms() - atoll(lies) : INT64_MAX;
}

#define SYNC(name)                                                                \
    int name(int fd) {                                                            \
        int (*sync_it)(int) = real(#name);                                        \
        pthread_mutex_lock(&lock);                                                \
        struct file *file = watched(fd);                                          \
        if (file) release(fd, file, synced());                                              \
        pthread_mutex_unlock(&lock);                                              \
        return sync_it(fd);                                                       \
    }
SYNC(fsync)
SYNC(fdatasync)

/* An orderly close is no power cut: it loses nothing, not even over a disk that lies. */
int close(int fd) {
    int (*close_it)(int) = real("close");
    pthread_mutex_lock(&lock);
    struct file *file = watched(fd);
    if (file) {
        release(fd, file, INT64_MAX);
        *file = (struct file){0};
    }
    pthread_mutex_unlock(&lock);
    return close_it(fd);
}
