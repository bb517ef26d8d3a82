/*
 * apply_rows.c - the rows of an event, one by one, into the table's target.
 *
 * Part of the apply room: it decides what to do with each row, counts, and
 * handles conflicts; it neither begins nor ends transactions.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "apply_internal.h"
#include "apply_parallel.h"
#include "cascade.h"
#include "sequence.h"
#include "snapshot.h"

/* so much that the WAL writer is to begin with it */
#define WAL_TO_HAND_OVER	(1024 * 1024)

/* Is it copied as it is from moment to moment, as its engine knows no read views? */
static inline bool
is_copied_as_it_is(const TablePlan *plan)
{
	return plan->no_read_views && plan->sub->state != MS_TABLE_READY;
}

/*
 * What the stream brings until such a copy is passed may be in it.  With a key
 * that can be told by its rows.
 */
static bool
may_be_copied(const TablePlan *plan)
{
	return is_copied_as_it_is(plan) && ms_target_has_key(plan->target);
}

/* Without one it cannot, and the copy is of no use. */
static bool
is_uncertain(const MsApply *apply, const TablePlan *plan)
{
	return is_copied_as_it_is(plan) && !ms_target_has_key(plan->target) &&
		ms_snapshot_ends_after(plan, apply->current_file, apply->start_pos);
}

/* What becomes of a row that is, or is not, there already. */
static int
on_conflict(const MsApply *apply, const TablePlan *plan)
{
	return may_be_copied(plan) ? MS_ON_CONFLICT_APPLY :
		apply->options->on_conflict;
}

static void
count_conflict(MsApply *apply, TablePlan *plan, MsCounter counter)
{
	if (may_be_copied(plan))
		return;
	/* it may be the fault of what is in flight beside it */
	if (apply->member)
		ms_member_hand_back(apply, "a row is missing, or there already");
	apply->counters[counter]++;
	plan->conflicts++;
	plan->dirty = true;
}

/* No row is there to update or delete. */
static void
row_missing(MsApply *apply, TablePlan *plan, MsCounter counter,
			const char *operation)
{
	count_conflict(apply, plan, counter);
	if (on_conflict(apply, plan) == MS_ON_CONFLICT_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("row to %s was not found in the target of \"%s\"",
						operation, plan->name),
				 errdetail("GTID %s.", apply->gtid_text),
				 errhint("The target was changed by somebody else. Repair the row, or set option \"on_conflict\" to apply or skip.")));
}

static bool
is_full(const MsRowsEvent *rows, const uint8 *present)
{
	for (uint32 i = 0; i < rows->ncolumns; i++)
		if ((present[i / 8] & (1 << i % 8)) == 0)
			return false;
	return true;
}

/* The columns of an image by target attribute; NULL = all of them. */
static const bool *
image_columns(const TablePlan *plan, const MsRowsEvent *rows,
			  const uint8 *present)
{
	bool	   *columns;

	if (is_full(rows, present))
		return NULL;
	columns = palloc0(sizeof(bool) * MaxHeapAttributeNumber);
	for (int i = 0; i < plan->format.ncolumns; i++)
		if (plan->format.columns[i].attidx >= 0)
			columns[plan->format.columns[i].attidx] =
				(present[i / 8] & (1 << i % 8)) != 0;
	return columns;
}

static const char left_out[] = "An INSERT left columns out, and their defaults are not in the binlog.";

/* an error has been raised about a row image that lacks what is needed */
static bool image_incomplete = false;

/*
 * Was the last error that a row's image lacked what is needed to apply it?
 * The source has not logged it, so trying again cannot help: only a copy does.
 */
bool
ms_apply_image_was_incomplete(void)
{
	return image_incomplete;
}

static void
incomplete_image(MsApply *apply, const TablePlan *plan, const char *detail)
{
	image_incomplete = true;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("row image of source table \"%s\" at GTID %s is not complete",
					plan->name, apply->gtid_text),
			 errdetail("%s", detail),
			 errhint("Set binlog_row_image = FULL on the source, for all sessions, and copy the table again with mariadb_sync.resync_table().")));
}

