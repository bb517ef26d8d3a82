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

/* The leader's state. */
static struct
{
	const MsSubscription *sub;
	const MsSubscriptionOptions *options;
	MsRelmap   *relmap;
	MsWire	   *control;		/* for queries */
	const char *xid;			/* of the XA COMMIT being applied, or NULL */
	uint64	   *counters;
	MemoryContext cxt;
	List	   *unsettled;		/* of TablePlan *: not ready yet */
	List	   *constraints;	/* of TablePlan *: foreign keys to be made */
	const MsSubTable *failed;	/* whose copy raised an error */
	uint32		source_server_id;
	TablePlan  *assigned[MS_MAX_SNAPSHOT_WORKERS];	/* NULL = no task */
	MsCopyKind	kinds[MS_MAX_SNAPSHOT_WORKERS];
	int			chunks[MS_MAX_SNAPSHOT_WORKERS];
	bool		floorless[MS_MAX_SNAPSHOT_WORKERS]; /* task without a file */
	BackgroundWorkerHandle *handles[MS_MAX_SNAPSHOT_WORKERS];
	/* the stream has reached this without an event that says so */
	char		reached_file[MS_FILE_NAME_MAX];
	uint64		reached_pos;
}			leader;

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
		(leader.reached_file[0] != '\0' &&
		 ms_snapshot_compare_positions(leader.reached_file, leader.reached_pos,
									   table->snapshot_file,
									   table->snapshot_pos) >= 0);
}

/* ------------------------------------------------------------------------
 * The leader
 * ------------------------------------------------------------------------
 */

/* Run in the open transaction, or in one of our own. */
static bool
begin_catalog(void)
{
	if (IsTransactionState())
		return false;
	StartTransactionCommand();
	return true;
}

static void
end_catalog(bool own)
{
	if (own)
		CommitTransactionCommand();
}

static void
set_plan_state(TablePlan *plan, MsTableState state)
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
			chunk->snapshot_server_id != leader.source_server_id)
			return false;
		plan->chunks[plan->nchunks++] = chunk;
	}
	return plan->nchunks > 0;
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
	memset(&leader, 0, sizeof(leader));
	leader.sub = sub;
	leader.options = options;
	leader.relmap = relmap;
	leader.control = control;
	leader.counters = counters;
	leader.cxt = CurrentMemoryContext;
	leader.source_server_id = source_server_id;
	if (!ms_relmap_is_linked(relmap))
		ms_cascade_link(relmap);

	StartTransactionCommand();
	MemoryContextSwitchTo(leader.cxt);
	foreach(lc, ms_relmap_plans(relmap))
	{
		TablePlan  *plan = lfirst(lc);

		if ((plan->sub->state == MS_TABLE_COPYING ||
			 plan->sub->state == MS_TABLE_COPIED) && !load_chunks(plan))
			set_plan_state(plan, MS_TABLE_PENDING);
		if (plan->sub->state == MS_TABLE_PENDING ||
			plan->sub->state == MS_TABLE_COPYING ||
			plan->sub->state == MS_TABLE_COPIED)
			leader.unsettled = lappend(leader.unsettled, plan);
		if (plan->sub->deferred_ddl != NIL &&
			plan->sub->state != MS_TABLE_DISABLED)
			leader.constraints = lappend(leader.constraints, plan);
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(leader.cxt);
}

