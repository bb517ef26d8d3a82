/*
 * snapshot.c - the first copy: lock-free, in chunks, while the stream goes on.
 *
 * States of a table, kept in mariadb_sync.subscription_table:
 *
 *   pending -> copying -> copied -> ready
 *
 * The apply worker leads.  A snapshot worker first cuts a pending table into
 * chunks, ranges of its key (chunk.c), and empties the target; with that the
 * table is copying.  Then chunks are handed to snapshot workers, each of which
 * opens a consistent read view on the source, which comes with its exact
 * binlog position P, loads the rows and marks the chunk done at P, all in one
 * transaction.  With the last chunk the table is copied, at its largest P.
 * When a committed position of the stream has passed that, a snapshot worker
 * builds the secondary indexes and with them the table is ready: only then
 * does it hold what the source held at one moment, and keys are unique.
 *
 * What becomes of a row event meanwhile is decided by the chunk of its key:
 *
 *   pending  dropped: the copy will see it, because the read view is opened
 *            after the chunk left this state and is not older than what the
 *            stream had seen then (the floor)
 *   active   wait for the copy, then as done
 *   done     applied if the transaction begins at or after P, else dropped
 *
 * The floor matters because a transaction reaches the binlog, and us, before
 * it is visible to a new read view.  Between source transactions it is the
 * end of the last one; inside one it is anything after its beginning, since
 * positions of read views lie between transactions.
 *
 * Which chunks are active is in the leader's memory only: a crash rolls them
 * back and they are pending again, while done ones stay done.  Nothing has to
 * be committed before a worker starts, because a stream that is resumed
 * earlier decides by the same P.  Positions hold on one server only: when the
 * source has become another one, tables that are not ready are copied again.
 *
 * Foreign keys are made when every table is ready, by a snapshot worker too.
 *
 * A user may take a table away, or have it copied again, at any time.  The
 * leader learns of it between source transactions and gives up what workers
 * do with the table; should a worker find out before, a chunk is gone and the
 * leader drops the table's rows until it learns why.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "cascade.h"
#include "snapshot.h"
#include "snapshot_internal.h"
#include "worker.h"

MsCopyLeader ms_copy_leader;


/* ------------------------------------------------------------------------
 * Positions
 * ------------------------------------------------------------------------
 */

/* Has the stream passed the table's copy? */
static bool
is_passed(const MsStreamPosition *position, const MsSubTable *table)
{
	return (position->file[0] != '\0' &&
			ms_snapshot_compare_positions(position->file, position->pos,
										  table->snapshot_file,
										  table->snapshot_pos) >= 0) ||
		(ms_copy_leader.reached_file[0] != '\0' &&
		 ms_snapshot_compare_positions(ms_copy_leader.reached_file, ms_copy_leader.reached_pos,
									   table->snapshot_file,
									   table->snapshot_pos) >= 0);
}

/* ------------------------------------------------------------------------
 * The leader
 * ------------------------------------------------------------------------
 */

/*
 * Run in the open transaction, or in one of our own.  The caller's memory
 * context is current again after the end, when that of a transaction of our
 * own is gone.
 */
static bool
begin_catalog(MemoryContext *caller)
{
	*caller = CurrentMemoryContext;
	if (IsTransactionState())
		return false;
	StartTransactionCommand();
	return true;
}

static void
end_catalog(bool own, MemoryContext caller)
{
	if (own)
		CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
}

void
ms_copy_set_state(TablePlan *plan, MsTableState state)
{
	ms_catalog_set_table_state(plan->sub, state);
	plan->sub->state = state;
}

/* Read the table's chunks; false when they are of no use. */
static bool
load_chunks(TablePlan *plan)
{
	List	   *chunks = ms_catalog_get_chunks(plan->sub);
	ListCell   *lc;

	plan->nchunks = 0;
	plan->chunks = palloc(sizeof(MsChunk *) * Max(list_length(chunks), 1));
	foreach(lc, chunks)
	{
		MsChunk    *chunk = lfirst(lc);

		if (chunk->state == MS_CHUNK_DONE &&
			chunk->snapshot_server_id != ms_copy_leader.source_server_id)
			return false;
		plan->chunks[plan->nchunks++] = chunk;
	}
	return plan->nchunks > 0;
}