/*
 * Rows of an event may come without some columns (binlog_row_image MINIMAL,
 * NOBLOB, FULL_NODUP).  An update or delete can do with the key, and with
 * what was written; an insert cannot: the defaults of what it leaves out are
 * not in the binlog.
 */
static void
set_image(MsApply *apply, const TablePlan *plan, const MsRowsEvent *rows)
{
	if (rows->op == MS_ROW_INSERT)
	{
		/* what is history, and not kept, needs no more than to say so */
		if (!is_full(rows, rows->present) &&
			(plan->row_end < 0 ||
			 (rows->present[plan->row_end / 8] & (1 << plan->row_end % 8)) == 0))
			incomplete_image(apply, plan, left_out);
		ms_target_set_image(plan->target, NULL, NULL);
		return;
	}
	if (!is_full(rows, rows->present))
	{
		for (int i = 0; i < plan->format.ncolumns; i++)
		{
			int			att = plan->format.columns[i].attidx;

			if (att >= 0 && (rows->present[i / 8] & (1 << i % 8)) == 0 &&
				ms_target_is_key_column(plan->target, att))
				incomplete_image(apply, plan,
								 psprintf("Column \"%s\" is needed to find the row.",
										  plan->format.columns[i].name));
		}
	}
	ms_target_set_image(plan->target,
						image_columns(plan, rows, rows->present),
						rows->op == MS_ROW_UPDATE ?
						image_columns(plan, rows, rows->present_after) : NULL);
}

/*
 * Read an image by which a row is found.  What policies alter in it is not
 * stored, and so not counted.
 */
static const uint8 *
read_old_image(TablePlan *plan, const MsRowsEvent *rows, const uint8 *p,
			   const uint8 *present)
{
	MsRow		old = ms_target_old_row(plan->target);

	ms_value_changes.ignore = true;
	p = ms_value_read_image_row(&plan->format, p, rows->end, present,
								rows->ncolumns, old.values, old.isnull);
	ms_value_changes.ignore = false;
	return p;
}

static const uint8 *
apply_insert(MsApply *apply, TablePlan *plan, const MsRowsEvent *rows,
			 const uint8 *p)
{
	MsTarget   *target = plan->target;
	bool		look_first = on_conflict(apply, plan) != MS_ON_CONFLICT_ERROR;
	uint64		changes = ms_value_changes.count;
	MsRow		row;
	const uint8 *end;

	/* a row that is there must be found in the table, not in the batch */
	if (look_first)
		ms_target_flush(target);
	row = ms_target_insert_row(target);
	MemoryContextSwitchTo(ms_target_insert_context(target));
	end = ms_value_read_image_row(&plan->format, p, rows->end, NULL,
								  rows->ncolumns, row.values, row.isnull);
	MemoryContextSwitchTo(apply->row_cxt);
	if (unlikely(ms_value_changes.first))
		ms_relmap_report_changes(plan, &row, apply->gtid_text);
	ms_target_check_size(target, &row, end - p);

	if (look_first && ms_target_exists(target, &row))
	{
		ms_target_cancel_insert(target);
		ms_value_changes.count = changes;
		count_conflict(apply, plan, MS_CNT_CONFL_INSERT_EXISTS);
		if (on_conflict(apply, plan) == MS_ON_CONFLICT_APPLY)
		{
			MsRow		new;

			read_old_image(plan, rows, p, NULL);
			new = ms_target_new_row(target);
			ms_value_read_image_row(&plan->format, p, rows->end, NULL,
									rows->ncolumns, new.values, new.isnull);
			ms_target_update(target);
		}
		return end;
	}
	ms_target_insert(target, end - p);
	plan->inserts++;
	apply->counters[MS_CNT_INSERTS]++;
	return end;
}

