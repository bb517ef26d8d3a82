/*
 * shmem.c - the shared-memory slots of subscriptions.
 *
 * A slot belongs to one subscription of one database.  It tells the launcher
 * whether and when to start the apply worker, carries what the views show,
 * and holds the tasks of the snapshot workers.  Nothing in it is durable:
 * after a crash it is made anew from the replication origins (launcher.c) and
 * the catalog.
 *
 * Locking: one LWLock protects everything here and is held for a few
 * assignments only, never over a call that can wait or raise.  No other room
 * takes it.  A process' pid stays in its slot until the process has passed
 * its exit callback, so signalling a pid under the lock is safe.
 *
 * A subscription's state is changed by set_state() alone; src/README.md draws
 * it.
 */
#include "postgres.h"

#include <math.h>
#include <signal.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "mariadb_sync.h"
#include "shmem_internal.h"

/* a worker that has lived so long did not fail in its start, in ms */
#define MIN_SETTLED_AGE		10000

/* shared with shmem_copy.c, see shmem_internal.h */
SharedState *ms_shmem_state = NULL;
Slot	   *ms_shmem_slot = NULL;

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static const char *const state_names[] = {
	[MS_SUB_STOPPED] = "stopped",
	[MS_SUB_STARTING] = "starting",
	[MS_SUB_SNAPSHOT] = "snapshot",
	[MS_SUB_CATCHUP] = "catchup",
	[MS_SUB_STREAMING] = "streaming",
	[MS_SUB_RETRYING] = "retrying",
	[MS_SUB_ERROR] = "error",
};

/* ------------------------------------------------------------------------
 * Set-up
 * ------------------------------------------------------------------------
 */

static Size
shared_size(void)
{
	return add_size(offsetof(SharedState, slots),
					mul_size(ms_max_subscriptions, sizeof(Slot)));
}

static void
request_shmem(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche(MS_LIBRARY, 1);
}

