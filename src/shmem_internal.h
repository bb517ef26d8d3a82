/*
 * shmem_internal.h - what the files of the shmem room share.
 */
#ifndef MS_SHMEM_INTERNAL_H
#define MS_SHMEM_INTERNAL_H

#include "storage/condition_variable.h"
#include "storage/lwlock.h"

#include "shmem.h"

typedef struct Slot
{
	bool		in_use;
	bool		wanted;			/* the launcher keeps a worker running */
	bool		launching;		/* registered with the postmaster, no pid yet */
	uint32		launch;			/* counts registrations */
	bool		restart;		/* start() was called while it was ending */
	bool		forgotten;		/* free it when the last process has ended */
	MsWorkerExit exit_kind;		/* of the running worker, should it end */
	int			failures;		/* in a row */
	TimestampTz next_start;		/* not before; see clock.h */
	TimestampTz started;		/* of the worker, likewise */
	Latch	   *latch;			/* the worker's, while pid is set */
	bool		changed;		/* the catalog says something new to it */
	bool		reset_counters; /* the worker zeroes its own at next report */
	char		single_until[MS_GTID_TEXT_MAX];
	char		careful_gtid[MS_GTID_TEXT_MAX];
	MsUndone	undone;
	uint64		progress;		/* bumped at every change somebody waits for */
	ConditionVariable progress_cv;
	MsSlotView	view;
	MsCopyTask	copies[MS_MAX_SNAPSHOT_WORKERS];
	Latch	   *copy_latches[MS_MAX_SNAPSHOT_WORKERS];	/* while pid is set */
	pid_t		parallel_pids[MS_MAX_APPLY_WORKERS];	/* 0 = none */
	uint32		parallel_distrust;	/* parallel apply has failed so often */
	MsVerifyProgress verify;	/* of the session that verifies, if any */
	/* a read view at this position is known to miss nothing */
	char		quiet_file[MS_FILE_NAME_MAX];
	uint64		quiet_pos;
} Slot;

typedef struct SharedState
{
	LWLock	   *lock;
	Latch	   *launcher_latch;
	bool		scouted;		/* the origins have been looked through */
	int			nslots;
	Slot		slots[FLEXIBLE_ARRAY_MEMBER];
} SharedState;

extern SharedState *ms_shmem_state;
extern Slot *ms_shmem_slot;		/* apply worker and snapshot workers */

/* short names for use inside the room */
#define shared	ms_shmem_state
#define my_slot ms_shmem_slot

/* Callers hold the lock. */
extern void ms_shmem_bump(Slot *slot);
extern void ms_shmem_release_if_forgotten(Slot *slot);

extern void ms_shmem_parallel_end_all(void);

#endif							/* MS_SHMEM_INTERNAL_H */