/* After an error: the table whose copy has failed, or NULL. */
const MsSubTable *
ms_snapshot_failed_table(void)
{
	return leader.failed;
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

/*
 * Between source transactions, with no group open: the subscription has these
 * tables now.  New ones join; copies under way go on.  False when some have
 * gone, or are to be copied again, which takes a new leader.
 */
bool
ms_snapshot_add_tables(List *tables)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(leader.cxt);
	ListCell   *lc;
	bool		added = false;

	foreach(lc, ms_relmap_plans(leader.relmap))
	{
		TablePlan  *plan = lfirst(lc);
		MsSubTable *table = find_recorded(tables, plan);

		if (table == NULL || table->relid != plan->sub->relid ||
			(table->state == MS_TABLE_PENDING &&
			 plan->sub->state != MS_TABLE_PENDING))
			return false;
	}
	foreach(lc, tables)
	{
		MsSubTable *table = lfirst(lc);
		TablePlan  *plan = ms_relmap_find_name(leader.relmap, table->source_db,
											   table->source_table);

		if (plan)
			continue;
		if (table->state != MS_TABLE_PENDING)
			return false;
		ms_relmap_add(leader.relmap, table);
		plan = ms_relmap_find_name(leader.relmap, table->source_db,
								   table->source_table);
		leader.unsettled = lappend(leader.unsettled, plan);
		if (plan->sub->deferred_ddl != NIL)
			leader.constraints = lappend(leader.constraints, plan);
		added = true;
	}
	/* a table map that is known may be of a table that was not */
	if (added)
		ms_relmap_forget_ids(leader.relmap);
	MemoryContextSwitchTo(oldcxt);
	return true;
}

/* Every table is ready, and there is nothing left to make. */
bool
ms_snapshot_settled(void)
{
	return leader.unsettled == NIL && leader.constraints == NIL;
}

/* Take over what a snapshot worker has done, from the catalog. */
static void
take_over(TablePlan *plan, const MsCopyTask *task)
{
	bool		own = begin_catalog();
	MemoryContext oldcxt = MemoryContextSwitchTo(leader.cxt);

	switch (task->kind)
	{
		case MS_COPY_KIND_PLAN:
			plan->sub->state = MS_TABLE_COPYING;
			if (!load_chunks(plan))
				elog(ERROR, "table \"%s\" has no chunks", plan->name);
			break;
		case MS_COPY_KIND_CHUNK:
			plan->chunks[task->chunk] = ms_catalog_get_chunk(plan->sub,
															 task->chunk);
			break;
		case MS_COPY_KIND_FINISH:
			plan->sub->state = MS_TABLE_READY;
			leader.unsettled = list_delete_ptr(leader.unsettled, plan);
			break;
		case MS_COPY_KIND_CONSTRAINTS:
			leader.constraints = list_delete_ptr(leader.constraints, plan);
			break;
	}
	MemoryContextSwitchTo(oldcxt);
	if (task->values_changed > 0)
	{
		leader.counters[MS_CNT_VALUES_CHANGED] += task->values_changed;
		ms_catalog_save_counters(leader.sub->subid, leader.counters);
	}
	end_catalog(own);
	MemoryContextSwitchTo(oldcxt);
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

/*
 * A task that came to nothing is there to be done again: the source's table
 * was rebuilt or emptied after the read view was opened, or has changed.
 */
static void
put_back(int worker, const MsCopyTask *task)
{
	TablePlan  *plan = leader.assigned[worker];

	plan->held = is_other_structure(task->sqlerrcode);
	ereport(LOG,
			(plan->held ?
			 errmsg("copy of source table \"%s\" waits for a change of its structure",
					plan->name) :
			 errmsg("copy of source table \"%s\" tries again", plan->name),
			 errdetail_internal("%s", task->error)));
	if (task->kind == MS_COPY_KIND_CHUNK)
		plan->chunks[task->chunk]->state = MS_CHUNK_PENDING;
	leader.assigned[worker] = NULL;
	ms_shmem_copy_release(worker);
}

/* Look after a snapshot worker that has a task. */
static void
collect(int worker)
{
	TablePlan  *plan = leader.assigned[worker];
	MsCopyTask	task;
	pid_t		pid;

	if (plan == NULL || ms_shmem_copy_busy(worker))
		return;
	ms_shmem_copy_get(worker, &task);
	if (task.state == MS_COPY_STARTING && task.pid == 0 &&
		GetBackgroundWorkerPid(leader.handles[worker], &pid) == BGWH_STOPPED)
	{
		/* unless it was quick and is done */
		ms_shmem_copy_get(worker, &task);
		if (task.state == MS_COPY_STARTING)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("the snapshot worker for table \"%s\" could not start",
							plan->name)));
	}
	if (task.state == MS_COPY_FAILED && task.pid == 0 &&
		(task.sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		 (leader.options->ddl == MS_DDL_APPLY &&
		  is_other_structure(task.sqlerrcode))))
	{
		put_back(worker, &task);
		return;
	}
	if (task.state == MS_COPY_FAILED && task.pid == 0)
	{
		leader.counters[MS_CNT_SYNC_ERRORS]++;
		leader.failed = plan->sub;
		ereport(ERROR,
				(errcode(task.sqlerrcode),
				 errmsg("copy of source table \"%s\" failed", plan->name),
				 errdetail_internal("%s", task.error)));
	}
	if (task.state != MS_COPY_DONE)
		return;
	leader.assigned[worker] = NULL;
	take_over(plan, &task);
}