static void
startup_shmem(void)
{
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct(MS_LIBRARY, shared_size(), &found);
	if (!found)
	{
		memset(shared, 0, shared_size());
		shared->lock = &GetNamedLWLockTranche(MS_LIBRARY)->lock;
		shared->nslots = ms_max_subscriptions;
		for (int i = 0; i < shared->nslots; i++)
			ConditionVariableInit(&shared->slots[i].progress_cv);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
ms_shmem_init(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

bool
ms_shmem_available(void)
{
	return shared != NULL;
}

const char *
ms_sub_state_name(MsSubState state)
{
	return state_names[state];
}

/* ------------------------------------------------------------------------
 * Slots.  Callers hold the lock.
 * ------------------------------------------------------------------------
 */

static Slot *
find_slot(Oid dboid, int32 subid)
{
	for (int i = 0; i < shared->nslots; i++)
	{
		Slot	   *slot = &shared->slots[i];

		if (slot->in_use && slot->view.dboid == dboid &&
			slot->view.subid == subid)
			return slot;
	}
	return NULL;
}

/* NULL when all slots are taken. */
static Slot *
find_or_make_slot(Oid dboid, int32 subid)
{
	Slot	   *slot = find_slot(dboid, subid);

	for (int i = 0; slot == NULL && i < shared->nslots; i++)
	{
		if (shared->slots[i].in_use)
			continue;
		slot = &shared->slots[i];
		slot->in_use = true;
		slot->wanted = false;
		slot->launching = false;
		slot->restart = false;
		slot->forgotten = false;
		slot->failures = 0;
		slot->next_start = 0;
		slot->latch = NULL;
		slot->reset_counters = false;
		slot->single_until[0] = '\0';
		slot->careful_gtid[0] = '\0';
		slot->undone.nranges = 0;
		slot->quiet_file[0] = '\0';
		memset(&slot->view, 0, sizeof(slot->view));
		memset(slot->copies, 0, sizeof(slot->copies));
		memset(slot->parallel_pids, 0, sizeof(slot->parallel_pids));
		slot->parallel_distrust = 0;
		slot->view.dboid = dboid;
		slot->view.subid = subid;
	}
	return slot;
}

/* No process of the subscription is left. */
static bool
slot_is_quiet(Slot *slot)
{
	if (slot->view.pid != 0 || slot->launching)
		return false;
	for (int i = 0; i < MS_MAX_SNAPSHOT_WORKERS; i++)
		if (slot->copies[i].pid != 0)
			return false;
	for (int i = 0; i < MS_MAX_APPLY_WORKERS; i++)
		if (slot->parallel_pids[i] != 0)
			return false;
	return true;
}

/* A forgotten slot is free once nobody uses it. */
void
ms_shmem_release_if_forgotten(Slot *slot)
{
	if (slot->forgotten && slot_is_quiet(slot))
		slot->in_use = false;
}

void
ms_shmem_bump(Slot *slot)
{
	slot->progress++;
	ConditionVariableBroadcast(&slot->progress_cv);
}

/* The one place where a subscription's state changes. */
static void
set_state(Slot *slot, MsSubState state)
{
	if (slot->view.state == state)
		return;
	slot->view.state = state;
	if (state != MS_SUB_STREAMING)
		slot->view.idle = false;
	ms_shmem_bump(slot);
}

static void
wake_launcher(void)
{
	if (shared->launcher_latch)
		SetLatch(shared->launcher_latch);
}

static void
out_of_slots(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("too many subscriptions"),
			 errhint("Raise mariadb_sync.max_subscriptions, which is %d, and restart the server.",
					 ms_max_subscriptions)));
}

/* ------------------------------------------------------------------------
 * Any session
 * ------------------------------------------------------------------------
 */

bool
ms_shmem_find(Oid dboid, int32 subid, MsSlotView *view)
{
	Slot	   *slot;

	if (shared == NULL)
		return false;
	LWLockAcquire(shared->lock, LW_SHARED);
	slot = find_slot(dboid, subid);
	if (slot)
		*view = slot->view;
	LWLockRelease(shared->lock);
	return slot != NULL;
}

List *
ms_shmem_list(Oid dboid)
{
	List	   *result = NIL;
	MsSlotView *copies;
	int			n = 0;

	if (shared == NULL)
		return NIL;
	copies = palloc(shared->nslots * sizeof(MsSlotView));
	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < shared->nslots; i++)
		if (shared->slots[i].in_use && shared->slots[i].view.dboid == dboid)
			copies[n++] = shared->slots[i].view;
	LWLockRelease(shared->lock);

	for (int i = 0; i < n; i++)
		result = lappend(result, &copies[i]);
	return result;
}

/*
 * Make sure that the subscription has a slot: called while an error can still
 * be raised, so that request_start() after the commit cannot fail.
 */
void
ms_shmem_reserve(Oid dboid, int32 subid)
{
	Slot	   *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_or_make_slot(dboid, subid);
	LWLockRelease(shared->lock);
	if (slot == NULL)
		out_of_slots();
}

void
ms_shmem_request_start(Oid dboid, int32 subid)
{
	Slot	   *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_or_make_slot(dboid, subid);
	if (slot)
	{
		slot->wanted = true;
		slot->forgotten = false;
		slot->failures = 0;
		slot->next_start = 0;
		slot->careful_gtid[0] = '\0';
		slot->undone.nranges = 0;
		slot->parallel_distrust = 0;
		if (slot->view.pid == 0)
			set_state(slot, MS_SUB_STARTING);
		else
			slot->restart = true;
		if (slot->latch)
			SetLatch(slot->latch);
		wake_launcher();
	}
	LWLockRelease(shared->lock);
}

void
ms_shmem_request_stop(Oid dboid, int32 subid)
{
	Slot	   *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(dboid, subid);
	if (slot)
	{
		slot->wanted = false;
		slot->restart = false;
		if (slot->view.pid != 0)
			kill(slot->view.pid, SIGTERM);
		else
			set_state(slot, MS_SUB_STOPPED);
	}
	LWLockRelease(shared->lock);
}

