/*
 * fence.c - the apply worker stands still for another session.
 *
 * A session that wants to see the replica exactly as the source was at a
 * position puts up a fence: the worker commits and waits between two source
 * transactions until the fence is taken down.
 *
 *   free --stop--> asked --worker--> held --go to--> asked --worker--> held
 *                    ^                |                \--worker--> open
 *                    |                |--let go--> open --stop or go to--> asked
 *                    |                \--release--> free
 *
 * First the worker is stopped where it happens to be, then the session opens
 * its read view on the source, which cannot be older, and sends the worker on
 * to the position of that view.  So the worker is never past it, however fast
 * the source is written.  A position is a place in the source's binlog, which
 * the worker knows to be where it is without asking anybody; or GTIDs, when
 * worker and session are not connected to the same server.
 *
 * The fence goes with the session that put it up: at its release, at the end
 * of the transaction, or at the end of the process.
 *
 * Locking: fences have their own LWLock, held for assignments only.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "fence.h"
#include "mariadb_sync.h"
#include "shmem.h"
#include "snapshot.h"

/* how long the worker may need to come to the fence */
#define FENCE_TIMEOUT_MS	60000

#define FENCE_TRANCHE		"mariadb_sync_fence"

typedef enum FenceState
{
	FENCE_FREE,
	FENCE_ASKED,
	FENCE_HELD,
	FENCE_OPEN					/* the worker goes on, past the position */
} FenceState;

typedef struct Fence
{
	Oid			dboid;
	int32		subid;
	pid_t		owner;			/* the session's, unless FREE */
	FenceState	state;
	/* ASKED: where to wait; both "" = where the worker is */
	char		gtid[MS_GTID_TEXT_MAX];
	char		file[MS_FILE_NAME_MAX];
	uint64		pos;
	MsFencePoint point;			/* HELD: where the worker waits */
	TimestampTz held_since;		/* HELD: since when */
	int64		paused;			/* microseconds that it has waited before */
	ConditionVariable cv;
} Fence;

typedef struct SharedFences
{
	LWLock	   *lock;
	pg_atomic_uint32 active;	/* fences that are not FREE */
	int			n;
	Fence		fences[FLEXIBLE_ARRAY_MEMBER];
} SharedFences;

static SharedFences *shared = NULL;
static Fence *mine = NULL;		/* put up by this session */
static bool keep_to_end = false;	/* of the transaction */

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static Size
shared_size(void)
{
	return add_size(offsetof(SharedFences, fences),
					mul_size(ms_max_subscriptions, sizeof(Fence)));
}

static void
request_shmem(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche(FENCE_TRANCHE, 1);
}

