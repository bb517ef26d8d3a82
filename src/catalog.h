/*
 * catalog.h - our tables.  The only room that knows their columns.
 */
#ifndef MS_CATALOG_H
#define MS_CATALOG_H

#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"

#include "chunk.h"
#include "gtid.h"
#include "shmem.h"

/* A row of mariadb_sync.subscription. */
typedef struct MsSubscription
{
	int32		subid;
	char	   *name;
	Oid			owner;
	char	   *server;			/* foreign server's name */
	bool		enabled;
	List	   *patterns;		/* of char * */
	int32		tables_version; /* counts changes of its list of tables */
	Jsonb	   *options;
	uint32		server_id;		/* ours, as a replica */
	bool		snapshot_paused;
	char	   *skip_gtid;		/* of the transaction to skip, or NULL */
} MsSubscription;

typedef enum MsTableState
{
	MS_TABLE_PENDING,
	MS_TABLE_COPYING,
	MS_TABLE_COPIED,
	MS_TABLE_READY,
	MS_TABLE_DISABLED
} MsTableState;

/* A row of mariadb_sync.subscription_table. */
typedef struct MsSubTable
{
	int32		subid;
	char	   *source_db;
	char	   *source_table;
	Oid			relid;
	MsTableState state;
	char	   *snapshot_file;	/* copied: the copy's position; else NULL */
	uint64		snapshot_pos;
	uint32		snapshot_server_id;
	Jsonb	   *source_schema;	/* the recorded schema */
	bool		foreign_keys_wait;	/* until all tables are ready */
	bool		created;		/* by us: secondary indexes are ours to make */
	Jsonb	   *columns;		/* options of single columns, or NULL */
	int32		since_version;	/* tables_version it came with */
	bool		reshape;		/* before it is copied, see ms_ddl_reshape() */
	bool		changes;		/* the stream has changed rows of it */
} MsSubTable;

/* A row of mariadb_sync.subscription_sequence. */
typedef struct MsSequence
{
	char	   *db;
	char	   *name;
	Oid			relid;
	bool		created;		/* by us */
} MsSequence;

typedef struct MsPosition
{
	char	   *gtid;			/* NULL = never connected */
	char	   *binlog_file;
	uint64		binlog_pos;
} MsPosition;

/* Where a subscription's position row is. */
typedef struct MsPositionRow
{
	int32		subid;			/* 0 = not known */
	Oid			filenumber;		/* changes when the table is rewritten */
	ItemPointerData tid;
} MsPositionRow;

/* The tables of a subscription in numbers. */
typedef struct MsTableSummary
{
	int			tables;
	int			ready;
	int			disabled;
	int64		rows_total;		/* an estimate until the copies are done */
	int64		rows_done;
} MsTableSummary;

/* What to do about a table that is disabled, for its error and the log. */
#define MS_HINT_DISABLED \
	"Remove the cause and use mariadb_sync.resync_table(), which gives the target its shape, empties it and copies the table."

extern const char *ms_table_state_name(MsTableState state);

