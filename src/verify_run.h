/*
 * verify_run.h - a run of verify(): what the session knows and its workers do.
 */
#ifndef MS_VERIFY_RUN_H
#define MS_VERIFY_RUN_H

#include "datatype/timestamp.h"

#include "verify.h"

/* keys that are looked at closely in one query */
#define MS_VERIFY_KEYS	500

typedef struct MsVerifyPool MsVerifyPool;

/* One run. */
typedef struct Verify
{
	MsSubscription *sub;
	MsSubscriptionOptions options;
	MsServerOptions server;
	bool		resume;
	int			nworkers;
	int64		max_rate;		/* rows per second, 0 = no limit */
	MsWire	  **wires;			/* each with a read view at the position */
	int			nwires;
	uint32		source_id;		/* the server_id where they lead */
	int			nviews;			/* wires with a view at one position */
	char	   *view_file;		/* which is this */
	uint64		view_pos;
	char	   *gtid;			/* of all views */
	Snapshot	snapshot;
	TimestampTz views_since;	/* by ms_clock_now() */
	MsVerifyPool *pool;			/* scans the target; NULL = we do */
} Verify;

/* A part of a table, as conditions for both servers. */
typedef struct MsVerifyPart
{
	char	   *source;
	char	   *target;
	char	   *lower;			/* of a range; NULL = open */
	char	   *upper;
	bool	   *buckets;		/* the part is rows of these; NULL = of all */
	List	   *keys;			/* of char *: MD5 in hexadecimal of keys to
								 * repair */
} MsVerifyPart;

/* A table being compared. */
typedef struct TableCheck
{
	MsVerifyTable *table;
	List	   *key_names;		/* of char *: the source's */
	int64		estimate;
	List	   *parts;			/* of MsVerifyPart *: those that differ */
	int64		source_rows;
	int64		target_rows;
	int64		missing;
	int64		surplus;
	int64		different;
	int64		repaired;
	char	   *gtid;			/* where it, or the last part of it, was
								 * compared */
	bool		altered;		/* meanwhile: nothing is known of it */
} TableCheck;

/* verify.c */
extern bool ms_verify_views_are_old(const Verify *v);
extern void ms_verify_renew_views(Verify *v);

/* verify_views.c */
extern void ms_verify_connect(Verify *v);
extern void ms_verify_align_views(Verify *v, bool all);
extern bool ms_verify_confirm_views(Verify *v);

/* verify_compare.c */
extern void ms_verify_compare(Verify *v, TableCheck *check);

/* verify_keys.c */
extern char *ms_verify_key_condition(const MsVerifyTable *table, List *keys,
									 int from);
extern void ms_verify_compare_keys(Verify *v, TableCheck *check,
								   MsVerifyPart *part);
extern void ms_verify_record_policies(Verify *v, TableCheck *check,
									  const MsVerifyPart *part);

/* verify_pool.c */
extern MsVerifyPool *ms_verify_pool_start(const Verify *v);
extern int	ms_verify_pool_size(const MsVerifyPool *pool);
extern void ms_verify_pool_describe(MsVerifyPool *pool,
									const TableCheck *check);
extern int	ms_verify_pool_idle(const MsVerifyPool *pool);
extern void ms_verify_pool_scan(MsVerifyPool *pool, int worker, int job,
								const char *condition);
extern bool ms_verify_pool_receive(MsVerifyPool *pool, int *job,
								   MsVerifySum *sums, int nsums);
extern void ms_verify_pool_forget(MsVerifyPool *pool, const TableCheck *check);
extern void ms_verify_pool_record(MsVerifyPool *pool, const TableCheck *check,
								  const MsVerifyPart *part, int64 rows,
								  const char *gtid);
extern void ms_verify_pool_settle(MsVerifyPool *pool);
extern void ms_verify_pool_stop(MsVerifyPool *pool);

/* verify_repair.c */
extern void ms_verify_repair(Verify *v, List *checks);

#endif							/* MS_VERIFY_RUN_H */
