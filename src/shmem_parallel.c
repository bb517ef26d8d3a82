/*
 * shmem_parallel.c - the part of the slots that parallel workers use.
 *
 * Who they are, so that nobody takes up the subscription while one of a
 * former apply worker's may still commit, and what the views show of what
 * they have committed.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "shmem_internal.h"

/* how long an apply worker that ends waits for its parallel workers, in ms */
#define MAX_END_WAIT	1000

/* the caller's number among the parallel workers of its slot */
static int	my_number = -1;

static void
detach_parallel(int code pg_attribute_unused(), Datum arg pg_attribute_unused())
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->parallel_pids[my_number] = 0;
	ms_shmem_bump(my_slot);
	ms_shmem_release_if_forgotten(my_slot);
	LWLockRelease(shared->lock);
}

/*
 * Become a parallel worker of the apply worker that has this pid.  False when
 * that is not the subscription's any more.
 */
bool
ms_shmem_parallel_attach(int slot, int worker, pid_t leader, Oid *dboid,
						 int32 *subid)
{
	bool		ok;

	my_slot = &shared->slots[slot];
	my_number = worker;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	ok = my_slot->in_use && my_slot->view.pid == leader &&
		my_slot->parallel_pids[worker] == 0;
	if (ok)
	{
		my_slot->parallel_pids[worker] = MyProcPid;
		*dboid = my_slot->view.dboid;
		*subid = my_slot->view.subid;
	}
	LWLockRelease(shared->lock);
	if (ok)
		on_shmem_exit(detach_parallel, 0);
	return ok;
}

/*
 * The apply worker ends, and its parallel workers with it: when it is shown as
 * stopped, nothing changes any more.  One that is in the middle of a commit
 * finishes it.  At the end of a process there is no latch to wait on.
 */
void
ms_shmem_parallel_end_all(void)
{
	for (int ms = 0; ms < MAX_END_WAIT; ms++)
	{
		bool		gone = true;

		LWLockAcquire(shared->lock, LW_SHARED);
		for (int i = 0; i < MS_MAX_APPLY_WORKERS; i++)
		{
			if (my_slot->parallel_pids[i] == 0)
				continue;
			gone = false;
			if (ms == 0)
				kill(my_slot->parallel_pids[i], SIGTERM);
		}
		LWLockRelease(shared->lock);
		if (gone)
			break;
		pg_usleep(1000);
	}
}

/*
 * A new apply worker begins: wait until its predecessor's parallel workers
 * have ended, should they have taken that long; the position must be read
 * after their last commit.
 */
void
ms_shmem_parallel_wait_gone(void)
{
	for (;;)
	{
		bool		gone = true;

		LWLockAcquire(shared->lock, LW_SHARED);
		for (int i = 0; i < MS_MAX_APPLY_WORKERS; i++)
			gone = gone && my_slot->parallel_pids[i] == 0;
		if (!gone)
			ConditionVariablePrepareToSleep(&my_slot->progress_cv);
		LWLockRelease(shared->lock);
		if (gone)
			break;
		(void) ConditionVariableTimedSleep(&my_slot->progress_cv, 100,
										   PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

/* A parallel worker has committed up to here. */
void
ms_shmem_parallel_report(const char *applied, const char *file, uint64 pos,
						 TimestampTz commit_time, TimestampTz source_time)
{
	MsSlotView *view = &my_slot->view;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	strlcpy(view->applied_gtid, applied, MS_GTID_TEXT_MAX);
	if (file[0])
	{
		strlcpy(view->binlog_file, file, MS_FILE_NAME_MAX);
		view->binlog_pos = pos;
	}
	view->last_commit_time = commit_time;
	if (source_time)
		view->applying_source_time = source_time;
	view->idle = false;
	my_slot->failures = 0;
	ms_shmem_bump(my_slot);
	LWLockRelease(shared->lock);
}

/*
 * How often in a row parallel work had to be undone; outlives the apply
 * worker, which starts over each time.
 */
void
ms_shmem_parallel_set_distrust(uint32 distrust)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->parallel_distrust = distrust;
	LWLockRelease(shared->lock);
}

uint32
ms_shmem_parallel_distrust(void)
{
	return my_slot->parallel_distrust;
}
