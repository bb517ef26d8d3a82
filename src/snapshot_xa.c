/*
 * snapshot_xa.c - the first copy and XA transactions.
 *
 * Part of the snapshot room.  A transaction that is prepared on the source is
 * in no read view, and its rows were in the stream when it was prepared.  So a
 * copy must not begin before every transaction has ended that was prepared
 * before the stream knew the table: nobody holds its rows.  All others are
 * held back by apply_xa.c and are applied at their XA COMMIT.
 *
 * Whether a read view has the rows of an XA COMMIT is not told by positions
 * alone: other than an ordinary commit it is in the binlog first, and visible
 * a moment later, while XA RECOVER still names it.  Therefore
 *
 * - the leader waits until the source has done with a transaction before it
 *   drops its rows: read views of later chunks see them;
 * - before a read view is opened its worker notes where the binlog ends and
 *   which transactions are prepared.  One that is committed before that place
 *   and was not prepared any more is in the copy; one committed between that
 *   place and the view's, or that was prepared, may be or may not be, and if
 *   it has rows of the chunk, the table is copied again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "snapshot_internal.h"
#include "xid.h"

/* after how long it is told that a copy waits */
#define NOTICE_MS		2000
/* how often the source is asked again */
#define POLL_MS			100
/* a transaction that is still there is another one of the same name */
#define END_WAIT_MS		60000

#define WAIT_DETAIL \
	"It was prepared before the subscription had the table, so that the stream does not bring its rows, or the stream has not come to it yet."

static bool
contains(List *texts, const char *text)
{
	ListCell   *lc;

	foreach(lc, texts)
	{
		if (strcmp(lfirst(lc), text) == 0)
			return true;
	}
	return false;
}

/*
 * The names of all transactions that are prepared on the source.
 */
static List *
prepared_now(MsWire *wire)
{
	MsResult   *res = ms_wire_query(wire, "XA RECOVER FORMAT = 'SQL'");
	List	   *result = NIL;

	for (int i = 0; i < res->nrows; i++)
	{
		char	   *text = palloc(MS_XID_TEXT_LEN);
		MsXid		xid;

		if (!ms_xid_parse_recover(ms_result_cell(res, i, 0),
								  ms_result_cell(res, i, 1),
								  ms_result_cell(res, i, 2),
								  ms_result_cell(res, i, 3), &xid))
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("the source's XA RECOVER shows a name that is not understood: %s",
							ms_result_cell(res, i, 3))));
		ms_xid_format(&xid, text);
		result = lappend(result, text);
	}
	return result;
}

static void
rest(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* ------------------------------------------------------------------------
 * The snapshot worker
 * ------------------------------------------------------------------------
 */

/* Those of xids that are still prepared, and that nobody holds. */
static List *
still_missing(MsWire *wire, const MsSubTable *table, List *xids)
{
	List	   *prepared = prepared_now(wire);
	MemoryContext cxt = CurrentMemoryContext;
	List	   *result = NIL;
	List	   *held;
	ListCell   *lc;

	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	held = ms_catalog_prepared_xids(table->subid, false,
									table->since_version);
	foreach(lc, xids)
	{
		if (contains(prepared, lfirst(lc)) && !contains(held, lfirst(lc)))
			result = lappend(result, lfirst(lc));
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	return result;
}

static void
tell_waiting(const MsSubTable *table, const char *xid)
{
	char	   *text = psprintf("the copy waits for XA transaction %s on the source\n"
								"DETAIL: " WAIT_DETAIL "\n"
								"HINT: Run XA COMMIT %s or XA ROLLBACK %s on the source.",
								xid, xid, xid);

	StartTransactionCommand();
	ms_catalog_set_table_error(table->subid, table->source_db,
							   table->source_table, text);
	CommitTransactionCommand();
	ereport(LOG,
			(errmsg("copy of source table \"%s.%s\" waits for XA transaction %s on the source",
					table->source_db, table->source_table, xid),
			 errdetail(WAIT_DETAIL),
			 errhint("Run XA COMMIT or XA ROLLBACK for it on the source.")));
}

/*
 * Before a table is cut into chunks: wait until no transaction is prepared
 * whose rows nobody holds, as long as it takes.  Needs no open transaction.
 */
void
ms_copy_wait_prepared(MsWire *wire, const MsSubTable *table)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(oldcxt, "mariadb_sync XA wait",
											  ALLOCSET_SMALL_SIZES);
	TimestampTz start = ms_clock_now();
	List	   *first = prepared_now(wire);
	bool		told = false;

	/* what is prepared after this is prepared after the stream's start */
	while (first != NIL)
	{
		List	   *missing;

		MemoryContextSwitchTo(cxt);
		MemoryContextReset(cxt);
		missing = still_missing(wire, table, first);
		if (missing == NIL)
			break;
		if (!told && TimestampDifferenceExceeds(start, ms_clock_now(),
												NOTICE_MS))
		{
			tell_waiting(table, linitial(missing));
			told = true;
		}
		rest(POLL_MS);
	}
	if (told)
	{
		StartTransactionCommand();
		ms_catalog_set_table_error(table->subid, table->source_db,
								   table->source_table, NULL);
		CommitTransactionCommand();
	}
	MemoryContextSwitchTo(oldcxt);
	MemoryContextDelete(cxt);
}

/* Just before the chunk's read view is opened. */
void
ms_copy_note_prepared(MsWire *wire, MsChunk *chunk)
{
	chunk->before_file = ms_snapshot_source_position(wire, &chunk->before_pos);
	chunk->prepared = prepared_now(wire);
}

/* ------------------------------------------------------------------------
 * The leader
 * ------------------------------------------------------------------------
 */

/*
 * XA COMMIT of this transaction has been received: wait until the source has
 * done with it, too.
 */
void
ms_snapshot_await_end(MsWire *wire, const char *xid)
{
	TimestampTz start = ms_clock_now();

	while (contains(prepared_now(wire), xid) &&
		   !TimestampDifferenceExceeds(start, ms_clock_now(),
									   END_WAIT_MS))
		rest(10);
}

/*
 * May the chunk be without the rows of the transaction whose XA COMMIT begins
 * at pos of file, which is before the chunk's position?
 */
bool
ms_snapshot_may_lack(const MsChunk *chunk, const char *xid, const char *file,
					 uint64 pos)
{
	return chunk->before_file == NULL || contains(chunk->prepared, xid) ||
		ms_snapshot_compare_positions(file, pos, chunk->before_file,
									  chunk->before_pos) >= 0;
}