/* Are there foreign keys of the table to be made when all tables are ready? */
static void
note_foreign_keys(TablePlan *plan, const MsSubTable *table)
{
	plan->sub->foreign_keys_wait = table->foreign_keys_wait;
	if (table->foreign_keys_wait && plan->sub->state != MS_TABLE_DISABLED)
		ms_copy_leader.constraints = list_append_unique_ptr(ms_copy_leader.constraints, plan);
}

/*
 * Take up where the catalog says we are.  source_server_id tells whether the
 * positions in it still mean something.  Ends snapshot workers that an
 * earlier leader left behind.
 */
void
ms_snapshot_init(const MsSubscription *sub,
				 const MsSubscriptionOptions *options, MsRelmap *relmap,
				 MsWire *control, uint32 source_server_id, uint64 *counters)
{
	ListCell   *lc;

	ms_shmem_copy_terminate_all();
	memset(&ms_copy_leader, 0, sizeof(ms_copy_leader));
	ms_copy_leader.sub = sub;
	ms_copy_leader.options = options;
	ms_copy_leader.relmap = relmap;
	ms_copy_leader.control = control;
	ms_copy_leader.counters = counters;
	ms_copy_leader.cxt = CurrentMemoryContext;
	ms_copy_leader.source_server_id = source_server_id;
	ms_gtid_init(&ms_copy_leader.behind_at);
	if (!ms_relmap_is_linked(relmap))
		ms_cascade_link(relmap);

	StartTransactionCommand();
	MemoryContextSwitchTo(ms_copy_leader.cxt);
	foreach(lc, ms_relmap_plans(relmap))
	{
		TablePlan  *plan = lfirst(lc);

		if ((plan->sub->state == MS_TABLE_COPYING ||
			 plan->sub->state == MS_TABLE_COPIED) && !load_chunks(plan))
			ms_copy_set_state(plan, MS_TABLE_PENDING);
		if (plan->sub->state == MS_TABLE_PENDING ||
			plan->sub->state == MS_TABLE_COPYING ||
			plan->sub->state == MS_TABLE_COPIED)
			ms_copy_leader.unsettled = lappend(ms_copy_leader.unsettled, plan);
		note_foreign_keys(plan, plan->sub);
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(ms_copy_leader.cxt);
}

/* After an error: the table whose copy has failed, or NULL. */
const MsSubTable *
ms_snapshot_failed_table(void)
{
	return ms_copy_leader.failed;
}

/* Did it fail for good, because a structure change was ignored? */
bool
ms_snapshot_lost_table(void)
{
	return ms_copy_leader.lost;
}

static MsSubTable *
find_recorded(List *tables, const TablePlan *plan)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		MsSubTable *table = lfirst(lc);

		if (strcmp(table->source_db, plan->sub->source_db) == 0 &&
			strcmp(table->source_table, plan->sub->source_table) == 0)
			return table;
	}
	return NULL;
}

/* Does a snapshot worker have something of the table? */
bool
ms_copy_is_under_way(const TablePlan *plan)
{
	for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
		if (ms_copy_leader.assigned[i] == plan)
			return true;
	return false;
}

/* What snapshot workers do with the table is of no use any more. */
static void
give_up_tasks(const TablePlan *plan)
{
	for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
		if (ms_copy_leader.assigned[i] == plan)
		{
			ms_copy_leader.given_up[i] = true;
			ms_copy_leader.cancelled[i] = ms_shmem_copy_cancel(i);
		}
}

/* The table is no longer in the subscription. */
static void
remove_plan(TablePlan *plan)
{
	give_up_tasks(plan);
	ms_snapshot_forget_table(plan);
	ms_relmap_remove(ms_copy_leader.relmap, plan);
}