static void
startup_shmem(void)
{
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct(FENCE_TRANCHE, shared_size(), &found);
	if (!found)
	{
		memset(shared, 0, shared_size());
		shared->lock = &GetNamedLWLockTranche(FENCE_TRANCHE)->lock;
		shared->n = ms_max_subscriptions;
		pg_atomic_init_u32(&shared->active, 0);
		for (int i = 0; i < shared->n; i++)
			ConditionVariableInit(&shared->fences[i].cv);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
ms_fence_init(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

/* The fence before a subscription, or NULL.  The caller holds the lock. */
static Fence *
find_fence(Oid dboid, int32 subid)
{
	for (int i = 0; i < shared->n; i++)
	{
		Fence	   *fence = &shared->fences[i];

		if (fence->state != FENCE_FREE && fence->dboid == dboid &&
			fence->subid == subid)
			return fence;
	}
	return NULL;
}

/* ------------------------------------------------------------------------
 * The session
 * ------------------------------------------------------------------------
 */

/* The worker does not wait any longer.  The caller holds the lock. */
static void
end_pause(Fence *fence)
{
	if (fence->state == FENCE_HELD)
		fence->paused += ms_clock_now() - fence->held_since;
}

/*
 * Take the fence down.  Returns for how many milliseconds the worker stood
 * still.
 */
double
ms_fence_release(void)
{
	Fence	   *fence = mine;
	int32		subid;
	double		pause;

	if (fence == NULL)
		return 0;
	mine = NULL;
	keep_to_end = false;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	end_pause(fence);
	subid = fence->subid;
	pause = fence->paused / 1000.0;
	fence->state = FENCE_FREE;
	pg_atomic_fetch_sub_u32(&shared->active, 1);
	LWLockRelease(shared->lock);
	ConditionVariableBroadcast(&fence->cv);
	ms_shmem_report_pause(MyDatabaseId, subid, pause);
	return pause;
}

/* The worker goes on for now; the fence stays ours. */
void
ms_fence_let_go(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	end_pause(mine);
	mine->state = FENCE_OPEN;
	LWLockRelease(shared->lock);
	ConditionVariableBroadcast(&mine->cv);
}

/* The worker waits until the transaction's end, whatever that will be. */
void
ms_fence_release_at_end(void)
{
	keep_to_end = true;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		(void) ms_fence_release();
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subxact,
					  SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && !keep_to_end)
		(void) ms_fence_release();
}

static void
at_process_end(int code, Datum arg)
{
	(void) ms_fence_release();
}

static void
put_up(int32 subid, const char *name)
{
	static bool registered = false;
	bool		busy;

	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
		before_shmem_exit(at_process_end, (Datum) 0);
		registered = true;
	}
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	busy = find_fence(MyDatabaseId, subid) != NULL;
	for (int i = 0; !busy && mine == NULL && i < shared->n; i++)
		if (shared->fences[i].state == FENCE_FREE)
			mine = &shared->fences[i];
	if (mine)
	{
		mine->dboid = MyDatabaseId;
		mine->subid = subid;
		mine->owner = MyProcPid;
		mine->state = FENCE_OPEN;
		mine->paused = 0;
		pg_atomic_fetch_add_u32(&shared->active, 1);
	}
	LWLockRelease(shared->lock);
	if (mine == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session verifies subscription \"%s\" at this moment",
						name),
				 errhint("Try again.")));
}

/* Wait for the worker's answer. */
static FenceState
wait_for_worker(int32 subid, const char *name)
{
	TimestampTz start = ms_clock_now();
	FenceState	state;

	ms_shmem_notify_changed(MyDatabaseId, subid);
	ConditionVariablePrepareToSleep(&mine->cv);
	for (;;)
	{
		MsSlotView	view;

		LWLockAcquire(shared->lock, LW_SHARED);
		state = mine->state;
		LWLockRelease(shared->lock);
		if (state != FENCE_ASKED)
			break;
		if (!ms_shmem_find(MyDatabaseId, subid, &view) ||
			view.state == MS_SUB_STOPPED || view.state == MS_SUB_ERROR)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("subscription \"%s\" does not run", name),
					 errhint("Use mariadb_sync.start().")));
		if (TimestampDifferenceExceeds(start, ms_clock_now(),
									   FENCE_TIMEOUT_MS))
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("the apply worker of subscription \"%s\" did not stand still within %d seconds",
							name, FENCE_TIMEOUT_MS / 1000),
					 errhint("It may apply a large transaction or wait for a lock. Try again.")));
		(void) ConditionVariableTimedSleep(&mine->cv, 100, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	return state;
}

/* True when the worker waits there, false when it was past that. */
static bool
ask(int32 subid, const char *name, const char *gtid, const char *file,
	uint64 pos)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	end_pause(mine);
	strlcpy(mine->gtid, gtid, MS_GTID_TEXT_MAX);
	strlcpy(mine->file, file, MS_FILE_NAME_MAX);
	mine->pos = pos;
	mine->state = FENCE_ASKED;
	LWLockRelease(shared->lock);
	ConditionVariableBroadcast(&mine->cv);
	return wait_for_worker(subid, name) == FENCE_HELD;
}

/* Put the fence up, if it is not.  The worker goes on. */
void
ms_fence_put_up(int32 subid, const char *name)
{
	if (mine == NULL)
		put_up(subid, name);
}

/* Let the worker stand still where it is; what it has applied is committed. */
void
ms_fence_stop(int32 subid, const char *name)
{
	ms_fence_put_up(subid, name);
	(void) ask(subid, name, "", "", 0);
}

