/*
 * verify_views.c - read views of the source, and the apply worker at exactly
 * their position.
 *
 * The worker is stopped, views are opened, and the worker goes on to where
 * they are.  It knows its place in the source's binlog, which is what a view
 * tells, too: nobody has to look for GTIDs while it waits, for which the source
 * would have to read its binlog file (before 11.4).
 *
 * Whatever may take long is done while the worker goes on: waiting for
 * transactions that are in the binlog and not yet visible, and looking for the
 * GTIDs of a view when the worker's place is of no use.  That is so when it
 * streams from another server than we are connected to, or when it has
 * just connected to a source at rest.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "commands.h"
#include "fence.h"
#include "snapshot.h"
#include "verify_run.h"

/* how long the source's read view may need to show what we have applied */
#define VIEW_TIMEOUT_MS	10000
/* how long the worker waits for that, or for all views to be at one place */
#define HOLD_MS			20
/* how long it goes on before it is stopped once more */
#define REST_MS			20
/* views by GTID that it may be past before it is stopped for the search */
#define GTID_ATTEMPTS	3
/* seconds that one query on the source may take */
#define QUERY_TIMEOUT	86400

/* Views being opened. */
typedef struct Views
{
	int			n;				/* wanted */
	int			same;			/* are at one place, the first ones */
	char	   *file;			/* where that is */
	uint64		pos;
	/* a view at this head of a file was seen first, or is known to be right */
	char	   *head_file;
	uint64		head_pos;
	TimestampTz head_time;
} Views;

static void
rest(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

void
ms_verify_connect(Verify *v)
{
	ms_load_server(v->sub->server, v->sub->owner, &v->server);
	v->nwires = v->nworkers;
	v->wires = palloc(sizeof(MsWire *) * v->nwires);
	for (int i = 0; i < v->nwires; i++)
	{
		uint32		id;

		v->wires[i] = ms_wire_connect(&v->server);
		ms_wire_exec(v->wires[i], "SET NAMES utf8mb4");
		ms_wire_exec(v->wires[i], "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
		id = strtoul(ms_wire_query_value(v->wires[i], "SELECT @@global.server_id"),
					 NULL, 10);
		if (i > 0 && id != v->source_id)
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("two connections to MariaDB server \"%s\" reached two servers",
							v->sub->server),
					 errhint("The address of the server must lead to one MariaDB server at a time.")));
		v->source_id = id;
		/* a query that adds up a large table is silent until it is done */
		ms_wire_set_read_timeout(v->wires[i], QUERY_TIMEOUT);
	}
}

/* ------------------------------------------------------------------------
 * Views
 * ------------------------------------------------------------------------
 */

/*
 * Where a view is, as the source says when asked once, which may be wrong:
 * ms_verify_confirm_views() asks again when the worker does not wait any more.
 */
static char *
view_position(MsWire *wire, uint64 *pos)
{
	char	   *file = ms_snapshot_source_position(wire, pos);

	if (file == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source gives no binlog position for a consistent snapshot"),
				 errhint("Binary logging must be on at the source (log_bin), with its binary logs in files.")));
	return file;
}

/*
 * Open a read view on each of the first n connections; those that are where
 * the first one is come first then.
 */
static void
open_views(Verify *v, Views *views)
{
	static const char sql[] = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

	for (int i = 0; i < views->n; i++)
		ms_wire_query_begin(v->wires[i], sql);
	for (int i = 0; i < views->n; i++)
		(void) ms_wire_query_end(v->wires[i], sql);
	views->file = view_position(v->wires[0], &views->pos);
	views->same = 1;
	for (int i = 1; i < views->n; i++)
	{
		MsWire	   *wire = v->wires[i];
		uint64		pos;
		char	   *file = view_position(wire, &pos);

		if (ms_snapshot_compare_positions(file, pos, views->file, views->pos) != 0)
			continue;
		v->wires[i] = v->wires[views->same];
		v->wires[views->same++] = wire;
	}
}

static void
close_views(Verify *v, const Views *views)
{
	for (int i = 0; i < views->n; i++)
		ms_wire_exec(v->wires[i], "ROLLBACK");
}

/*
 * May transactions of the file before be missing from the views?  Not any more
 * when the source has stood at the head of the file for some time.
 */