/* Nothing of the table's copy counts any more: it is to be done. */
void
ms_copy_forget_progress(TablePlan *plan)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(ms_copy_leader.cxt);

	plan->nchunks = 0;
	plan->passed = false;
	plan->copy_void = false;
	plan->held = false;
	plan->discarded = false;
	ms_copy_leader.unsettled = list_append_unique_ptr(ms_copy_leader.unsettled, plan);
	MemoryContextSwitchTo(oldcxt);
}

/* The table is to be copied again, in the shape that is recorded by now. */
static void
begin_anew(TablePlan *plan, const MsSubTable *table)
{
	give_up_tasks(plan);
	ms_relmap_set_schema(ms_copy_leader.relmap, plan, table->source_schema);
	plan->sub->state = MS_TABLE_PENDING;
	plan->sub->reshape = table->reshape;
	ms_copy_forget_progress(plan);
	plan->one_chunk = false;
	plan->schema_gtid = NULL;
}

/*
 * Between source transactions, with no group open: the subscription has these
 * tables now.  Some join, some leave, some are to be copied again; all others
 * go on.  False when that is not what has happened, which takes a new leader.
 */
bool
ms_snapshot_take_over_tables(List *tables)
{
	MsRelmap   *relmap = ms_copy_leader.relmap;
	MemoryContext oldcxt = MemoryContextSwitchTo(ms_copy_leader.cxt);
	List	   *plans = list_copy(ms_relmap_plans(relmap));
	ListCell   *lc;
	bool		changed = false;

	foreach(lc, plans)
	{
		TablePlan  *plan = lfirst(lc);
		MsSubTable *table = find_recorded(tables, plan);

		if (table == NULL || table->relid != plan->sub->relid ||
			table->since_version != plan->sub->since_version)
		{
			remove_plan(plan);
			changed = true;
			continue;
		}
		if (table->state == MS_TABLE_PENDING &&
			(plan->sub->state != MS_TABLE_PENDING || table->reshape ||
			 !ms_catalog_same_jsonb(table->source_schema,
									plan->sub->source_schema)))
		{
			begin_anew(plan, table);
			changed = true;
		}
		note_foreign_keys(plan, table);
	}
	foreach(lc, tables)
	{
		MsSubTable *table = lfirst(lc);
		TablePlan  *plan = ms_relmap_find_name(relmap, table->source_db,
											   table->source_table);

		if (plan)
			continue;
		if (table->state != MS_TABLE_PENDING)
			return false;
		ms_relmap_add(relmap, table);
		plan = ms_relmap_find_name(relmap, table->source_db,
								   table->source_table);
		ms_copy_leader.unsettled = lappend(ms_copy_leader.unsettled, plan);
		note_foreign_keys(plan, table);
		changed = true;
	}
	/* a table map that is known may be of a table that was not, or was */
	if (changed)
		ms_relmap_forget_ids(relmap);
	if (!ms_relmap_is_linked(relmap))
		ms_cascade_link(relmap);
	list_free(plans);
	MemoryContextSwitchTo(oldcxt);
	return true;
}

/* Every table is ready, and there is nothing left to make. */
bool
ms_snapshot_settled(void)
{
	return ms_copy_leader.unsettled == NIL && ms_copy_leader.constraints == NIL;
}

/*
 * A chunk has gone: the table was removed, or is to be copied again, and the
 * workers find it out before us when a source transaction is long, or waits
 * for that very chunk.  Its rows are dropped until ms_snapshot_take_over_tables()
 * is told why.
 */
static void
suspend_copy(TablePlan *plan)
{
	plan->sub->state = MS_TABLE_PENDING;
	plan->passed = false;
	give_up_tasks(plan);
	for (int i = 0; i < plan->nchunks; i++)
		plan->chunks[i]->state = MS_CHUNK_PENDING;
}

/* Has the copy that the plan is in the midst of been ended by a user? */
static bool
has_ended(const TablePlan *plan, int chunk)
{
	MemoryContext caller;
	bool		own = begin_catalog(&caller);
	bool		ended = ms_catalog_get_chunk(plan->sub, chunk) == NULL;

	end_catalog(own, caller);
	return ended;
}