/* Where it stands still. */
void
ms_fence_where(MsFencePoint *point)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	*point = mine->point;
	LWLockRelease(shared->lock);
}

/* Let the worker go on to exactly gtid.  False when it was past that. */
bool
ms_fence_go_to_gtid(int32 subid, const char *name, const char *gtid)
{
	return ask(subid, name, gtid, "", 0);
}

/*
 * Let the worker go on to exactly a position in the binlog of the server that
 * it is connected to.  False when it was past that.
 */
bool
ms_fence_go_to(int32 subid, const char *name, const char *file, uint64 pos)
{
	return ask(subid, name, "", file, pos);
}

/* ------------------------------------------------------------------------
 * The worker
 * ------------------------------------------------------------------------
 */

/* Is position past target, at it, or before it? */
static int
compare_gtid_positions(const MsGtidList *position, const char *text)
{
	MsGtidList	target;
	int			result;

	ms_gtid_init(&target);
	ms_gtid_parse_list_or_error(text, &target);
	result = ms_gtid_reached(position, &target) ? 0 : -1;
	for (int i = 0; i < position->count; i++)
	{
		const MsGtid *gtid = ms_gtid_find(&target, position->items[i].domain);

		/* the stream is one sequence: ahead in one domain is past */
		if (position->items[i].seq > (gtid ? gtid->seq : 0))
			return 1;
	}
	return result;
}

/* Is the worker past the place where it is to wait, at it, or before it? */
static int
compare_with_fence(const MsStreamPosition *position, const Fence *fence)
{
	if (fence->gtid[0] != '\0')
		return compare_gtid_positions(&position->gtid, fence->gtid);
	if (fence->file[0] != '\0')
		return ms_snapshot_compare_positions(position->file, position->pos,
											 fence->file, fence->pos);
	return 0;
}

/* What a session is to know of where the worker waits. */
static void
set_point(MsFencePoint *point, const MsStreamPosition *position,
		  uint32 server_id)
{
	char	   *gtid = ms_gtid_format_list(&position->gtid);

	strlcpy(point->gtid, gtid, MS_GTID_TEXT_MAX);
	strlcpy(point->file, position->file, MS_FILE_NAME_MAX);
	point->pos = position->pos;
	point->server_id = server_id;
	pfree(gtid);
}

/*
 * Come to the fence, if there is one.  server_id is the source's.
 */
void
ms_fence_check(Oid dboid, int32 subid, MsApply *apply, uint32 server_id)
{
	bool		slept = false;

	while (pg_atomic_read_u32(&shared->active) > 0)
	{
		const MsStreamPosition *position = ms_apply_position(apply);
		Fence	   *fence;
		Fence		asked;
		int			where;

		asked.state = FENCE_FREE;
		LWLockAcquire(shared->lock, LW_SHARED);
		fence = find_fence(dboid, subid);
		if (fence)
		{
			asked = *fence;
			if (asked.state == FENCE_HELD)
			{
				ConditionVariablePrepareToSleep(&fence->cv);
				slept = true;
			}
		}
		LWLockRelease(shared->lock);
		if (asked.state == FENCE_FREE || asked.state == FENCE_OPEN)
			break;
		if (asked.state == FENCE_HELD)
		{
			(void) ConditionVariableTimedSleep(&fence->cv, 1000,
											   PG_WAIT_EXTENSION);
			continue;
		}

		where = compare_with_fence(position, &asked);
		if (where < 0)
			break;
		ms_apply_commit(apply);
		set_point(&asked.point, position, server_id);
		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		if (find_fence(dboid, subid) == fence && fence->state == FENCE_ASKED)
		{
			fence->state = where == 0 ? FENCE_HELD : FENCE_OPEN;
			fence->held_since = ms_clock_now();
			fence->point = asked.point;
		}
		LWLockRelease(shared->lock);
		ConditionVariableBroadcast(&fence->cv);
	}
	if (slept)
		ConditionVariableCancelSleep();
}
