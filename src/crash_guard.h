/*
 * crash_guard.h - a worker that crashes the server at each start stays down.
 */
#ifndef MS_CRASH_GUARD_H
#define MS_CRASH_GUARD_H

/* numbers of a subscription's processes: the apply worker, then the others */
#define MS_GUARD_APPLY_WORKER	0
#define MS_GUARD_SNAPSHOT_WORKER(n) (1 + (n))
#define MS_GUARD_PARALLEL_WORKER(n) (1 + MS_MAX_SNAPSHOT_WORKERS + (n))

extern int	ms_crash_guard_crashes(Oid dboid, int32 subid);
extern void ms_crash_guard_enter(Oid dboid, int32 subid, int process);
extern void ms_crash_guard_progress(void);
extern void ms_crash_guard_reset(Oid dboid, int32 subid);

#endif							/* MS_CRASH_GUARD_H */