/* Take over what a snapshot worker has done, from the catalog. */
static void
take_over(TablePlan *plan, const MsCopyTask *task)
{
	MemoryContext caller;
	bool		own = begin_catalog(&caller);
	MemoryContext oldcxt = MemoryContextSwitchTo(ms_copy_leader.cxt);
	MsChunk    *chunk;

	switch (task->kind)
	{
		case MS_COPY_KIND_PLAN:
			plan->sub->state = MS_TABLE_COPYING;
			if (!load_chunks(plan))
				elog(ERROR, "table \"%s\" has no chunks", plan->name);
			break;
		case MS_COPY_KIND_CHUNK:
			chunk = ms_catalog_get_chunk(plan->sub, task->chunk);
			if (chunk)
				plan->chunks[task->chunk] = chunk;
			else
				suspend_copy(plan);
			break;
		case MS_COPY_KIND_FINISH:
			plan->sub->state = MS_TABLE_READY;
			ms_copy_leader.unsettled = list_delete_ptr(ms_copy_leader.unsettled, plan);
			break;
		case MS_COPY_KIND_HELP:
			/* it found nothing more that nobody else does */
			for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
				if (ms_copy_leader.assigned[i] == plan)
					ms_shmem_copy_refuse_help(i);
			break;
		case MS_COPY_KIND_CONSTRAINTS:
			plan->sub->foreign_keys_wait = false;
			ms_copy_leader.constraints = list_delete_ptr(ms_copy_leader.constraints, plan);
			break;
	}
	MemoryContextSwitchTo(oldcxt);
	if (task->values_changed > 0)
	{
		ms_copy_leader.counters[MS_CNT_VALUES_CHANGED] += task->values_changed;
		ms_catalog_save_counters(ms_copy_leader.sub->subid, ms_copy_leader.counters);
	}
	end_catalog(own, caller);
}

/*
 * Did a copy fail because the source's table is not the recorded one?  It was
 * altered or renamed there, and the stream will tell.
 */
static bool
is_other_structure(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_UNDEFINED_TABLE ||
		sqlerrcode == ERRCODE_UNDEFINED_COLUMN;
}

/* Or because its tablespace is discarded, until another one is imported? */
static bool
is_discarded(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_UNDEFINED_FILE;
}

/*
 * A task that came to nothing is there to be done again: the source's table
 * was rebuilt or emptied after the read view was opened, or has changed.
 */
static void
put_back(int worker, const MsCopyTask *task)
{
	TablePlan  *plan = ms_copy_leader.assigned[worker];

	plan->discarded = is_discarded(task->sqlerrcode);
	plan->held = plan->discarded || is_other_structure(task->sqlerrcode);
	ereport(LOG,
			(plan->held ?
			 errmsg("copy of source table \"%s\" waits for a change of its structure",
					plan->name) :
			 errmsg("copy of source table \"%s\" tries again", plan->name),
			 errdetail_internal("%s", task->error)));
	if (plan->discarded)
	{
		MemoryContext caller;
		bool		own = begin_catalog(&caller);

		ms_catalog_set_table_error(plan->sub->subid, plan->sub->source_db,
								   plan->sub->source_table,
								   psprintf("the copy waits for ALTER TABLE ... IMPORT TABLESPACE on the source\nDETAIL: %s",
											task->error));
		end_catalog(own, caller);
	}
	ms_copy_leader.assigned[worker] = NULL;
	ms_shmem_copy_release(worker);
	if (task->kind == MS_COPY_KIND_CHUNK)
	{
		plan->chunks[task->chunk]->state = MS_CHUNK_PENDING;
		if (has_ended(plan, task->chunk))
			suspend_copy(plan);
	}
}

/*
 * A task that was given up has ended, one way or another.  What it may have
 * said of the table's state after the user did is put right.
 */