static const uint8 *
apply_update(MsApply *apply, TablePlan *plan, const MsRowsEvent *rows,
			 const uint8 *p)
{
	uint64		changes = ms_value_changes.count;
	MsRow		new;
	const uint8 *after;

	after = read_old_image(plan, rows, p, rows->present);
	new = ms_target_new_row(plan->target);
	p = ms_value_read_image_row(&plan->format, after, rows->end,
								rows->present_after, rows->ncolumns,
								new.values, new.isnull);
	if (unlikely(ms_value_changes.first))
		ms_relmap_report_changes(plan, &new, apply->gtid_text);
	ms_target_check_size(plan->target, &new, p - after);
	if (ms_target_update(plan->target))
	{
		plan->updates++;
		apply->counters[MS_CNT_UPDATES]++;
		return p;
	}
	ms_value_changes.count = changes;
	row_missing(apply, plan, MS_CNT_CONFL_UPDATE_MISSING, "update");
	if (on_conflict(apply, plan) == MS_ON_CONFLICT_APPLY)
	{
		if (!is_full(rows, rows->present_after))
			incomplete_image(apply, plan,
							 "The row to update is missing, and the image has not all of it.");
		apply_insert(apply, plan, rows, after);
	}
	return p;
}

static const uint8 *
apply_delete(MsApply *apply, TablePlan *plan, const MsRowsEvent *rows,
			 const uint8 *p)
{
	p = read_old_image(plan, rows, p, rows->present);
	if (ms_target_delete(plan->target))
	{
		plan->deletes++;
		apply->counters[MS_CNT_DELETES]++;
	}
	else
		row_missing(apply, plan, MS_CNT_CONFL_DELETE_MISSING, "delete");
	return p;
}

/* What was copied of the table is of no use: begin anew. */
static void
copy_again(MsApply *apply, TablePlan *plan)
{
	if (!plan->copy_void)
		return;
	ereport(LOG,
			(errmsg("source table \"%s\" is copied again: %s at GTID %s came while it was copied",
					plan->name,
					plan->no_read_views ? "a change" : "XA COMMIT",
					apply->gtid_text)));
	ms_relmap_close_all(apply->relmap);
	apply->wrote = true;
	ms_snapshot_restart_table(plan);
	plan->verdict = MS_COPY_DROP;
}

/*
 * Is the row change for us?  Asked once per transaction and table, since the
 * copy's verdict holds for a transaction as a whole; a table that is copied in
 * chunks has to be asked row by row.
 */
bool
ms_apply_rows_wanted(MsApply *apply, TablePlan *plan)
{
	if (plan->sub->state == MS_TABLE_READY)
		return true;
	if (plan->verdict_serial != apply->serial)
	{
		/* the copy may take long */
		if (ms_snapshot_must_wait(plan))
			ms_apply_let_go(apply);
		plan->verdict = ms_snapshot_verdict(plan, apply->current_file,
											apply->start_pos);
		plan->verdict_serial = apply->serial;
		ms_apply_begin(apply);
		copy_again(apply, plan);
	}
	return plan->verdict != MS_COPY_DROP;
}

/* The chunks of a row's before and after image; -1 where there is none. */
typedef struct RowChunks
{
	int			old;
	int			new;
	const uint8 *after;			/* an update's second image */
	const uint8 *end;
} RowChunks;

static void
find_row_chunks(TablePlan *plan, const MsChunkKey *key,
				const MsRowsEvent *rows, const uint8 *p, RowChunks *result)
{
	MsChunkValues values;
	int			chunk;

	memset(values.present, 0, sizeof(values.present));
	result->old = result->new = -1;
	result->after = NULL;
	result->end = ms_chunk_read_image(key, &plan->format, p, rows->end,
									  rows->present, &values);
	chunk = ms_chunk_of(plan->chunks, plan->nchunks, key, &plan->format,
						&values);
	if (rows->op == MS_ROW_INSERT)
	{
		result->new = chunk;
		return;
	}
	result->old = chunk;
	if (rows->op == MS_ROW_DELETE)
		return;

	/* what the after image leaves out is as it was */
	result->after = result->end;
	result->end = ms_chunk_read_image(key, &plan->format, result->after,
									  rows->end, rows->present_after, &values);
	result->new = ms_chunk_of(plan->chunks, plan->nchunks, key, &plan->format,
							  &values);
}

/* Which of a row's images concern the target. */
typedef struct RowParts
{
	bool		old;
	bool		new;
	const uint8 *after;			/* an update's second image */
	const uint8 *end;
} RowParts;