/* The catalog has changed: the worker looks when it is between transactions. */
void
ms_shmem_notify_changed(Oid dboid, int32 subid)
{
	Slot	   *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(dboid, subid);
	if (slot)
		slot->changed = true;
	if (slot && slot->latch)
		SetLatch(slot->latch);
	LWLockRelease(shared->lock);
}

/*
 * Has somebody changed our subscription since we last asked?  The relcache
 * invalidation that says so may come after the latch was set, and without it
 * nothing would wake us again.  Reads a flag of our own without the lock.
 */
bool
ms_shmem_take_changed(void)
{
	if (likely(!my_slot->changed))
		return false;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->changed = false;
	LWLockRelease(shared->lock);
	return true;
}

/*
 * Wait until the subscription's processes have ended; the caller has asked
 * for that and keeps new ones from starting by the subscription's lock.
 */
void
ms_shmem_wait_stopped(Oid dboid, int32 subid)
{
	for (;;)
	{
		Slot	   *slot;
		bool		quiet = true;

		LWLockAcquire(shared->lock, LW_SHARED);
		slot = find_slot(dboid, subid);
		if (slot)
		{
			quiet = slot_is_quiet(slot);
			if (!quiet)
				ConditionVariablePrepareToSleep(&slot->progress_cv);
			/* a worker that was just starting has not had its signal yet */
			if (!quiet && slot->view.pid != 0)
				kill(slot->view.pid, SIGTERM);
			/* a launch that waits for our lock ends by itself after us */
			if (!quiet && slot->view.pid == 0 && slot->launching)
				quiet = true;
		}
		LWLockRelease(shared->lock);
		if (quiet)
			break;
		ConditionVariableTimedSleep(&slot->progress_cv, 100,
									PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

void
ms_shmem_reset_counters(Oid dboid, int32 subid)
{
	Slot	   *slot;

	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(dboid, subid);
	if (slot)
	{
		memset(slot->view.counters, 0, sizeof(slot->view.counters));
		slot->reset_counters = true;
	}
	LWLockRelease(shared->lock);
}

/* The subscription is gone. */
void
ms_shmem_forget(Oid dboid, int32 subid)
{
	Slot	   *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(dboid, subid);
	if (slot)
	{
		slot->wanted = false;
		slot->forgotten = true;
		ms_shmem_release_if_forgotten(slot);
	}
	LWLockRelease(shared->lock);
}

/*
 * Sleep until something about the subscription has changed since *ticket was
 * taken, or timeout_ms passed.  Start with a ticket of 0 and end with
 * ms_shmem_wait_progress_end().
 */
void
ms_shmem_wait_progress(Oid dboid, int32 subid, uint64 *ticket,
					   long timeout_ms)
{
	Slot	   *slot = NULL;
	bool		changed = false;

	if (shared)
	{
		LWLockAcquire(shared->lock, LW_SHARED);
		slot = find_slot(dboid, subid);
		if (slot)
		{
			ConditionVariablePrepareToSleep(&slot->progress_cv);
			changed = slot->progress + 1 != *ticket;
			*ticket = slot->progress + 1;
		}
		LWLockRelease(shared->lock);
	}
	if (changed)
		return;
	if (slot)
		ConditionVariableTimedSleep(&slot->progress_cv, timeout_ms,
									PG_WAIT_EXTENSION);
	else
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(timeout_ms, 10), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

void
ms_shmem_wait_progress_end(void)
{
	ConditionVariableCancelSleep();
}

/* ------------------------------------------------------------------------
 * The launcher
 * ------------------------------------------------------------------------
 */

static void
detach_launcher(int code pg_attribute_unused(), Datum arg pg_attribute_unused())
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher_latch = NULL;
	LWLockRelease(shared->lock);
}

void
ms_shmem_attach_launcher(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher_latch = MyLatch;
	/* what an earlier launcher registered will not be heard of */
	for (int i = 0; i < shared->nslots; i++)
		if (shared->slots[i].view.pid == 0)
			shared->slots[i].launching = false;
	LWLockRelease(shared->lock);
	before_shmem_exit(detach_launcher, 0);
}

/*
 * A subscription exists, as its replication origin says.  If nothing is known
 * of it yet, a worker finds out the rest.
 */
void
ms_shmem_discover(Oid dboid, int32 subid)
{
	bool		known;

	LWLockAcquire(shared->lock, LW_SHARED);
	known = find_slot(dboid, subid) != NULL;
	LWLockRelease(shared->lock);
	if (!known)
		ms_shmem_request_start(dboid, subid);
}

void
ms_shmem_set_scouted(bool scouted)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->scouted = scouted;
	wake_launcher();
	LWLockRelease(shared->lock);
}

bool
ms_shmem_scouted(void)
{
	return shared->scouted;
}

/*
 * Which workers are to be started now; *next is when to look again (0 = no
 * time known).  The slots are marked as launching.
 */
List *
ms_shmem_due_workers(TimestampTz now, TimestampTz *next)
{
	List	   *due = NIL;
	int		   *indexes = palloc(shared->nslots * sizeof(int));
	int			n = 0;

	*next = 0;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->nslots; i++)
	{
		Slot	   *slot = &shared->slots[i];

		if (!slot->in_use || !slot->wanted || slot->launching ||
			slot->view.pid != 0)
			continue;
		if (slot->next_start <= now)
		{
			slot->launching = true;
			slot->launch++;
			indexes[n++] = i;
		}
		else if (*next == 0 || slot->next_start < *next)
			*next = slot->next_start;
	}
	LWLockRelease(shared->lock);

	for (int i = 0; i < n; i++)
	{
		MsDueWorker *worker = palloc(sizeof(MsDueWorker));

		worker->slot = indexes[i];
		worker->dboid = shared->slots[indexes[i]].view.dboid;
		worker->subid = shared->slots[indexes[i]].view.subid;
		worker->launch = shared->slots[indexes[i]].launch;
		due = lappend(due, worker);
	}
	pfree(indexes);
	return due;
}

/* When may it start again: exponential, with jitter. */
static void
back_off(Slot *slot)
{
	double		delay = ms_retry_min_delay;

	slot->failures++;
	delay *= pow(2, Min(slot->failures - 1, 20));
	delay = Min(delay, ms_retry_max_delay);
	delay *= 0.8 + 0.4 * pg_prng_double(&pg_global_prng_state);
	slot->next_start = TimestampTzPlusMilliseconds(ms_clock_now(),
												   (int64) delay);
}

static void
set_error(Slot *slot, const char *error, const char *gtid)
{
	strlcpy(slot->view.last_error, error, MS_ERROR_TEXT_MAX);
	strlcpy(slot->view.last_error_gtid, gtid ? gtid : "", MS_GTID_TEXT_MAX);
	slot->view.last_error_time = GetCurrentTimestamp();
	ms_shmem_bump(slot);
}

/* The postmaster had no room for the worker, or it did not come up. */
void
ms_shmem_start_failed(int i, const char *error)
{
	Slot	   *slot = &shared->slots[i];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->launching = false;
	if (slot->in_use && slot->view.pid == 0)
	{
		back_off(slot);
		if (error)
			set_error(slot, error, NULL);
		set_state(slot, slot->wanted ? MS_SUB_RETRYING : MS_SUB_STOPPED);
	}
	ms_shmem_release_if_forgotten(slot);
	LWLockRelease(shared->lock);
}

/*
 * The process the launcher registered has ended.  If it never came as far as
 * taking up its slot, that was a failure.
 */
void
ms_shmem_launch_ended(int i, uint32 launch)
{
	Slot	   *slot = &shared->slots[i];
	bool		failed;

	LWLockAcquire(shared->lock, LW_SHARED);
	failed = slot->in_use && slot->launching && slot->launch == launch;
	LWLockRelease(shared->lock);
	if (failed)
		ms_shmem_start_failed(i, NULL);
}

/* ------------------------------------------------------------------------
 * The apply worker
 * ------------------------------------------------------------------------
 */

static void
detach_worker(int code pg_attribute_unused(), Datum arg pg_attribute_unused())
{
	Slot	   *slot = my_slot;

	ms_shmem_parallel_end_all();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	/* it has worked, if only by waiting for an idle source */
	if (TimestampDifferenceExceeds(slot->started, ms_clock_now(),
								   Max(ms_retry_max_delay, MIN_SETTLED_AGE)))
		slot->failures = 0;
	slot->view.pid = 0;
	slot->latch = NULL;
	slot->view.started_at = 0;
	/* without a worker the catalog alone knows the position */
	slot->view.applied_gtid[0] = '\0';
	slot->view.idle = false;
	switch (slot->exit_kind)
	{
		case MS_EXIT_RESTART:
			slot->next_start = 0;
			break;
		case MS_EXIT_PARKED:
			/* unless somebody has asked for a start since it decided so */
			slot->wanted = slot->restart;
			break;
		case MS_EXIT_FAILED:
			back_off(slot);
			break;
	}
	slot->restart = false;
	if (slot->wanted)
		set_state(slot, slot->exit_kind == MS_EXIT_FAILED ?
				  MS_SUB_RETRYING : MS_SUB_STARTING);
	else if (slot->view.state != MS_SUB_ERROR)
		set_state(slot, MS_SUB_STOPPED);
	for (int i = 0; i < MS_MAX_SNAPSHOT_WORKERS; i++)
		if (slot->copies[i].pid != 0)
			kill(slot->copies[i].pid, SIGTERM);
	ms_shmem_bump(slot);
	wake_launcher();
	ms_shmem_release_if_forgotten(slot);
	LWLockRelease(shared->lock);
}

/*
 * Take over slot i as its apply worker.  False when the subscription is not
 * wanted any more.
 */
bool
ms_shmem_attach_worker(int i, Oid *dboid, int32 *subid)
{
	Slot	   *slot = &shared->slots[i];
	bool		ok;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->launching = false;
	ok = slot->in_use && slot->wanted && slot->view.pid == 0;
	if (ok)
	{
		slot->view.pid = MyProcPid;
		slot->latch = MyLatch;
		slot->quiet_file[0] = '\0';
		slot->exit_kind = MS_EXIT_FAILED;
		slot->restart = false;
		slot->started = ms_clock_now();
		slot->view.started_at = GetCurrentTimestamp();
		slot->view.idle = false;
		*dboid = slot->view.dboid;
		*subid = slot->view.subid;
		set_state(slot, MS_SUB_STARTING);
	}
	else
		ms_shmem_release_if_forgotten(slot);
	LWLockRelease(shared->lock);
	if (ok)
	{
		my_slot = slot;

		/*
		 * after the replication origin is let go, or a successor finds it
		 * busy
		 */
		on_shmem_exit(detach_worker, 0);
	}
	return ok;
}

int
ms_shmem_my_slot(void)
{
	return (int) (my_slot - shared->slots);
}

void
ms_shmem_set_exit(MsWorkerExit kind)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->exit_kind = kind;
	LWLockRelease(shared->lock);
}

