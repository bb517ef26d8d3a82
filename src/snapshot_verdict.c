/*
 * snapshot_verdict.c - what becomes of a row of the stream while its table is
 * being copied, and of the copy when the stream changes the table.
 *
 * Part of the leader; the rules are told in snapshot.c.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "deadlock.h"
#include "snapshot_internal.h"

/* Does it load this chunk, or any (-1) of the table? */
static bool
is_waited_for(int worker, const TablePlan *plan, int chunk)
{
	return ms_copy_leader.assigned[worker] == plan &&
		(chunk < 0 || (ms_copy_leader.kinds[worker] == MS_COPY_KIND_CHUNK &&
					   ms_copy_leader.chunks[worker] == chunk));
}

/*
 * Wait for news of who loads the chunk, or any (-1) of the table.
 *
 * The source transaction at hand may have written to the table.  Who wants
 * that for himself then waits for us, and whoever copies it behind him.
 */
static void
wait_for_worker(const TablePlan *plan, int chunk)
{
	static TimestampTz last_look = 0;
	TimestampTz now;

	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 Min(DeadlockTimeout, 1000), PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();

	now = ms_clock_now();
	if (!TimestampDifferenceExceeds(last_look, now, DeadlockTimeout))
		return;
	last_look = now;
	for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
	{
		MsCopyTask	task;

		if (!is_waited_for(i, plan, chunk))
			continue;
		ms_shmem_copy_get(i, &task);
		if (task.pid != 0 && ms_waits_for_me(task.pid))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_DEADLOCK_DETECTED),
					 errmsg("deadlock between the stream and the copy of source table \"%s\"",
							plan->name),
					 errdetail("Process %d copies the table and waits for a lock behind a session that waits for process %d, which applies the stream and waits for the copy.",
							   (int) task.pid, MyProcPid)));
	}
}

/* Wait until the chunk is not being loaded, and lead meanwhile. */
static void
wait_for_chunk(TablePlan *plan, int chunk, const char *file, uint64 start_pos)
{
	while (plan->chunks[chunk]->state == MS_CHUNK_ACTIVE)
	{
		ms_snapshot_assist(file, start_pos);
		if (plan->chunks[chunk]->state != MS_CHUNK_ACTIVE)
			break;
		wait_for_worker(plan, chunk);
	}
}

/* Would the verdict have to wait for a chunk? */
bool
ms_snapshot_must_wait(const TablePlan *plan)
{
	return plan->sub->state == MS_TABLE_COPYING && plan->nchunks == 1 &&
		plan->chunks[0]->state == MS_CHUNK_ACTIVE;
}

/*
 * What becomes of the rows that a source transaction, beginning at start_pos
 * of file, has for this table?
 */
MsCopyVerdict
ms_snapshot_verdict(TablePlan *plan, const char *file, uint64 start_pos)
{
	switch (plan->sub->state)
	{
		case MS_TABLE_PENDING:
		case MS_TABLE_DISABLED:
			return MS_COPY_DROP;
		case MS_TABLE_COPYING:
			if (plan->nchunks > 1)
				return MS_COPY_ASK_CHUNK;
			return ms_snapshot_chunk_wanted(plan, 0, file, start_pos) ?
				MS_COPY_APPLY : MS_COPY_DROP;
		case MS_TABLE_COPIED:
			if (plan->passed)
				break;
			if (plan->nchunks > 1)
				return MS_COPY_ASK_CHUNK;
			return ms_snapshot_chunk_wanted(plan, 0, file, start_pos) ?
				MS_COPY_APPLY : MS_COPY_DROP;
		case MS_TABLE_READY:
			break;
	}
	return MS_COPY_APPLY;
}

/*
 * Should a row of this chunk be applied?  Waits for the chunk.  If nobody can
 * tell whether the chunk has the row already, the plan's copy is void.
 */
bool
ms_snapshot_chunk_wanted(TablePlan *plan, int number, const char *file,
						 uint64 start_pos)
{
	const MsChunk *chunk;

	wait_for_chunk(plan, number, file, start_pos);
	chunk = plan->chunks[number];
	if (chunk->state != MS_CHUNK_DONE)
		return false;
	if (ms_snapshot_compare_positions(file, start_pos, chunk->snapshot_file,
									  chunk->snapshot_pos) >= 0)
		return true;
	if (ms_copy_leader.xid && ms_snapshot_may_lack(chunk, ms_copy_leader.xid, file, start_pos))
		plan->copy_void = true;
	return false;
}

/* The rows of an XA COMMIT follow, that of xid. */
void
ms_snapshot_xa_begin(const char *xid)
{
	if (ms_copy_leader.unsettled == NIL)
		return;
	ms_snapshot_await_end(ms_copy_leader.control, xid);
	ms_copy_leader.xid = xid;
}

void
ms_snapshot_xa_end(void)
{
	ms_copy_leader.xid = NULL;
}

/* Wait for every chunk that is being loaded now. */
void
ms_snapshot_wait_for_chunks(TablePlan *plan, const char *file,
							uint64 start_pos)
{
	bool		active[MS_MAX_SNAPSHOT_WORKERS];

	for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
		active[i] = ms_copy_leader.assigned[i] == plan &&
			ms_copy_leader.kinds[i] == MS_COPY_KIND_CHUNK;
	for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
		if (active[i])
			wait_for_chunk(plan, ms_copy_leader.chunks[i], file, start_pos);
}