static void
collect_all(void)
{
	for (int i = 0; i < leader.options->snapshot_workers; i++)
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
	task.source_server_id = leader.source_server_id;
	leader.assigned[worker] = plan;
	leader.kinds[worker] = kind;
	leader.chunks[worker] = chunk;
	leader.floorless[worker] = floor_file[0] == '\0';
	if (kind == MS_COPY_KIND_CHUNK)
		plan->chunks[chunk]->state = MS_CHUNK_ACTIVE;
	if (!ms_shmem_copy_assign(worker, &task))
		return;

	if (leader.handles[worker])
		pfree(leader.handles[worker]);
	leader.handles[worker] = NULL;
	ms_worker_fill(&bgw, "ms_snapshot_worker_main",
				   psprintf("mariadb_sync snapshot worker for %s",
							leader.sub->name),
				   Int32GetDatum(ms_shmem_my_slot() * MS_MAX_SNAPSHOT_WORKERS +
								 worker));
	MemoryContextSwitchTo(leader.cxt);
	if (!RegisterDynamicBackgroundWorker(&bgw, &leader.handles[worker]))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker is free to copy table \"%s\"",
						plan->name),
				 errhint("Raise max_worker_processes, or lower option \"snapshot_workers\" of the subscription.")));
}

/* Is a snapshot worker on a task of this kind for the table? */
static bool
is_assigned(const TablePlan *plan, MsCopyKind kind)
{
	for (int i = 0; i < leader.options->snapshot_workers; i++)
		if (leader.assigned[i] == plan && leader.kinds[i] == kind)
			return true;
	return false;
}

static int
find_chunk(const TablePlan *plan, MsChunkState state)
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

	if (leader.assigned[worker])
		return false;
	ms_shmem_copy_get(worker, &task);
	return task.state == MS_COPY_DONE || task.state == MS_COPY_FREE;
}

