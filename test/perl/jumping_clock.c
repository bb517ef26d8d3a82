/*
 * jumping_clock.c - a wall clock that a test sets, for LD_PRELOAD.
 *
 * JUMPING_CLOCK names a file that holds a 64-bit number of seconds, by which
 * the clock of all processes that have it loaded is wrong from then on.  Other
 * clocks, the monotonic one above all, go on as they are, as they do when an
 * administrator or a time server sets the clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset;
static int	(*real_clock_gettime) (clockid_t, struct timespec *);

__attribute__((constructor))
static void
load(void)
{
	const char *path = getenv("JUMPING_CLOCK");
	int			fd = path ? open(path, O_RDONLY) : -1;
	void	   *map = MAP_FAILED;

	real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	if (fd >= 0)
	{
		map = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (map != MAP_FAILED)
		offset = map;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int			result;

	if (!real_clock_gettime)
		load();
	result = real_clock_gettime(clock, now);
	if (result == 0 && offset &&
		(clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += *offset;
	return result;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;

	(void) zone;
	clock_gettime(CLOCK_REALTIME, &precise);
	now->tv_sec = precise.tv_sec;
	now->tv_usec = precise.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *result)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (result)
		*result = now.tv_sec;
	return now.tv_sec;
}