void
ms_shmem_set_state(MsSubState state)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	set_state(my_slot, state);
	LWLockRelease(shared->lock);
}

MsSubState
ms_shmem_get_state(void)
{
	return my_slot->view.state;
}

/* How often in a row the worker has failed before. */
int
ms_shmem_failures(void)
{
	return my_slot->failures;
}

/*
 * Counters go on from what this slot, or else the catalog, last knew; the
 * caller passes the catalog's.
 */
void
ms_shmem_load_counters(uint64 *counters)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (my_slot->view.counters_valid)
		memcpy(counters, my_slot->view.counters, sizeof(my_slot->view.counters));
	else
	{
		memcpy(my_slot->view.counters, counters, sizeof(my_slot->view.counters));
		my_slot->view.counters_valid = true;
	}
	my_slot->reset_counters = false;
	LWLockRelease(shared->lock);
}

/*
 * Show where the worker is.  Texts may be NULL: not changed.
 */
void
ms_shmem_report(const char *received, const char *applied, const char *source,
				const char *file, uint64 pos, TimestampTz commit_time,
				uint64 *counters, bool idle)
{
	MsSlotView *view = &my_slot->view;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (received)
		strlcpy(view->received_gtid, received, MS_GTID_TEXT_MAX);
	if (applied)
		strlcpy(view->applied_gtid, applied, MS_GTID_TEXT_MAX);
	if (source)
		strlcpy(view->source_gtid, source, MS_GTID_TEXT_MAX);
	if (file)
	{
		strlcpy(view->binlog_file, file, MS_FILE_NAME_MAX);
		view->binlog_pos = pos;
	}
	if (commit_time)
	{
		view->last_commit_time = commit_time;
		/* it works: the next failure starts the back-off from the bottom */
		my_slot->failures = 0;
	}
	view->idle = idle;
	if (my_slot->reset_counters)
	{
		memset(counters, 0, sizeof(view->counters));
		my_slot->reset_counters = false;
	}
	memcpy(view->counters, counters, sizeof(view->counters));
	ms_shmem_bump(my_slot);
	LWLockRelease(shared->lock);
}