/* The next chunk to load, of the first table that has one. */
static TablePlan *
next_chunk(int *chunk)
{
	ListCell   *lc;

	if (leader.sub->snapshot_paused)
		return NULL;
	foreach(lc, leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->state == MS_TABLE_COPYING && !plan->held)
		{
			*chunk = find_chunk(plan, MS_CHUNK_PENDING);
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

/*
 * Work that wants the target for itself, and so a leader that holds nothing:
 * cutting a table into chunks, finishing it, making its foreign keys.
 */
static TablePlan *
next_table(int worker, MsCopyKind *kind)
{
	ListCell   *lc;

	foreach(lc, leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		*kind = plan->sub->state == MS_TABLE_PENDING ?
			MS_COPY_KIND_PLAN : MS_COPY_KIND_FINISH;
		if ((*kind == MS_COPY_KIND_PLAN ?
			 !leader.sub->snapshot_paused && !comes_later(plan) :
			 plan->sub->state == MS_TABLE_COPIED && plan->passed) &&
			!plan->held && !is_assigned(plan, *kind))
			return plan;
	}
	/* one table's after the other's: they lock their partners */
	*kind = MS_COPY_KIND_CONSTRAINTS;
	if (leader.unsettled == NIL && leader.constraints != NIL && worker == 0)
		return linitial(leader.constraints);
	return NULL;
}

/* Give free workers something to do, between source transactions. */
static void
assign_work(MsApply *apply)
{
	const MsStreamPosition *position = ms_apply_position(apply);

	for (int i = 0; i < leader.options->snapshot_workers; i++)
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
		else if (ms_snapshot_settled() || leader.sub->snapshot_paused)
			ms_shmem_copy_dismiss(i);
	}
}

/* Tasks that were handed out before the stream had a position get one. */
static void
tell_floors(const char *file, uint64 pos)
{
	for (int i = 0; file[0] && i < leader.options->snapshot_workers; i++)
	{
		if (leader.assigned[i] && leader.floorless[i])
			ms_shmem_copy_set_floor(i, file, pos);
		leader.floorless[i] = false;
	}
}

/* Inside the source transaction that begins at start_pos of file. */
void
ms_snapshot_assist(const char *file, uint64 start_pos)
{
	MemoryContext oldcxt = CurrentMemoryContext;

	collect_all();
	tell_floors(file, start_pos + 1);
	for (int i = 0; i < leader.options->snapshot_workers; i++)
	{
		int			chunk;
		TablePlan  *plan;

		if (leader.assigned[i] || !is_free(i))
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
	set_plan_state(plan, MS_TABLE_COPIED);
}

/* Tables that have come to the end of a state, but for those under way. */
static bool
any_to_move(const MsStreamPosition *position)
{
	ListCell   *lc;

	foreach(lc, leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->state == MS_TABLE_COPYING &&
			find_chunk(plan, MS_CHUNK_PENDING) < 0 &&
			find_chunk(plan, MS_CHUNK_ACTIVE) < 0)
			return true;
		if (plan->sub->state == MS_TABLE_COPIED && !plan->passed &&
			is_passed(position, plan->sub))
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

	collect_all();
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

	foreach(lc, leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->state == MS_TABLE_COPYING &&
			find_chunk(plan, MS_CHUNK_PENDING) < 0 &&
			find_chunk(plan, MS_CHUNK_ACTIVE) < 0)
			complete_table(plan);
		if (plan->sub->state == MS_TABLE_COPIED && !plan->passed &&
			is_passed(position, plan->sub))
		{
			char	   *gtid = ms_gtid_format_list(&position->gtid);

			plan->passed = true;
			ms_catalog_set_table_passed(plan->sub, gtid);
			pfree(gtid);
		}
	}
}

/*
 * The stream has nothing to read.  A source at rest sends no event after the
 * read views of the copies, so it is asked how far that nothing reaches: what
 * is visible there is in its binlog, and when its binlog has no GTID that we
 * have not, so have we.
 */
void
ms_snapshot_look_ahead(MsWire *control, const MsStreamPosition *position)
{
	bool		wanted = false;
	uint64		pos = 0;
	char	   *file;
	char	   *gtid;
	MsGtidList	list;
	ListCell   *lc;

	foreach(lc, leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->sub->state == MS_TABLE_COPIED && !plan->passed)
			wanted = wanted || !is_passed(position, plan->sub);
	}
	if (!wanted)
		return;

	/* in this order: what is visible was written before */
	file = ms_snapshot_source_position(control, &pos);
	gtid = ms_wire_query_value(control, "SELECT @@global.gtid_binlog_pos");
	ms_gtid_init(&list);
	if (file && gtid && ms_gtid_parse_list(gtid, &list) &&
		strcmp(ms_gtid_format_list(&list),
			   ms_gtid_format_list(&position->gtid)) == 0)
	{
		strlcpy(leader.reached_file, file, MS_FILE_NAME_MAX);
		leader.reached_pos = pos;
	}
}

