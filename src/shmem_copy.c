/*
 * shmem_copy.c - the part of a slot that holds the copies: the apply worker
 * hands out tasks, snapshot workers take them up and tell how far they are.
 *
 * Part of the shmem room and under its lock.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#include "shmem_internal.h"

static MsCopyTask *my_copy = NULL;	/* a snapshot worker's own */

List *
ms_shmem_list_copies(Oid dboid)
{
	List	   *result = NIL;

	if (shared == NULL)
		return NIL;
	for (int i = 0; i < shared->nslots; i++)
	{
		Slot	   *slot = &shared->slots[i];

		for (int j = 0; j < MS_MAX_SNAPSHOT_WORKERS; j++)
		{
			MsCopyView *view = palloc(sizeof(MsCopyView));
			bool		running;

			LWLockAcquire(shared->lock, LW_SHARED);
			/* a view's snapshot may be from before a chunk was committed */
			running = slot->in_use && slot->view.dboid == dboid &&
				(slot->copies[j].state == MS_COPY_RUNNING ||
				 (slot->copies[j].state == MS_COPY_DONE &&
				  slot->copies[j].kind == MS_COPY_KIND_CHUNK &&
				  !slot->copies[j].collected));
			view->subid = slot->view.subid;
			view->task = slot->copies[j];
			LWLockRelease(shared->lock);
			if (running)
				result = lappend(result, view);
			else
				pfree(view);
		}
	}
	return result;
}

/*
 * Give snapshot worker number "worker" its task.  True when a process must be
 * started for it, false when one that was done takes it up.
 */
bool
ms_shmem_copy_assign(int worker, const MsCopyTask *task)
{
	MsCopyTask *copy = &my_slot->copies[worker];
	pid_t		pid;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	Assert(copy->state == MS_COPY_FREE || copy->state == MS_COPY_DONE);
	pid = copy->pid;
	*copy = *task;
	copy->state = MS_COPY_STARTING;
	copy->pid = pid;
	if (pid != 0)
		SetLatch(my_slot->copy_latches[worker]);
	LWLockRelease(shared->lock);
	return pid == 0;
}

/* Is there nothing for the leader to do about it?  Asked often. */
bool
ms_shmem_copy_busy(int worker)
{
	MsCopyState state;

	LWLockAcquire(shared->lock, LW_SHARED);
	state = my_slot->copies[worker].state;
	LWLockRelease(shared->lock);
	return state == MS_COPY_RUNNING;
}

/* There is nothing more to do for a worker that is done. */
void
ms_shmem_copy_dismiss(int worker)
{
	MsCopyTask *copy = &my_slot->copies[worker];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (copy->state == MS_COPY_DONE || copy->state == MS_COPY_DISMISSED)
	{
		copy->state = copy->pid != 0 ? MS_COPY_DISMISSED : MS_COPY_FREE;
		if (copy->pid != 0)
			SetLatch(my_slot->copy_latches[worker]);
	}
	LWLockRelease(shared->lock);
}

/* A snapshot worker that is done waits for its next task.  False: to end. */
bool
ms_shmem_copy_next(MsCopyTask *task)
{
	for (;;)
	{
		MsCopyState state;
		bool		led;

		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		state = my_copy->state;
		led = my_slot->view.pid != 0;
		if (state == MS_COPY_STARTING)
		{
			my_copy->state = MS_COPY_RUNNING;
			*task = *my_copy;
		}
		LWLockRelease(shared->lock);
		if (state == MS_COPY_STARTING)
			return true;
		if (state != MS_COPY_DONE || !led)
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

void
ms_shmem_copy_get(int worker, MsCopyTask *task)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	*task = my_slot->copies[worker];
	LWLockRelease(shared->lock);
}

/* The leader knows that the worker is done. */
void
ms_shmem_copy_set_collected(int worker)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->copies[worker].collected = true;
	LWLockRelease(shared->lock);
}

/* The leader has learnt what position its GTIDs of the floor are at. */
void
ms_shmem_copy_set_floor(int worker, const char *file, uint64 pos)
{
	MsCopyTask *copy = &my_slot->copies[worker];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	strlcpy(copy->floor_file, file, MS_FILE_NAME_MAX);
	copy->floor_pos = pos;
	LWLockRelease(shared->lock);
}

/* A snapshot worker looks whether its leader has learnt it. */
void
ms_shmem_copy_refresh_floor(MsCopyTask *task)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	strlcpy(task->floor_file, my_copy->floor_file, MS_FILE_NAME_MAX);
	task->floor_pos = my_copy->floor_pos;
	LWLockRelease(shared->lock);
}

void
ms_shmem_copy_release(int worker)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->copies[worker].state = MS_COPY_FREE;
	LWLockRelease(shared->lock);
}

