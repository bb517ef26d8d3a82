/*
 * stat.c - what the workers say right now, as rows for the views.
 *
 * Shows the slots of the current database as shmem.c copies them.  What is
 * not known is null; the views fill it from the catalog where that knows.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "gtid.h"
#include "shmem.h"

PG_FUNCTION_INFO_V1(ms_live);
PG_FUNCTION_INFO_V1(ms_live_copies);
PG_FUNCTION_INFO_V1(ms_live_verifies);

/* columns of _live() before and after the counters */
#define LIVE_COLUMNS_BEFORE 12
#define LIVE_COLUMNS_AFTER	8
#define LIVE_COLUMNS \
	(LIVE_COLUMNS_BEFORE + MS_NUM_COUNTERS + LIVE_COLUMNS_AFTER)

#define COPY_COLUMNS 8
#define VERIFY_COLUMNS 9

/* A row being filled from left to right. */
typedef struct RowBuilder
{
	int			n;
	Datum		values[LIVE_COLUMNS];
	bool		nulls[LIVE_COLUMNS];
} RowBuilder;

static void
add_value(RowBuilder *row, Datum value, bool isnull)
{
	Assert(row->n < LIVE_COLUMNS);
	row->values[row->n] = value;
	row->nulls[row->n] = isnull;
	row->n++;
}

/* An empty text is not known. */
static void
add_text(RowBuilder *row, const char *text)
{
	bool		isnull = text[0] == '\0';

	add_value(row, isnull ? (Datum) 0 : CStringGetTextDatum(text), isnull);
}

/* 0 is never. */
static void
add_time(RowBuilder *row, TimestampTz time)
{
	add_value(row, TimestampTzGetDatum(time), time == 0);
}

/*
 * Transactions of the source that are still to be applied, -1 = unknown: only
 * a worker that has read its position shows it.
 */
static int64
gtid_diff(const MsSlotView *view)
{
	MsGtidList	applied;
	MsGtidList	source;

	if (view->pid == 0 || view->state == MS_SUB_STARTING)
		return -1;
	ms_gtid_init(&applied);
	ms_gtid_init(&source);
	if (view->source_gtid[0] == '\0' ||
		!ms_gtid_parse_list(view->applied_gtid, &applied) ||
		!ms_gtid_parse_list(view->source_gtid, &source))
		return -1;
	return (int64) ms_gtid_distance(&applied, &source);
}

/*
 * How old the transaction being applied is; nothing when everything is
 * applied, however long ago that was.
 */
static void
add_lag(RowBuilder *row, const MsSlotView *view, int64 diff)
{
	Interval   *lag = palloc0(sizeof(Interval));
	bool		up_to_date = view->idle || diff == 0;
	bool		known = view->pid != 0 &&
	(up_to_date || view->applying_source_time != 0);

	if (known && !up_to_date)
		lag->time = Max(GetCurrentTimestamp() - view->applying_source_time, 0);
	add_value(row, IntervalPGetDatum(lag), !known);
}

Datum
ms_live(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, ms_shmem_list(MyDatabaseId))
	{
		MsSlotView *view = lfirst(lc);
		int64		diff = gtid_diff(view);
		RowBuilder	row = {0};

		add_value(&row, Int32GetDatum(view->subid), false);
		add_value(&row, Int32GetDatum((int32) view->pid), view->pid == 0);
		add_text(&row, ms_sub_state_name(view->state));
		add_text(&row, view->received_gtid);
		add_text(&row, view->applied_gtid);
		add_text(&row, view->source_gtid);
		add_value(&row, Int64GetDatum(diff), diff < 0);
		add_lag(&row, view, diff);
		add_text(&row, view->binlog_file);
		add_value(&row, Int64GetDatum((int64) view->binlog_pos),
				  view->binlog_file[0] == '\0');
		add_time(&row, view->last_msg_receipt_time);
		add_time(&row, view->last_commit_time);
		Assert(row.n == LIVE_COLUMNS_BEFORE);
		for (int i = 0; i < MS_NUM_COUNTERS; i++)
			add_value(&row, Int64GetDatum((int64) view->counters[i]),
					  !view->counters_valid);
		add_text(&row, view->last_error);
		add_text(&row, view->last_error_gtid);
		add_time(&row, view->last_error_time);
		add_time(&row, view->started_at);
		add_text(&row, view->binlog_oldest);
		add_value(&row, Int32GetDatum(view->binlog_reserve),
				  view->binlog_oldest[0] == '\0' || view->binlog_reserve < 0);
		add_value(&row, Float8GetDatum(view->pause), view->pause_time == 0);
		add_time(&row, view->pause_time);
		Assert(row.n == LIVE_COLUMNS);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row.values,
							 row.nulls);
	}
	return (Datum) 0;
}

Datum
ms_live_copies(PG_FUNCTION_ARGS)
{
	static const char *const phase_names[] = {
		[MS_COPY_PHASE_STARTING] = "starting",
		[MS_COPY_PHASE_PLANNING] = "planning",
		[MS_COPY_PHASE_COPYING] = "copying",
		[MS_COPY_PHASE_INDEXING] = "indexing",
		[MS_COPY_PHASE_CONSTRAINTS] = "constraints",
	};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, ms_shmem_list_copies(MyDatabaseId))
	{
		MsCopyView *view = lfirst(lc);
		const MsCopyTask *task = &view->task;
		RowBuilder	row = {0};

		add_value(&row, Int32GetDatum(view->subid), false);
		add_value(&row, Int32GetDatum((int32) task->pid), task->pid == 0);
		add_text(&row, task->db);
		add_text(&row, task->table);
		add_value(&row, Int32GetDatum(task->chunk),
				  task->kind != MS_COPY_KIND_CHUNK);
		add_text(&row, phase_names[task->phase]);
		/* the rows of a table that is past its copy are in the catalog */
		add_value(&row, Int64GetDatum(task->rows_done),
				  task->phase == MS_COPY_PHASE_CONSTRAINTS);
		add_value(&row, Int64GetDatum(task->bytes_done),
				  task->phase == MS_COPY_PHASE_CONSTRAINTS);
		Assert(row.n == COPY_COLUMNS);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row.values,
							 row.nulls);
	}
	return (Datum) 0;
}

Datum
ms_live_verifies(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, ms_shmem_list_verifies(MyDatabaseId))
	{
		MsVerifyProgress *progress = lfirst(lc);
		RowBuilder	row = {0};

		add_value(&row, Int32GetDatum(progress->subid), false);
		add_value(&row, Int32GetDatum((int32) progress->pid), false);
		add_text(&row, progress->db);
		add_text(&row, progress->table);
		add_value(&row, Int64GetDatum(progress->rows_total), false);
		add_value(&row, Int64GetDatum(progress->rows_done), false);
		add_value(&row, Int64GetDatum(progress->chunks_total), false);
		add_value(&row, Int64GetDatum(progress->chunks_done), false);
		add_time(&row, progress->started_at);
		Assert(row.n == VERIFY_COLUMNS);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row.values,
							 row.nulls);
	}
	return (Datum) 0;
}