static void
collect_given_up(int worker, const MsCopyTask *task)
{
	TablePlan  *plan = ms_copy_leader.assigned[worker];

	if (task->state == MS_COPY_FAILED && task->pid == 0)
		ms_shmem_copy_release(worker);
	else if (task->state != MS_COPY_DONE)
		return;
	ms_copy_leader.assigned[worker] = NULL;
	ms_shmem_copy_set_collected(worker);
	ms_copy_leader.given_up[worker] = false;
	if (list_member_ptr(ms_copy_leader.unsettled, plan))
	{
		const MsSubTable *table = plan->sub;
		MemoryContext caller;
		bool		own = begin_catalog(&caller);

		/* unless it has left, which we are about to be told */
		if (ms_catalog_get_table(table->subid, table->source_db,
								 table->source_table))
			ms_copy_set_state(plan, MS_TABLE_PENDING);
		end_catalog(own, caller);
	}
}

/* Look after a snapshot worker that has a task. */
static void
collect(int worker)
{
	TablePlan  *plan = ms_copy_leader.assigned[worker];
	MsCopyTask	task;
	pid_t		pid;

	if (plan == NULL)
		return;
	if (ms_copy_leader.given_up[worker] && !ms_copy_leader.cancelled[worker])
		ms_copy_leader.cancelled[worker] = ms_shmem_copy_cancel(worker);
	if (ms_shmem_copy_busy(worker))
		return;
	ms_shmem_copy_get(worker, &task);
	if (task.state == MS_COPY_STARTING && task.pid == 0 &&
		GetBackgroundWorkerPid(ms_copy_leader.handles[worker], &pid) == BGWH_STOPPED)
	{
		/* unless it was quick and is done */
		ms_shmem_copy_get(worker, &task);
		if (task.state == MS_COPY_STARTING)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("the snapshot worker for table \"%s\" could not start",
							plan->name)));
	}
	if (ms_copy_leader.given_up[worker])
	{
		collect_given_up(worker, &task);
		return;
	}
	if (task.state == MS_COPY_FAILED && task.pid == 0 &&
		(task.sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		 (ms_copy_leader.options->ddl == MS_DDL_APPLY &&
		  (is_other_structure(task.sqlerrcode) ||
		   is_discarded(task.sqlerrcode)))))
	{
		put_back(worker, &task);
		return;
	}
	if (task.state == MS_COPY_FAILED && task.pid == 0)
	{
		ms_copy_leader.counters[MS_CNT_SYNC_ERRORS]++;
		ms_copy_leader.failed = plan->sub;
		/* the stream tells, but nobody listens to it */
		ms_copy_leader.lost = ms_copy_leader.options->ddl == MS_DDL_IGNORE &&
			is_other_structure(task.sqlerrcode);
		ereport(ERROR,
				(errcode(task.sqlerrcode),
				 errmsg("copy of source table \"%s\" failed", plan->name),
				 errdetail_internal("%s", task.error),
				 ms_copy_leader.lost && task.sqlerrcode == ERRCODE_UNDEFINED_TABLE ?
				 errhint("It was dropped or renamed on the source, and option \"ddl\" is ignore. Use mariadb_sync.remove_table() and, if it has another name, mariadb_sync.add_table(); or mariadb_sync.resync_table() when it is there again.") : 0));
	}
	if (task.state != MS_COPY_DONE)
		return;
	ms_copy_leader.assigned[worker] = NULL;
	ms_shmem_copy_set_collected(worker);
	take_over(plan, &task);
}

void
ms_copy_collect(void)
{
	for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
		collect(i);
}

/*
 * Hand a task to a snapshot worker.  What it reads must not be older than the
 * floor; a position without a file is told by its GTIDs for the time being.
 */
