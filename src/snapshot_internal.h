/*
 * snapshot_internal.h - what the files of the first copy share.
 */
#ifndef MS_SNAPSHOT_INTERNAL_H
#define MS_SNAPSHOT_INTERNAL_H

#include "postmaster/bgworker.h"

#include "remote_schema.h"
#include "role.h"
#include "snapshot.h"

/* The leader's state, in the apply worker. */
typedef struct MsCopyLeader
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
	bool		lost;			/* which it will always do */
	uint32		source_server_id;
	TablePlan  *assigned[MS_MAX_SNAPSHOT_WORKERS];	/* NULL = no task */
	MsCopyKind	kinds[MS_MAX_SNAPSHOT_WORKERS];
	int			chunks[MS_MAX_SNAPSHOT_WORKERS];
	bool		floorless[MS_MAX_SNAPSHOT_WORKERS]; /* task without a file */
	bool		given_up[MS_MAX_SNAPSHOT_WORKERS];	/* nobody wants it */
	bool		cancelled[MS_MAX_SNAPSHOT_WORKERS]; /* and it knows */
	BackgroundWorkerHandle *handles[MS_MAX_SNAPSHOT_WORKERS];
	/* the stream has reached this without an event that says so */
	char		reached_file[MS_FILE_NAME_MAX];
	uint64		reached_pos;
	bool		behind;			/* the source's binlog had more than this: */
	MsGtidList	behind_at;
} MsCopyLeader;

extern MsCopyLeader ms_copy_leader;

/* What one copy works with. */
typedef struct MsCopy
{
	const MsSubscription *sub;
	MsSubscriptionOptions options;
	MsCopyTask	task;
	MsSubTable *table;
	MsRole		role;			/* who we were before we became the owner */
	List	   *unfit;			/* of char *: indexes that do not take the rows */
	MsChunk    *chunk;			/* the one being loaded */
	MsWire	   *wire;			/* kept between tasks */
	MsWire	   *other;			/* beside it, for tables without read views */
	MsServerOptions server;		/* what it is connected with */
	TimestampTz started;		/* loading */
	int64		rows;
	int64		bytes;
	uint64		values_changed; /* by a policy */
	/* the last position whose GTIDs were asked for, kept between tasks */
	char		located_file[MS_FILE_NAME_MAX];
	uint64		located_pos;
	char		located_gtid[MS_GTID_TEXT_MAX];
} MsCopy;

extern void ms_copy_set_owner(MsCopy *copy);
extern void ms_copy_set_superuser(const MsCopy *copy);
extern void ms_copy_open_view(MsCopy *copy);

/* snapshot_finish.c */
extern void ms_copy_begin(MsCopy *copy);
extern void ms_copy_commit(MsCopy *copy);
extern ErrorData *ms_copy_run_statement(MsCopy *copy, const char *sql);
extern void ms_copy_finish_table(MsCopy *copy);
extern void ms_copy_make_constraints(MsCopy *copy);

/* snapshot_index.c */
extern MsSourceTable *ms_copy_recorded_table(const MsCopy *copy);
extern void ms_copy_build_indexes(MsCopy *copy);
extern void ms_copy_help_with_indexes(MsCopy *copy);

/* snapshot.c */
extern void ms_copy_collect(void);
extern bool ms_copy_is_under_way(const TablePlan *plan);
extern bool ms_copy_is_assigned(const TablePlan *plan, MsCopyKind kind);
extern int	ms_copy_find_chunk(const TablePlan *plan, MsChunkState state);
extern void ms_copy_forget_progress(TablePlan *plan);
extern void ms_copy_set_state(TablePlan *plan, MsTableState state);

/* snapshot_xa.c */
extern void ms_copy_wait_prepared(MsWire *wire, const MsSubTable *table);
extern void ms_copy_note_prepared(MsWire *wire, MsChunk *chunk);
extern void ms_snapshot_await_end(MsWire *wire, const char *xid);
extern bool ms_snapshot_may_lack(const MsChunk *chunk, const char *xid,
								 const char *file, uint64 pos);

#endif							/* MS_SNAPSHOT_INTERNAL_H */