/* ------------------------------------------------------------------------
 * What becomes of a row
 * ------------------------------------------------------------------------
 */

/* Wait until the chunk is not being loaded, and lead meanwhile. */
static void
wait_for_chunk(TablePlan *plan, int chunk, const char *file, uint64 start_pos)
{
	while (plan->chunks[chunk]->state == MS_CHUNK_ACTIVE)
	{
		ms_snapshot_assist(file, start_pos);
		if (plan->chunks[chunk]->state != MS_CHUNK_ACTIVE)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 1000, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
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
	if (leader.xid && ms_snapshot_may_lack(chunk, leader.xid, file, start_pos))
		plan->copy_void = true;
	return false;
}

/* The rows of an XA COMMIT follow, that of xid. */
void
ms_snapshot_xa_begin(const char *xid)
{
	if (leader.unsettled == NIL)
		return;
	ms_snapshot_await_end(leader.control, xid);
	leader.xid = xid;
}

void
ms_snapshot_xa_end(void)
{
	leader.xid = NULL;
}

/* Wait for every chunk that is being loaded now. */
void
ms_snapshot_wait_for_chunks(TablePlan *plan, const char *file,
							uint64 start_pos)
{
	bool		active[MS_MAX_SNAPSHOT_WORKERS];

	for (int i = 0; i < leader.options->snapshot_workers; i++)
		active[i] = leader.assigned[i] == plan &&
			leader.kinds[i] == MS_COPY_KIND_CHUNK;
	for (int i = 0; i < leader.options->snapshot_workers; i++)
		if (active[i])
			wait_for_chunk(plan, leader.chunks[i], file, start_pos);
}

/* Does a snapshot worker have something of the table? */
static bool
is_under_way(const TablePlan *plan)
{
	for (int i = 0; i < leader.options->snapshot_workers; i++)
		if (leader.assigned[i] == plan)
			return true;
	return false;
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
		collect_all();
		if (!is_under_way(plan))
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 1000, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(oldcxt);
}

/* The table is no longer in the subscription. */
void
ms_snapshot_forget_table(TablePlan *plan)
{
	leader.unsettled = list_delete_ptr(leader.unsettled, plan);
	leader.constraints = list_delete_ptr(leader.constraints, plan);
}

/* A table whose copy waits for a structure change, or NULL. */
TablePlan *
ms_snapshot_held_table(void)
{
	ListCell   *lc;

	foreach(lc, leader.unsettled)
	{
		TablePlan  *plan = lfirst(lc);

		if (plan->held)
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
 * Inside a source transaction: what was copied of the table is void, begin
 * anew, in one chunk if that is what plan->one_chunk says by now.  Chunks that
 * are being loaded are waited for.
 */
void
ms_snapshot_restart_table(TablePlan *plan)
{
	MemoryContext oldcxt = CurrentMemoryContext;

	/* it may be waiting for us; a new leader finds neither */
	if (is_assigned(plan, MS_COPY_KIND_FINISH))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the copy of table \"%s\" has to begin anew while it is being finished",
						plan->name)));
	MemoryContextSwitchTo(leader.cxt);
	leader.unsettled = list_append_unique_ptr(leader.unsettled, plan);
	MemoryContextSwitchTo(oldcxt);
	for (int chunk; (chunk = find_chunk(plan, MS_CHUNK_ACTIVE)) >= 0;)
	{
		collect_all();
		if (plan->chunks[chunk]->state != MS_CHUNK_ACTIVE)
			continue;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 1000, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	set_plan_state(plan, MS_TABLE_PENDING);
	plan->nchunks = 0;
	plan->passed = false;
	plan->copy_void = false;
	plan->held = false;
	MemoryContextSwitchTo(leader.cxt);
	leader.unsettled = list_append_unique_ptr(leader.unsettled, plan);
	MemoryContextSwitchTo(oldcxt);
}