static bool
is_at_new_head(Verify *v, Views *views)
{
	TimestampTz now = ms_clock_now();

	if (!ms_snapshot_is_file_head(v->wires[0], views->file, views->pos))
		return false;
	if (views->head_file == NULL ||
		ms_snapshot_compare_positions(views->head_file, views->head_pos,
									  views->file, views->pos) != 0)
	{
		views->head_file = views->file;
		views->head_pos = views->pos;
		views->head_time = now;
		return true;
	}
	return !TimestampDifferenceExceeds(views->head_time, now,
									   ms_snapshot_visibility_delay(v->wires[0]));
}

/* ------------------------------------------------------------------------
 * The worker
 * ------------------------------------------------------------------------
 */

/*
 * The worker stands at held: open views and let it go on to them.  False when
 * that would take too long.
 */
static bool
meet_at_place(Verify *v, Views *views, const MsFencePoint *held)
{
	TimestampTz start = ms_clock_now();

	for (;;)
	{
		bool		late;

		open_views(v, views);
		late = TimestampDifferenceExceeds(start, ms_clock_now(), HOLD_MS);
		/* a transaction is in the binlog before a read view shows it */
		if (ms_snapshot_compare_positions(views->file, views->pos,
										  held->file, held->pos) >= 0 &&
			(views->same == views->n || late))
		{
			if (!is_at_new_head(v, views) &&
				ms_fence_go_to(v->sub->subid, v->sub->name, views->file, views->pos))
				return true;
			late = true;
		}
		close_views(v, views);
		if (late)
			return false;
		rest(1);
	}
}

/*
 * Open views, and let the worker come to their GTIDs.  False when it was past
 * them, or the views do not show yet what it has applied.
 */
static bool
meet_at_gtid(Verify *v, Views *views)
{
	char	   *gtid;

	open_views(v, views);
	gtid = ms_snapshot_gtid_at(v->wires[0], views->file, views->pos);
	if (gtid && !is_at_new_head(v, views) &&
		ms_fence_go_to_gtid(v->sub->subid, v->sub->name, gtid))
		return true;
	close_views(v, views);
	return false;
}

static bool
meet(Verify *v, Views *views, int attempt)
{
	MsFencePoint held;

	ms_fence_stop(v->sub->subid, v->sub->name);
	ms_fence_where(&held);
	if (held.file[0] != '\0' && held.server_id == v->source_id)
		return meet_at_place(v, views, &held);
	if (attempt < GTID_ATTEMPTS)
		ms_fence_let_go();
	return meet_at_gtid(v, views);
}

/*
 * Bring the worker to a read view of the source, on one connection or on all.
 * It stands there until the fence is released.  All that is taken there is
 * worth something only when ms_verify_confirm_views() says so.
 */
void
ms_verify_align_views(Verify *v, bool all)
{
	TimestampTz start = ms_clock_now();
	Views		views = {0};
	MsFencePoint point;

	views.n = all ? v->nwires : 1;
	ms_fence_put_up(v->sub->subid, v->sub->name);
	for (int attempt = 0; !meet(v, &views, attempt); attempt++)
	{
		long		limit = VIEW_TIMEOUT_MS;

		ms_fence_let_go();
		if (views.head_file)
			limit += ms_snapshot_visibility_delay(v->wires[0]);
		if (TimestampDifferenceExceeds(Max(start, views.head_time),
									   ms_clock_now(), limit))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("the source's read view does not reach what subscription \"%s\" has applied",
							v->sub->name),
					 errhint("Try again.")));
		rest(REST_MS);
	}
	ms_fence_where(&point);
	v->gtid = pstrdup(point.gtid);
	v->view_file = views.file;
	v->view_pos = views.pos;
	v->nviews = views.same;
}

/*
 * Are the views where they were said to be?  If not, they are closed.  Views
 * that are not at one position with the others are, in any case.
 */
bool
ms_verify_confirm_views(Verify *v)
{
	bool		confirmed = true;

	for (int i = 0; i < v->nviews; i++)
	{
		uint64		pos = 0;
		char	   *file = ms_snapshot_view_position(v->wires[i], &pos);

		confirmed &= file != NULL &&
			ms_snapshot_compare_positions(file, pos, v->view_file, v->view_pos) == 0;
	}
	for (int i = confirmed ? v->nviews : 0; i < v->nwires; i++)
		ms_wire_exec(v->wires[i], "ROLLBACK");
	return confirmed;
}