/*
 * Something was received; source_time is when the source committed what is
 * being applied, in our clock.
 */
void
ms_shmem_report_receipt(TimestampTz receipt_time, TimestampTz source_time)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->view.last_msg_receipt_time = receipt_time;
	if (source_time)
		my_slot->view.applying_source_time = source_time;
	LWLockRelease(shared->lock);
}

/* Which binlog file is the oldest on the source, and how many are ours. */
void
ms_shmem_report_retention(const char *oldest, int reserve)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	strlcpy(my_slot->view.binlog_oldest, oldest, MS_FILE_NAME_MAX);
	my_slot->view.binlog_reserve = reserve;
	LWLockRelease(shared->lock);
}

void
ms_shmem_report_error(const char *error, const char *gtid)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	set_error(my_slot, error, gtid);
	LWLockRelease(shared->lock);
}

/*
 * After a group of transactions failed they are applied one by one, up to
 * the one that failed, so that its predecessors are kept and the error is
 * its own.  NULL ends that.
 */
void
ms_shmem_set_single(const char *until_gtid)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	strlcpy(my_slot->single_until, until_gtid ? until_gtid : "",
			MS_GTID_TEXT_MAX);
	LWLockRelease(shared->lock);
}

/* until_gtid has room for MS_GTID_TEXT_MAX bytes. */
bool
ms_shmem_get_single(char *until_gtid)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	strlcpy(until_gtid, my_slot->single_until, MS_GTID_TEXT_MAX);
	LWLockRelease(shared->lock);
	return until_gtid[0] != '\0';
}

/*
 * The transaction that failed is applied row by row, to tell which row it is.
 * NULL ends that.
 */
void
ms_shmem_set_careful(const char *gtid)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	strlcpy(my_slot->careful_gtid, gtid ? gtid : "", MS_GTID_TEXT_MAX);
	LWLockRelease(shared->lock);
}

/* gtid has room for MS_GTID_TEXT_MAX bytes. */
bool
ms_shmem_get_careful(char *gtid)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	strlcpy(gtid, my_slot->careful_gtid, MS_GTID_TEXT_MAX);
	LWLockRelease(shared->lock);
	return gtid[0] != '\0';
}

/*
 * What the transaction that the worker starts over for undid of itself.
 */
void
ms_shmem_set_undone(const MsUndone *undone)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->undone = *undone;
	LWLockRelease(shared->lock);
}

void
ms_shmem_get_undone(MsUndone *undone)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	*undone = my_slot->undone;
	LWLockRelease(shared->lock);
}
