/* A machine whose clock is set wrong.
 *
 * Preloaded with LD_PRELOAD. CLOCKSHIFT_FROM names a file of eight bytes, a signed number of seconds in the machine's
 * own order, by which the wall clock is off from then on: whoever writes it moves the clock of every process under
 * this library at once. The monotonic clocks go on as they were. Without the file the clock is right.
 *
 * Nothing here allocates or looks a symbol up: an allocator may ask for the time before it can allocate.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t right = 0;
static _Atomic(const volatile int64_t *) shift = &right;

__attribute__((constructor)) static void find(void) {
    const char *path = getenv("CLOCKSHIFT_FROM");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *bytes = mmap(NULL, sizeof right, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (bytes != MAP_FAILED) shift = bytes;
}

static int is_wall(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && is_wall(clock)) now->tv_sec += *shift;
    return (int)failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    long failed = syscall(SYS_gettimeofday, now, zone);
    if (!failed) now->tv_sec += *shift;
    return (int)failed;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
