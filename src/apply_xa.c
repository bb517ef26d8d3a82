/*
 * apply_xa.c - XA transactions between their two phases.
 *
 * Part of the apply room.  The binlog has an XA transaction in two source
 * transactions: the first ends with XA PREPARE and has the rows, the second is
 * XA COMMIT or XA ROLLBACK, arbitrarily later, with others in between.  They
 * are known by the transaction's xid, in both GTID events.
 *
 * The first phase is held back: the events of our tables go into
 * mariadb_sync.prepared_transaction as they came, in the transaction that
 * moves the position past them.  XA COMMIT applies them as if they came now,
 * so what decides about rows of a table that is being copied is where XA
 * COMMIT stands in the binlog, which is where they become visible.
 *
 * Events are kept with the table maps before them, and after the
 * FORMAT_DESCRIPTION that tells how to read them: the source may be another
 * version by then.  Memory holds a piece of a transaction at a time.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "apply_internal.h"
#include "cascade.h"
#include "snapshot.h"

/* events are written in pieces of about this size */
#define PIECE_SIZE		(64 * 1024)

static void
write_piece(MsApply *apply, const char *events, size_t len)
{
	char		xid[MS_XID_TEXT_LEN];

	ms_xid_format(&apply->gtid.xid, xid);
	if (apply->held_pieces == 0 &&
		ms_catalog_delete_prepared(apply->sub->subid, xid))
		ereport(LOG,
				(errmsg("subscription \"%s\" forgets XA transaction %s, which was prepared again at GTID %s",
						apply->sub->name, xid, apply->gtid_text)));
	ms_catalog_insert_prepared(apply->sub, xid, apply->held_pieces++,
							   apply->gtid_text, events, len);
	apply->wrote = true;
}

static void
write_held(MsApply *apply)
{
	if (apply->held.len == 0)
		return;
	write_piece(apply, apply->held.data, apply->held.len);
	resetStringInfo(&apply->held);
}

static void
hold(MsApply *apply)
{
	if (apply->held_pieces == 0 && apply->held.len == 0)
		appendBinaryStringInfo(&apply->held, apply->format.data,
							   apply->format.len);
	if (apply->held.len + apply->raw_len > PIECE_SIZE)
		write_held(apply);
	if (apply->raw_len > PIECE_SIZE)
		write_piece(apply, (const char *) apply->raw, apply->raw_len);
	else
		appendBinaryStringInfo(&apply->held, (const char *) apply->raw,
							   apply->raw_len);
}

/* A source transaction begins that is to end with XA PREPARE. */
void
ms_apply_hold_begin(MsApply *apply)
{
	resetStringInfo(&apply->held);
	apply->held_pieces = 0;
}

void
ms_apply_hold_table_map(MsApply *apply, uint64 table_id)
{
	const MapEntry *entry = ms_relmap_find(apply->relmap, table_id);

	if (entry->plan || entry->watched)
		hold(apply);
}

/* Rows of a table of ours, or of one that ours hang on. */
void
ms_apply_hold_rows(MsApply *apply)
{
	hold(apply);
}

/*
 * XA PREPARE.  While tables are copied, and when they were not, it is of
 * interest which transactions have come by, also without rows of ours.
 */
void
ms_apply_hold_end(MsApply *apply)
{
	write_held(apply);
	if (apply->held_pieces == 0 &&
		(!ms_snapshot_settled() || !apply->options->copy_data))
		write_piece(apply, NULL, 0);
	/* its end may be in the same group */
	if (apply->held_pieces > 0)
		CommandCounterIncrement();
}

/* Apply the events of a piece; what they need is in event_cxt. */
static void
replay_piece(MsApply *apply, MsEventParser *parser, const uint8 *events,
			 size_t len)
{
	while (len > 0)
	{
		size_t		event_len = ms_event_length(events, len);
		MsEvent		event;

		ms_event_parse(parser, events, event_len, &event);
		switch ((MsEventType) event.type)
		{
			case MS_EVENT_FORMAT_DESCRIPTION:
				break;
			case MS_EVENT_TABLE_MAP:
				if (!ms_relmap_is_linked(apply->relmap))
					ms_cascade_link(apply->relmap);
				ms_relmap_table_map(apply->relmap, &event.table_map);
				break;
			default:
				ms_apply_rows(apply, &event.rows);
				break;
		}
		apply->plan = NULL;
		MemoryContextReset(apply->event_cxt);
		events += event_len;
		len -= event_len;
	}
}

/* Nobody holds the rows of a transaction that is committed. */
static void
never_prepared(const MsApply *apply, const char *xid)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("XA transaction %s is committed at GTID %s, but the stream did not have its rows",
					xid, apply->gtid_text),
			 errdetail("It was prepared before the position at which the subscription began, and tables were not copied (option \"copy_data\" is false)."),
			 errhint("Pass over it with mariadb_sync.skip_transaction(), then find the rows with mariadb_sync.verify(), which can repair them, or copy the tables with mariadb_sync.resync_table().")));
}

/*
 * XA COMMIT: the rows become visible here.  Between two pieces nothing of the
 * transaction that reads them is kept, since waiting for the copy may end it.
 */
void
ms_apply_replay(MsApply *apply)
{
	MemoryContext event_cxt = apply->event_cxt;
	MemoryContext piece_cxt = AllocSetContextCreate(event_cxt,
													"mariadb_sync XA piece",
													ALLOCSET_DEFAULT_SIZES);
	MsEventParser parser;
	char		xid[MS_XID_TEXT_LEN];
	const uint8 *events;
	size_t		len;
	int			piece;

	if ((apply->gtid.flags2 & MS_GTID_COMPLETED_XA) == 0)
		return;
	ms_xid_format(&apply->gtid.xid, xid);
	ms_event_parser_init(&parser);
	apply->event_cxt = AllocSetContextCreate(event_cxt,
											 "mariadb_sync XA event",
											 ALLOCSET_DEFAULT_SIZES);
	ms_snapshot_xa_begin(xid);
	for (piece = 0;; piece++)
	{
		MemoryContextSwitchTo(piece_cxt);
		events = ms_catalog_get_prepared(apply->sub->subid, xid, piece, &len);
		if (events == NULL)
			break;
		MemoryContextSwitchTo(apply->event_cxt);
		replay_piece(apply, &parser, events, len);
		MemoryContextReset(piece_cxt);
	}
	ms_snapshot_xa_end();
	apply->event_cxt = event_cxt;
	MemoryContextSwitchTo(event_cxt);
	if (piece == 0 && !apply->options->copy_data)
		never_prepared(apply, xid);
	ms_apply_forget(apply);
}

/* XA ROLLBACK, or the end of XA COMMIT. */
void
ms_apply_forget(MsApply *apply)
{
	char		xid[MS_XID_TEXT_LEN];

	if ((apply->gtid.flags2 & MS_GTID_COMPLETED_XA) == 0)
		return;
	ms_xid_format(&apply->gtid.xid, xid);
	if (ms_catalog_delete_prepared(apply->sub->subid, xid))
		apply->wrote = true;
}