/*
 * Wait until no snapshot worker has the table any more.  Some want it for
 * themselves, so the caller must hold no lock on it.
 */
void
ms_snapshot_wait_for_table(TablePlan *plan)
{
	MemoryContext oldcxt = CurrentMemoryContext;

	for (;;)
	{
		ms_copy_collect();
		if (!ms_copy_is_under_way(plan))
			break;
		wait_for_worker(plan, -1);
	}
	MemoryContextSwitchTo(oldcxt);
}

/* Is a snapshot worker making the table's foreign keys? */
bool
ms_snapshot_makes_foreign_keys(const TablePlan *plan)
{
	return ms_copy_is_assigned(plan, MS_COPY_KIND_CONSTRAINTS);
}

/* The table is no longer in the subscription. */
void
ms_snapshot_forget_table(TablePlan *plan)
{
	ms_copy_leader.unsettled = list_delete_ptr(ms_copy_leader.unsettled, plan);
	ms_copy_leader.constraints = list_delete_ptr(ms_copy_leader.constraints, plan);
}

/*
 * A table whose copy waits for a change of its structure, or NULL.  One
 * without a tablespace waits for a statement in any case.
 */
TablePlan *
ms_snapshot_held_table(void)
{
	ListCell   *lc;

	foreach(lc, ms_copy_leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->held && !plan->discarded)
			return plan;
	}
	return NULL;
}

/* A table whose target is to be reshaped before it is copied, or NULL. */
TablePlan *
ms_snapshot_table_to_reshape(void)
{
	ListCell   *lc;

	foreach(lc, ms_copy_leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->reshape)
			return plan;
	}
	return NULL;
}

/*
 * Does the target hold the table, or a part of it, as it was before the
 * source transaction that begins at start_pos of file?  Chunks that are being
 * loaded must have been waited for.
 */
bool
ms_snapshot_is_copied_at(const TablePlan *plan, const char *file,
						 uint64 start_pos, bool wholly)
{
	if (plan->sub->state == MS_TABLE_READY)
		return true;
	if (plan->sub->state == MS_TABLE_PENDING ||
		plan->sub->state == MS_TABLE_DISABLED)
		return false;
	if (plan->sub->state == MS_TABLE_COPIED && plan->passed)
		return true;
	for (int i = 0; i < plan->nchunks; i++)
	{
		const MsChunk *chunk = plan->chunks[i];
		bool		before = chunk->state == MS_CHUNK_DONE &&
		ms_snapshot_compare_positions(file, start_pos, chunk->snapshot_file,
									  chunk->snapshot_pos) >= 0;

		if (before != wholly)
			return before;
	}
	return wholly;
}

/*
 * Will all that the target is to hold of the table be copied after the source
 * transaction that begins at start_pos of file?  Waits for chunks that are
 * being loaded.
 */
bool
ms_snapshot_is_ahead(TablePlan *plan, const char *file, uint64 start_pos)
{
	ms_snapshot_wait_for_chunks(plan, file, start_pos);
	if (plan->sub->state == MS_TABLE_READY ||
		(plan->sub->state == MS_TABLE_COPIED && plan->passed))
		return false;
	for (int i = 0; i < plan->nchunks; i++)
	{
		const MsChunk *chunk = plan->chunks[i];

		if (chunk->state == MS_CHUNK_DONE &&
			ms_snapshot_compare_positions(file, start_pos, chunk->snapshot_file,
										  chunk->snapshot_pos) >= 0)
			return false;
	}
	return true;
}

/*
 * Of a table that is copied without a read view: may the copy have what the
 * source transaction that begins at start_pos of file did, and what was
 * wanted as it was not before the view?
 */
bool
ms_snapshot_ends_after(const TablePlan *plan, const char *file,
					   uint64 start_pos)
{
	return plan->nchunks > 0 && plan->chunks[0]->state == MS_CHUNK_DONE &&
		plan->chunks[0]->end_file != NULL &&
		ms_snapshot_compare_positions(file, start_pos,
									  plan->chunks[0]->end_file,
									  plan->chunks[0]->end_pos) < 0;
}

/*
 * Inside a source transaction: what was copied of the table is void, begin
 * anew, in one chunk if that is what plan->one_chunk says by now.  Chunks that
 * are being loaded are waited for.
 */
void
ms_snapshot_restart_table(TablePlan *plan)
{
	MemoryContext oldcxt = CurrentMemoryContext;

	/* it may be waiting for us; a new leader finds neither */
	if (ms_copy_is_assigned(plan, MS_COPY_KIND_FINISH))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the copy of table \"%s\" has to begin anew while it is being finished",
						plan->name)));
	MemoryContextSwitchTo(ms_copy_leader.cxt);
	ms_copy_leader.unsettled = list_append_unique_ptr(ms_copy_leader.unsettled, plan);
	MemoryContextSwitchTo(oldcxt);
	for (int chunk; (chunk = ms_copy_find_chunk(plan, MS_CHUNK_ACTIVE)) >= 0;)
	{
		ms_copy_collect();
		if (plan->chunks[chunk]->state != MS_CHUNK_ACTIVE)
			continue;
		wait_for_worker(plan, chunk);
	}
	ms_copy_set_state(plan, MS_TABLE_PENDING);
	ms_copy_forget_progress(plan);
}