static void
apply_parts(MsApply *apply, TablePlan *plan, const MsRowsEvent *rows,
			const uint8 *p, const RowParts *parts)
{
	MemoryContextSwitchTo(apply->row_cxt);
	if (parts->old && parts->new)
		apply_update(apply, plan, rows, p);
	else if (parts->old)
		apply_delete(apply, plan, rows, p);
	else if (parts->new)
	{
		if (rows->op == MS_ROW_INSERT && !is_full(rows, rows->present))
			incomplete_image(apply, plan, left_out);
		if (parts->after && !is_full(rows, rows->present_after))
			incomplete_image(apply, plan,
							 "An update moved the row between two chunks of the copy, or out of the history, and the image has not all of it.");
		apply_insert(apply, plan, rows, parts->after ? parts->after : p);
	}
}

/*
 * A row of a table whose chunks have been copied at different positions, or
 * not yet.  A row that an update moves from one chunk to another leaves the
 * one and enters the other, each as its copy says.
 */
static void
find_chunk_parts(MsApply *apply, TablePlan *plan, const MsChunkKey *key,
				 const MsRowsEvent *rows, const uint8 *p, RowParts *parts)
{
	RowChunks	chunks;

	find_row_chunks(plan, key, rows, p, &chunks);
	parts->old = chunks.old >= 0 &&
		ms_snapshot_chunk_wanted(plan, chunks.old, apply->current_file,
								 apply->start_pos);
	parts->new = chunks.new >= 0 &&
		ms_snapshot_chunk_wanted(plan, chunks.new, apply->current_file,
								 apply->start_pos);
	parts->after = chunks.after;
	parts->end = chunks.end;
}

/*
 * Is the row of a system-versioned table a current one?  Its period ends at
 * the end of time then: where TIMESTAMP ends, which is later from 11.5 on.
 */
bool
ms_apply_is_current(const MsValue *row_end)
{
	return row_end->i / USECS_PER_SEC == PG_INT32_MAX ||
		row_end->i / USECS_PER_SEC == PG_UINT32_MAX;
}

/*
 * A system-versioned table has its history in rows of its own.  A row becomes
 * history by an update of its period, or by being written as such.
 */
static void
find_current_parts(TablePlan *plan, const MsRowsEvent *rows, const uint8 *p,
				   RowParts *parts)
{
	MsChunkKey	key = {.ncolumns = 1,.columns = {plan->row_end}};
	MsChunkValues values;
	bool		current;

	memset(values.present, 0, sizeof(values.present));
	parts->after = NULL;
	parts->end = ms_chunk_read_image(&key, &plan->format, p, rows->end,
									 rows->present, &values);
	current = !values.present[0] || ms_apply_is_current(&values.values[0]);
	parts->old = current && rows->op != MS_ROW_INSERT;
	parts->new = current && rows->op == MS_ROW_INSERT;
	if (rows->op != MS_ROW_UPDATE)
		return;
	parts->after = parts->end;
	parts->end = ms_chunk_read_image(&key, &plan->format, parts->after,
									 rows->end, rows->present_after, &values);
	parts->new = !values.present[0] || ms_apply_is_current(&values.values[0]);
}

/*
 * Before anything of the source transaction is written: does a row of the
 * event belong to a chunk that is being loaded?
 */
static bool
must_wait_for_chunk(TablePlan *plan, const MsChunkKey *key,
					const MsRowsEvent *rows)
{
	const uint8 *p = rows->rows;

	while (p < rows->end)
	{
		RowChunks	chunks;

		find_row_chunks(plan, key, rows, p, &chunks);
		if ((chunks.old >= 0 &&
			 plan->chunks[chunks.old]->state == MS_CHUNK_ACTIVE) ||
			(chunks.new >= 0 &&
			 plan->chunks[chunks.new]->state == MS_CHUNK_ACTIVE))
			return true;
		p = chunks.end;
	}
	return false;
}

/*
 * A table that is copied has the schema of its copy.  In a backlog the stream
 * may be behind that, with rows of another structure: they are in the copy.
 */