/* End a worker's task.  False if its process is not there to be told yet. */
bool
ms_shmem_copy_cancel(int worker)
{
	MsCopyTask *copy = &my_slot->copies[worker];
	bool		told;

	LWLockAcquire(shared->lock, LW_SHARED);
	told = copy->pid != 0 || copy->state != MS_COPY_STARTING;
	if (copy->pid != 0 &&
		(copy->state == MS_COPY_RUNNING || copy->state == MS_COPY_STARTING))
		kill(copy->pid, SIGTERM);
	LWLockRelease(shared->lock);
	return told;
}

/* Ask all snapshot workers to end and wait until they have. */
void
ms_shmem_copy_terminate_all(void)
{
	for (;;)
	{
		bool		quiet = true;

		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		for (int i = 0; i < MS_MAX_SNAPSHOT_WORKERS; i++)
		{
			MsCopyTask *copy = &my_slot->copies[i];

			if (copy->pid != 0)
			{
				kill(copy->pid, SIGTERM);
				quiet = false;
			}
			else
				copy->state = MS_COPY_FREE;
		}
		if (!quiet)
			ConditionVariablePrepareToSleep(&my_slot->progress_cv);
		LWLockRelease(shared->lock);
		if (quiet)
			break;
		ConditionVariableTimedSleep(&my_slot->progress_cv, 100,
									PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

static void
detach_copy(int code pg_attribute_unused(), Datum arg pg_attribute_unused())
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_copy->pid = 0;
	my_slot->copy_latches[my_copy - my_slot->copies] = NULL;
	if (my_copy->state == MS_COPY_DISMISSED)
		my_copy->state = MS_COPY_FREE;
	/* with a task at hand, or handed over while it was ending */
	if (my_copy->state == MS_COPY_RUNNING ||
		my_copy->state == MS_COPY_STARTING)
	{
		my_copy->state = MS_COPY_FAILED;
		my_copy->sqlerrcode = ERRCODE_ADMIN_SHUTDOWN;
		strlcpy(my_copy->error, "snapshot worker ended", MS_ERROR_TEXT_MAX);
	}
	if (my_slot->latch)
		SetLatch(my_slot->latch);
	ms_shmem_bump(my_slot);
	ms_shmem_release_if_forgotten(my_slot);
	LWLockRelease(shared->lock);
}

/*
 * Take up the task.  False when the leader is gone or wants it no more.
 */
bool
ms_shmem_copy_attach(int slot, int worker, Oid *dboid, int32 *subid,
					 MsCopyTask *task)
{
	bool		ok;

	my_slot = &shared->slots[slot];
	my_copy = &my_slot->copies[worker];
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	ok = my_slot->in_use && my_slot->view.pid != 0 &&
		my_copy->state == MS_COPY_STARTING && my_copy->pid == 0;
	if (ok)
	{
		my_copy->state = MS_COPY_RUNNING;
		my_copy->pid = MyProcPid;
		my_slot->copy_latches[worker] = MyLatch;
		*dboid = my_slot->view.dboid;
		*subid = my_slot->view.subid;
		*task = *my_copy;
	}
	LWLockRelease(shared->lock);
	if (ok)
		on_shmem_exit(detach_copy, 0);
	return ok;
}

void
ms_shmem_copy_progress(MsCopyPhase phase, int64 rows, int64 bytes)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_copy->phase = phase;
	my_copy->rows_done = rows;
	my_copy->bytes_done = bytes;
	LWLockRelease(shared->lock);
}

/* So many others could help with the task, says a snapshot worker. */
void
ms_shmem_copy_want_help(int helpers)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_copy->helpers = helpers;
	if (helpers > 0 && my_slot->latch)
		SetLatch(my_slot->latch);
	LWLockRelease(shared->lock);
}

/* There is nothing to help a worker with until it wants help again. */
void
ms_shmem_copy_refuse_help(int worker)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->copies[worker].helpers = 0;
	LWLockRelease(shared->lock);
}

/* Tell the leader how it ended; after a failure the process ends. */
void
ms_shmem_copy_finish(bool ok, uint64 values_changed, int sqlerrcode,
					 const char *error)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_copy->state = ok ? MS_COPY_DONE : MS_COPY_FAILED;
	my_copy->values_changed = values_changed;
	my_copy->sqlerrcode = sqlerrcode;
	strlcpy(my_copy->error, error ? error : "", MS_ERROR_TEXT_MAX);
	if (my_slot->latch)
		SetLatch(my_slot->latch);
	LWLockRelease(shared->lock);
}

/* Has a snapshot worker waited out this position already? */
bool
ms_shmem_copy_is_quiet(const char *file, uint64 pos)
{
	bool		quiet;

	LWLockAcquire(shared->lock, LW_SHARED);
	quiet = my_slot->quiet_pos == pos &&
		strcmp(my_slot->quiet_file, file) == 0;
	LWLockRelease(shared->lock);
	return quiet;
}

void
ms_shmem_copy_set_quiet(const char *file, uint64 pos)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	strlcpy(my_slot->quiet_file, file, MS_FILE_NAME_MAX);
	my_slot->quiet_pos = pos;
	LWLockRelease(shared->lock);
}