static void
hand_out(int worker, TablePlan *plan, MsCopyKind kind, int chunk,
		 const char *floor_file, uint64 floor_pos, const MsGtidList *floor_gtid)
{
	BackgroundWorker bgw;
	MsCopyTask	task = {0};

	task.kind = kind;
	task.chunk = chunk;
	task.one_chunk = plan->one_chunk;
	strlcpy(task.db, plan->sub->source_db, MS_NAME_MAX);
	strlcpy(task.table, plan->sub->source_table, MS_NAME_MAX);
	strlcpy(task.floor_file, floor_file, MS_FILE_NAME_MAX);
	task.floor_pos = floor_pos;
	if (floor_gtid)
	{
		char	   *gtid = ms_gtid_format_list(floor_gtid);

		strlcpy(task.floor_gtid, gtid, MS_GTID_TEXT_MAX);
		pfree(gtid);
	}
	task.source_server_id = ms_copy_leader.source_server_id;
	ms_copy_leader.assigned[worker] = plan;
	ms_copy_leader.kinds[worker] = kind;
	ms_copy_leader.chunks[worker] = chunk;
	ms_copy_leader.floorless[worker] = floor_file[0] == '\0';
	ms_copy_leader.given_up[worker] = false;
	ms_copy_leader.cancelled[worker] = false;
	if (kind == MS_COPY_KIND_CHUNK)
		plan->chunks[chunk]->state = MS_CHUNK_ACTIVE;
	if (!ms_shmem_copy_assign(worker, &task))
		return;

	if (ms_copy_leader.handles[worker])
		pfree(ms_copy_leader.handles[worker]);
	ms_copy_leader.handles[worker] = NULL;
	ms_worker_fill(&bgw, "ms_snapshot_worker_main",
				   psprintf("mariadb_sync snapshot worker for %s",
							ms_copy_leader.sub->name),
				   Int32GetDatum(ms_shmem_my_slot() * MS_MAX_SNAPSHOT_WORKERS +
								 worker));
	MemoryContextSwitchTo(ms_copy_leader.cxt);
	if (!RegisterDynamicBackgroundWorker(&bgw, &ms_copy_leader.handles[worker]))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker is free to copy table \"%s\"",
						plan->name),
				 errhint("Raise max_worker_processes, or lower option \"snapshot_workers\" of the subscription.")));
}

/* Is a snapshot worker on a task of this kind for the table? */
bool
ms_copy_is_assigned(const TablePlan *plan, MsCopyKind kind)
{
	for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
		if (ms_copy_leader.assigned[i] == plan && ms_copy_leader.kinds[i] == kind)
			return true;
	return false;
}

int
ms_copy_find_chunk(const TablePlan *plan, MsChunkState state)
{
	for (int i = 0; i < plan->nchunks; i++)
		if (plan->chunks[i]->state == state)
			return i;
	return -1;
}

/* Can it be given a task? */
static bool
is_free(int worker)
{
	MsCopyTask	task;

	if (ms_copy_leader.assigned[worker])
		return false;
	ms_shmem_copy_get(worker, &task);
	return task.state == MS_COPY_DONE || task.state == MS_COPY_FREE;
}

/* The next chunk to load, of the first table that has one. */
static TablePlan *
next_chunk(int *chunk)
{
	ListCell   *lc;

	if (ms_copy_leader.sub->snapshot_paused)
		return NULL;
	foreach(lc, ms_copy_leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->state == MS_TABLE_COPYING && !plan->held)
		{
			*chunk = ms_copy_find_chunk(plan, MS_CHUNK_PENDING);
			if (*chunk >= 0)
				return plan;
		}
	}
	return NULL;
}

/* Must another table be copied first?  See cascade_link.c. */
static bool
comes_later(const TablePlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->copied_after)
	{
		MsTableState state = ((TablePlan *) lfirst(lc))->sub->state;

		if (state == MS_TABLE_PENDING || state == MS_TABLE_COPYING)
			return true;
	}
	return false;
}

/* Has it more indexes to build than there are workers building them? */
static bool
wants_help(const TablePlan *plan)
{
	int			wanted = 0;

	for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
	{
		MsCopyTask	task;

		if (ms_copy_leader.assigned[i] != plan)
			continue;
		if (ms_copy_leader.kinds[i] == MS_COPY_KIND_HELP)
			wanted--;
		else if (ms_copy_leader.kinds[i] == MS_COPY_KIND_FINISH)
		{
			ms_shmem_copy_get(i, &task);
			wanted += task.helpers;
		}
	}
	return wanted > 0;
}

/*
 * Work that wants the target for itself, and so a leader that holds nothing:
 * cutting a table into chunks, finishing it, making its foreign keys.
 */