static bool
is_before_copy(MsApply *apply, TablePlan *plan, const MapEntry *entry)
{
	if (plan->sub->state == MS_TABLE_READY || plan->bound_map == entry->raw ||
		ms_relmap_fits(apply->relmap, plan, entry))
		return false;
	if (!apply->wrote)
	{
		/* chunks may have to be waited for */
		ms_apply_let_go(apply);
		ms_apply_begin(apply);
	}
	return ms_snapshot_is_ahead(plan, apply->current_file, apply->start_pos);
}

/* Open the target for the rows of the event. */
static void
open_target(MsApply *apply, TablePlan *plan, const MapEntry *entry,
			const MsRowsEvent *rows)
{
	ms_relmap_open(apply->relmap, plan, entry);
	if ((int) rows->ncolumns != plan->format.ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("rows event has %u columns, its table map %d",
						rows->ncolumns, plan->format.ncolumns)));
}

/* Apply the row at p, with the target open; returns its end. */
static const uint8 *
apply_row(MsApply *apply, TablePlan *plan, const MsChunkKey *key,
		  const MsRowsEvent *rows, const uint8 *p)
{
	if (unlikely(key || plan->row_end >= 0))
	{
		RowParts	parts;

		if (key)
			find_chunk_parts(apply, plan, key, rows, p, &parts);
		if (plan->row_end >= 0)
		{
			RowParts	current;

			find_current_parts(plan, rows, p, &current);
			current.old &= !key || parts.old;
			current.new &= !key || parts.new;
			parts = current;
		}
		apply_parts(apply, plan, rows, p, &parts);
		return parts.end;
	}
	if (rows->op == MS_ROW_INSERT)
		return apply_insert(apply, plan, rows, p);
	if (rows->op == MS_ROW_UPDATE)
		return apply_update(apply, plan, rows, p);
	return apply_delete(apply, plan, rows, p);
}

/* What goes with the rows of an event that is applied carefully. */
typedef struct CarefulRow
{
	const MsChunkKey *key;		/* NULL = whole table */
	MsCascade  *cascade;		/* NULL = nothing hangs on the rows */
} CarefulRow;

/*
 * The same for a transaction that is applied carefully.  What hangs on the
 * row stands and falls with it.
 */
static void
write_row(MsApply *apply, TablePlan *plan, const MapEntry *entry,
		  const MsRowsEvent *rows, const uint8 *p, void *arg)
{
	const CarefulRow *careful = arg;

	open_target(apply, plan, entry, rows);
	set_image(apply, plan, rows);
	(void) apply_row(apply, plan, careful->key, rows, p);
	if (careful->cascade)
	{
		ms_cascade_begin(apply, careful->cascade, entry, rows);
		(void) ms_cascade_row(apply, careful->cascade, rows, p);
	}
}

/*
 * The WAL writer looks for work five times a second, or when something is
 * committed.  Until a large transaction is, its WAL would fill the buffers
 * meanwhile, and this process would write and flush it itself.
 */
static void
hand_over_wal(MsApply *apply)
{
	if (XactLastRecEnd < apply->wal_handed_over + WAL_TO_HAND_OVER)
		return;
	XLogSetAsyncXactLSN(XactLastRecEnd);
	apply->wal_handed_over = XactLastRecEnd;
}

/*
 * Apply the rows of one event.
 */
