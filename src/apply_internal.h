/*
 * apply_internal.h - what the files of the apply room share.
 */
#ifndef MS_APPLY_INTERNAL_H
#define MS_APPLY_INTERNAL_H

#include "apply.h"
#include "ddl_scan.h"
#include "role.h"

struct MsApply
{
	const MsSubscription *sub;
	const MsSubscriptionOptions *options;
	MsRelmap   *relmap;
	MsWire	   *control;		/* for questions about the source */
	MsEventParser parser;
	MemoryContext event_cxt;	/* reset after every event */
	MemoryContext row_cxt;		/* reset after every row */
	int64		clock_offset;	/* our clock minus the source's, microseconds */

	/* the stream */
	MsStreamPosition position;
	char		current_file[MS_FILE_NAME_MAX]; /* from ROTATE */

	/* the source transaction being received */
	bool		in_transaction;
	MsGtidEvent gtid;
	char		gtid_text[MS_GTID_TEXT_LEN];
	uint64		serial;			/* counts source transactions */
	uint64		start_pos;		/* of its GTID event */
	bool		xa_prepared;	/* its rows are held back */
	bool		wrote;			/* something of it is in the group */
	bool		defined;		/* it has changed the structure of tables */
	bool		careful;		/* it has failed: row by row */
	bool		skipping;		/* skip_transaction() was asked for it */
	MsGtid		done;			/* the last one that is complete */
	char		careful_gtid[MS_GTID_TEXT_MAX];
	struct MsSavepoints *savepoints;

	/* the group */
	bool		group_open;		/* a PostgreSQL transaction is open */
	MsRole		role;			/* who we were before it */
	int			group_transactions; /* complete ones in it */
	int64		group_rows;
	XLogRecPtr	wal_handed_over;	/* to the WAL writer, up to here */
	TimestampTz group_started;
	TimestampTz source_time;	/* of the last transaction, our clock */
	bool		commit_now;		/* at the end of the source transaction */
	bool		single;			/* groups of one ... */
	MsGtidList	single_until;	/* ... up to this */

	/* parallel apply */
	struct MsParallel *parallel;	/* of the leader, or NULL */
	struct MsMember *member;	/* of a parallel worker, or NULL */

	/* XA, see apply_xa.c */
	StringInfoData format;		/* the last FORMAT_DESCRIPTION event */
	uint32		format_serial;	/* counts them */
	StringInfoData held;		/* events not written yet */
	int			held_pieces;	/* of this transaction, written */

	uint64	   *counters;
	bool		stats_dirty;
	TimestampTz stats_saved;
	bool		rescan;			/* a table that the patterns choose appeared */

	List	   *passed;			/* see apply_statement.c */

	/* for the error context */
	const MsEvent *event;
	const TablePlan *plan;

	/* the event as it came */
	const uint8 *raw;
	size_t		raw_len;
	const MsRowsEvent *rows;	/* being applied, or NULL */
	const uint8 *row;			/* of them, or NULL */
};

/* Which rows the source undid, see apply_savepoint.c. */
typedef struct MsSavepoints MsSavepoints;

extern MsSavepoints *ms_savepoints_create(void);
extern void ms_savepoints_begin(MsSavepoints *sp, const char *gtid);
extern bool ms_savepoints_pass_over(MsSavepoints *sp);
extern void ms_savepoints_take(MsSavepoints *sp);
extern void ms_savepoints_set(MsSavepoints *sp, const char *name);
extern void ms_savepoints_go_back(MsApply *apply, const char *name);
extern void ms_savepoints_undo_rows(MsApply *apply);
extern void ms_savepoints_undo_all(MsApply *apply, const char *why);
extern bool ms_savepoints_is_void(const MsSavepoints *sp);
extern void ms_savepoints_discard(MsSavepoints *sp);
extern void ms_savepoints_end(MsApply *apply);

/* Writes the row at p with the table's target open. */
typedef void (*MsWriteRowFn) (MsApply *apply, TablePlan *plan,
							  const MapEntry *entry, const MsRowsEvent *rows,
							  const uint8 *p, void *arg);

extern const uint8 *ms_quarantine_apply_row(MsApply *apply, TablePlan *plan,
											const MapEntry *entry,
											const MsRowsEvent *rows,
											const uint8 *p,
											MsWriteRowFn write_row, void *arg);

extern void ms_apply_event_alone(MsApply *apply, const uint8 *data,
								 size_t len);
extern MsApply *ms_apply_create_member(const MsSubscription *sub,
									   const MsSubscriptionOptions *options,
									   MsRelmap *relmap, uint64 *counters,
									   struct MsMember *member);
extern void ms_apply_commit_at(MsApply *apply,
							   const MsStreamPosition *position,
							   TimestampTz source_time);
extern void ms_apply_save_stats(MsApply *apply);
extern void ms_apply_error_callback(void *arg);
extern bool ms_apply_rows_wanted(MsApply *apply, TablePlan *plan);
extern bool ms_apply_is_current(const MsValue *row_end);
extern void ms_apply_rows(MsApply *apply, const MsRowsEvent *rows);
extern void ms_apply_hold_begin(MsApply *apply);
extern void ms_apply_hold_table_map(MsApply *apply, uint64 table_id);
extern void ms_apply_hold_rows(MsApply *apply);
extern void ms_apply_hold_end(MsApply *apply);
extern void ms_apply_replay(MsApply *apply);
extern void ms_apply_forget(MsApply *apply);
extern void ms_apply_let_go(MsApply *apply);
extern void ms_apply_start_over(MsApply *apply, const char *why);
extern void ms_apply_statement(MsApply *apply, const char *verb,
							   const char *sql, const char *db,
							   uint64 sql_mode);
extern void ms_apply_recheck_passed(MsApply *apply, const char *sql,
									const MsStatement *statement,
									uint64 sql_mode);
extern void ms_apply_not_supported(const MsApply *apply, const char *what,
								   const char *hint);

#endif							/* MS_APPLY_INTERNAL_H */