static TablePlan *
next_table(int worker, MsCopyKind *kind)
{
	ListCell   *lc;

	foreach(lc, ms_copy_leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		*kind = plan->sub->state == MS_TABLE_PENDING ?
			MS_COPY_KIND_PLAN : MS_COPY_KIND_FINISH;
		if ((*kind == MS_COPY_KIND_PLAN ?
			 !ms_copy_leader.sub->snapshot_paused && !comes_later(plan) :
			 plan->sub->state == MS_TABLE_COPIED && plan->passed) &&
			!plan->held && !ms_copy_is_under_way(plan))
			return plan;
	}
	*kind = MS_COPY_KIND_HELP;
	foreach(lc, ms_copy_leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->state == MS_TABLE_COPIED && wants_help(plan))
			return plan;
	}
	/* one table's after the other's: they lock their partners */
	*kind = MS_COPY_KIND_CONSTRAINTS;
	if (ms_copy_leader.unsettled == NIL && ms_copy_leader.constraints != NIL && worker == 0)
		return linitial(ms_copy_leader.constraints);
	return NULL;
}

/* Give free workers something to do, between source transactions. */
static void
assign_work(MsApply *apply)
{
	const MsStreamPosition *position = ms_apply_position(apply);

	for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
	{
		MsCopyKind	kind = MS_COPY_KIND_CHUNK;
		int			chunk = 0;
		TablePlan  *plan;

		if (!is_free(i))
			continue;
		plan = next_chunk(&chunk);
		if (plan == NULL)
			plan = next_table(i, &kind);
		if (plan)
		{
			if (kind != MS_COPY_KIND_CHUNK)
				ms_apply_commit(apply);
			hand_out(i, plan, kind, chunk, position->file, position->pos,
					 &position->gtid);
		}
		else if (ms_snapshot_settled() || ms_copy_leader.sub->snapshot_paused)
			ms_shmem_copy_dismiss(i);
	}
}

/* Tasks that were handed out before the stream had a position get one. */
static void
tell_floors(const char *file, uint64 pos)
{
	for (int i = 0; file[0] && i < ms_copy_leader.options->snapshot_workers; i++)
	{
		if (ms_copy_leader.assigned[i] && ms_copy_leader.floorless[i])
			ms_shmem_copy_set_floor(i, file, pos);
		ms_copy_leader.floorless[i] = false;
	}
}

/* Inside the source transaction that begins at start_pos of file. */
void
ms_snapshot_assist(const char *file, uint64 start_pos)
{
	MemoryContext oldcxt = CurrentMemoryContext;

	ms_copy_collect();
	tell_floors(file, start_pos + 1);
	for (int i = 0; i < ms_copy_leader.options->snapshot_workers; i++)
	{
		int			chunk;
		TablePlan  *plan;

		if (ms_copy_leader.assigned[i] || !is_free(i))
			continue;
		plan = next_chunk(&chunk);
		if (plan == NULL)
			break;
		hand_out(i, plan, MS_COPY_KIND_CHUNK, chunk, file, start_pos + 1, NULL);
	}
	MemoryContextSwitchTo(oldcxt);
}

/* All chunks are done: the table was copied at the largest position. */
static void
complete_table(TablePlan *plan)
{
	const MsChunk *last = plan->chunks[0];
	int64		rows = 0;
	int64		bytes = 0;

	for (int i = 0; i < plan->nchunks; i++)
	{
		const MsChunk *chunk = plan->chunks[i];

		rows += chunk->rows;
		bytes += chunk->bytes;
		if (ms_snapshot_compare_positions(chunk->snapshot_file, chunk->snapshot_pos,
										  last->snapshot_file,
										  last->snapshot_pos) > 0)
			last = chunk;
	}
	plan->sub->snapshot_file = last->end_file ? last->end_file :
		last->snapshot_file;
	plan->sub->snapshot_pos = last->end_file ? last->end_pos :
		last->snapshot_pos;
	plan->sub->snapshot_server_id = last->snapshot_server_id;
	ms_catalog_set_table_progress(plan->sub, rows, bytes);
	ms_copy_set_state(plan, MS_TABLE_COPIED);
}