void
ms_apply_rows(MsApply *apply, const MsRowsEvent *rows)
{
	static const int publish_bit[] = {
		[MS_ROW_INSERT] = MS_PUBLISH_INSERT,
		[MS_ROW_UPDATE] = MS_PUBLISH_UPDATE,
		[MS_ROW_DELETE] = MS_PUBLISH_DELETE,
	};
	MapEntry   *entry;
	TablePlan  *plan;
	MsCascade  *cascade;
	MsChunkKey	key;
	bool		by_chunk;
	CarefulRow	careful = {0};
	const uint8 *p = rows->rows;

	/* a terminator without a table */
	if (rows->table_id == MS_DUMMY_TABLE_ID ||
		rows->table_id == MS_DUMMY_TABLE_ID_SHORT)
		return;
	if (!apply->in_transaction)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("rows event outside a transaction")));
	if (apply->skipping || ms_savepoints_pass_over(apply->savepoints))
		return;

	if (!ms_snapshot_settled())
	{
		ms_snapshot_assist(apply->current_file, apply->start_pos);
		MemoryContextSwitchTo(apply->event_cxt);
	}
	entry = ms_relmap_find(apply->relmap, rows->table_id);
	plan = entry->plan;
	cascade = plan ? plan->cascade : entry->watched;
	if (entry->sequence)
	{
		MsTableMapEvent map = ms_relmap_table_map_of(entry);

		apply->wrote = true;
		ms_sequence_apply(entry->sequence, &map, rows);
		return;
	}
	if (plan == NULL)
	{
		/* its rows are in the copy that it will get when it joins */
		if (entry->matches)
			apply->rescan = true;
		/* once: it may be something that cannot join */
		entry->matches = false;
		if (cascade == NULL)
			return;
	}
	/* one that is held back may end when the table is there again */
	if (plan && plan->sub->state == MS_TABLE_DISABLED && cascade == NULL &&
		!apply->xa_prepared)
		return;
	apply->plan = plan;
	ms_savepoints_take(apply->savepoints);

	/*
	 * Whatever the copy's verdict: that is about a transaction that is
	 * committed where it stands in the binlog.
	 */
	if (apply->xa_prepared)
	{
		ms_apply_hold_rows(apply);
		return;
	}
	if (!ms_cascade_concerns(cascade, rows) ||
		!ms_cascade_prepare(apply, cascade, entry, rows))
		cascade = NULL;
	if (plan == NULL || !ms_apply_rows_wanted(apply, plan) ||
		(apply->options->publish & publish_bit[rows->op]) == 0 ||
		is_before_copy(apply, plan, entry))
	{
		/* what hangs on the rows may be wanted all the same */
		if (cascade)
		{
			apply->wrote = true;
			ms_cascade_rows(apply, cascade, entry, rows);
		}
		return;
	}

	open_target(apply, plan, entry, rows);
	if (unlikely(is_uncertain(apply, plan)))
	{
		plan->copy_void = true;
		copy_again(apply, plan);
		return;
	}
	by_chunk = plan->sub->state != MS_TABLE_READY &&
		plan->verdict == MS_COPY_ASK_CHUNK;
	if (by_chunk)
	{
		ms_chunk_find_key(&key, plan->chunks[0]->key_columns, &plan->format);
		if (!apply->wrote && must_wait_for_chunk(plan, &key, rows))
		{
			ms_apply_let_go(apply);
			ms_snapshot_wait_for_chunks(plan, apply->current_file,
										apply->start_pos);
			ms_apply_begin(apply);
			open_target(apply, plan, entry, rows);
		}
	}
	apply->wrote = true;
	set_image(apply, plan, rows);
	careful.key = by_chunk ? &key : NULL;
	careful.cascade = cascade;
	if (cascade)
		ms_cascade_begin(apply, cascade, entry, rows);

	/* whatever an error has left */
	ms_value_changes.count = 0;
	ms_value_changes.ignore = false;
	if (p == rows->end)
		incomplete_image(apply, plan, "It has no columns at all.");
	while (p < rows->end)
	{
		const uint8 *row = p;

		MemoryContextSwitchTo(apply->row_cxt);
		apply->rows = rows;
		apply->row = p;
		if (unlikely(apply->careful))
			p = ms_quarantine_apply_row(apply, plan, entry, rows, p, write_row,
										&careful);
		else
		{
			p = apply_row(apply, plan, careful.key, rows, p);
			if (unlikely(cascade != NULL))
			{
				ms_cascade_row(apply, cascade, rows, row);
				/* it may have been at rows of this table too */
				set_image(apply, plan, rows);
			}
		}
		apply->group_rows++;
		MemoryContextReset(apply->row_cxt);
		CHECK_FOR_INTERRUPTS();
	}
	apply->row = NULL;
	MemoryContextSwitchTo(apply->event_cxt);
	apply->counters[MS_CNT_VALUES_CHANGED] += ms_value_changes.count;
	plan->dirty = true;
	copy_again(apply, plan);
	hand_over_wal(apply);
}