/* Both come from the same hands, in which keys have one order. */
static inline bool
ms_catalog_same_jsonb(const Jsonb *a, const Jsonb *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

/* Reading.  Need a transaction; results live in the current context. */
extern MsSubscription *ms_catalog_get_subscription(int32 subid);
extern MsSubscription *ms_catalog_find_subscription(const char *name,
													bool missing_ok);
extern List *ms_catalog_get_tables(int32 subid);	/* of MsSubTable * */
extern MsSubTable *ms_catalog_get_table(int32 subid, const char *db,
										const char *table);
extern void ms_catalog_summarize_tables(int32 subid, MsTableSummary *summary);
extern bool ms_catalog_get_position(int32 subid, MsPosition *position);
extern bool ms_catalog_server_id_in_use(uint32 server_id);
extern Oid	ms_catalog_subscription_relid(void);

/* The front door's changes. */
extern int32 ms_catalog_insert_subscription(const MsSubscription *sub);
extern void ms_catalog_update_subscription(const MsSubscription *sub);
extern void ms_catalog_delete_subscription(int32 subid);
extern void ms_catalog_insert_table(const MsSubTable *table,
									int64 rows_estimate);
extern void ms_catalog_set_source_schema(const MsSubTable *table);
extern void ms_catalog_rename_table(const MsSubTable *table, const char *db,
									const char *name);
extern void ms_catalog_delete_table(const MsSubTable *table);
extern void ms_catalog_change_tables(const MsSubscription *sub);
extern void ms_catalog_insert_position(int32 subid, const char *gtid);
extern void ms_catalog_reset_stats(int32 subid);

/* The workers' changes. */
extern void ms_catalog_set_table_state(const MsSubTable *table,
									   MsTableState state);
extern void ms_catalog_set_table_passed(const MsSubTable *table,
										const char *gtid);
extern void ms_catalog_set_table_progress(const MsSubTable *table,
										  int64 rows, int64 bytes);
extern void ms_catalog_set_table_error(int32 subid, const char *db,
									   const char *table, const char *error);
extern void ms_catalog_set_reshape(const MsSubTable *table);
extern void ms_catalog_clear_foreign_keys_wait(const MsSubTable *table);
extern void ms_catalog_let_foreign_keys_wait(int32 subid);
extern void ms_catalog_set_position(int32 subid, const char *gtid,
									const char *file, uint64 pos);
extern MsPositionRow ms_catalog_position_row(void);
extern void ms_catalog_set_position_row(const MsPositionRow *row);
extern void ms_catalog_load_counters(int32 subid, uint64 *counters);
extern void ms_catalog_save_counters(int32 subid, const uint64 *counters);
extern void ms_catalog_add_table_counters(const MsSubTable *table,
										  int64 inserts, int64 updates,
										  int64 deletes, int64 conflicts);
extern void ms_catalog_save_error(int32 subid, const char *error,
								  const char *gtid);
extern bool ms_catalog_is_promoted(int32 subid, const char *gtid);
extern void ms_catalog_add_history(int32 subid, const char *kind,
								   const char *gtid, const char *source_table,
								   const char *original,
								   const char *result);
extern void ms_catalog_add_ddl(int32 subid, const char *gtid,
							   const char *source_table, const char *original,
							   const char *translation, const char *result);

/* Rows that could not be applied, catalog_quarantine.c. */
typedef struct MsQuarantined
{
	int64		id;
	int32		subid;
	const char *gtid;
	const char *source_table;
	const char *kind;			/* "insert", "update", "delete" */
	Jsonb	   *before;			/* or NULL */
	Jsonb	   *after;			/* or NULL */
	const char *sqlstate;
	const char *error;
} MsQuarantined;

extern void ms_catalog_add_quarantined(const MsQuarantined *row);
extern List *ms_catalog_get_quarantined(int32 subid);	/* of MsQuarantined * */
extern void ms_catalog_delete_quarantined(int64 id);
extern void ms_catalog_set_quarantine_error(int64 id, const char *sqlstate,
											const char *error);
extern void ms_catalog_set_skip_gtid(int32 subid, const char *gtid);

/* The chunks of a table that is being copied, catalog_chunk.c. */
extern List *ms_catalog_get_chunks(const MsSubTable *table);	/* of MsChunk * */
extern MsChunk *ms_catalog_get_chunk(const MsSubTable *table, int number);
extern void ms_catalog_delete_chunks(const MsSubTable *table);
extern void ms_catalog_insert_chunk(const MsSubTable *table,
									const MsChunk *chunk);
extern void ms_catalog_set_chunk_done(const MsSubTable *table,
									  const MsChunk *chunk);

/* Sequences, catalog_sequence.c. */
extern List *ms_catalog_get_sequences(int32 subid); /* of MsSequence * */
extern void ms_catalog_insert_sequence(int32 subid,
									   const MsSequence *sequence);
extern void ms_catalog_delete_sequence(int32 subid,
									   const MsSequence *sequence);

/* XA transactions between their two phases, catalog_xa.c. */
extern void ms_catalog_insert_prepared(const MsSubscription *sub,
									   const char *xid, int32 piece,
									   const char *gtid, const char *events,
									   size_t len);
extern const uint8 *ms_catalog_get_prepared(int32 subid, const char *xid,
											int32 piece, size_t *len);
extern List *ms_catalog_prepared_xids(int32 subid, bool with_rows,
									  int32 since_version);
extern bool ms_catalog_delete_prepared(int32 subid, const char *xid);

/* For promote(), of char *: statements. */
extern List *ms_catalog_get_failed_constraints(const MsSubTable *table);

/* A key range that verify() has found equal. */
typedef struct MsVerifiedRange
{
	char	   *lower;
	char	   *upper;			/* exclusive */
	int64		rows;
} MsVerifiedRange;

/* What verify() finds, catalog_verify.c. */
extern List *ms_catalog_get_verified(const MsSubTable *table,
									 const char *order_type);	/* of MsVerifiedRange * */
extern void ms_catalog_add_verified(const MsSubTable *table, const char *lower,
									const char *upper, int64 rows,
									const char *gtid);
extern void ms_catalog_forget_verified(int32 subid, const char *db,
									   const char *table);
extern void ms_catalog_clear_differences(const char *subscription,
										 const char *source_table);
extern void ms_catalog_add_difference(const char *subscription,
									  const char *source_table, Oid target,
									  const char *key, const char *kind,
									  List *columns, const char *source_value,
									  const char *target_value,
									  const char *gtid);

/* Waiting out a start-up or a drop of the subscription. */
extern void ms_catalog_lock_subscription(int32 subid, int lockmode);

#endif							/* MS_CATALOG_H */