/* Have all of the table's chunks been copied, and it does not know yet? */
static bool
is_read(TablePlan *plan)
{
	return plan->sub->state == MS_TABLE_COPYING &&
		ms_copy_find_chunk(plan, MS_CHUNK_PENDING) < 0 &&
		ms_copy_find_chunk(plan, MS_CHUNK_ACTIVE) < 0;
}

/* Has the stream come to where the copy ended, and it does not know yet? */
static bool
can_finish(const TablePlan *plan, const MsStreamPosition *position)
{
	return plan->sub->state == MS_TABLE_COPIED && !plan->passed &&
		is_passed(position, plan->sub);
}

/* Tables that have come to the end of a state, but for those under way. */
static bool
any_to_move(const MsStreamPosition *position)
{
	ListCell   *lc;

	foreach(lc, ms_copy_leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (is_read(plan) || can_finish(plan, position))
			return true;
	}
	return false;
}

/*
 * Move the copy on.  Called between source transactions, often; may commit
 * the open group.  Raises an error when a copy has failed.
 */
void
ms_snapshot_lead(MsApply *apply)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	const MsStreamPosition *position = ms_apply_position(apply);

	ms_copy_collect();
	tell_floors(position->file, position->pos);
	if (any_to_move(position))
	{
		/* moved by the commit */
		ms_apply_begin(apply);
		ms_apply_commit(apply);
	}
	assign_work(apply);
	MemoryContextSwitchTo(oldcxt);
}

/*
 * Inside the transaction that commits position: tables whose last chunk is
 * done are copied, and copies that it has passed can be finished.
 */
void
ms_snapshot_settle(const MsStreamPosition *position)
{
	ListCell   *lc;

	foreach(lc, ms_copy_leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (is_read(plan))
			complete_table(plan);
		if (can_finish(plan, position))
		{
			char	   *gtid = ms_gtid_format_list(&position->gtid);

			plan->passed = true;
			ms_catalog_set_table_passed(plan->sub, gtid);
			pfree(gtid);
		}
	}
}

/* Has the stream applied all that the source's binlog holds? */
static bool
has_applied(const MsGtidList *applied, const MsGtidList *binlog)
{
	for (int i = 0; i < binlog->count; i++)
	{
		const MsGtid *gtid = &binlog->items[i];
		const MsGtid *ours = ms_gtid_find(applied, gtid->domain);

		if (ours == NULL || ours->seq != gtid->seq ||
			ours->server_id != gtid->server_id)
			return false;
	}
	return true;
}

/*
 * The stream has nothing to read.  A source at rest sends no event after the
 * read views of the copies, so it is asked how far that nothing reaches: what
 * is visible there is in its binlog, and when its binlog has no GTID that we
 * have not, so have we.  Otherwise more is on its way, and then it is asked
 * again.
 */
void
ms_snapshot_look_ahead(MsWire *control, const MsStreamPosition *position)
{
	bool		wanted = false;
	uint64		pos = 0;
	char	   *file;
	char	   *gtid;
	MsGtidList	binlog;
	ListCell   *lc;

	foreach(lc, ms_copy_leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->state == MS_TABLE_COPIED && !plan->passed)
			wanted = wanted || !is_passed(position, plan->sub);
	}
	if (!wanted || (ms_copy_leader.behind &&
					position->gtid.count == ms_copy_leader.behind_at.count &&
					has_applied(&position->gtid, &ms_copy_leader.behind_at)))
		return;

	/* in this order: what is visible was written before */
	file = ms_snapshot_source_position(control, &pos);
	gtid = ms_wire_query_value(control, "SELECT @@global.gtid_binlog_pos");
	ms_gtid_init(&binlog);
	ms_copy_leader.behind = !(file && gtid && ms_gtid_parse_list(gtid, &binlog) &&
							  has_applied(&position->gtid, &binlog));
	if (ms_copy_leader.behind)
	{
		ms_gtid_copy(&ms_copy_leader.behind_at, &position->gtid);
		return;
	}
	strlcpy(ms_copy_leader.reached_file, file, MS_FILE_NAME_MAX);
	ms_copy_leader.reached_pos = pos;
	/* for ms_snapshot_lead() */
	SetLatch(MyLatch);
}
