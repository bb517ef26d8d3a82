/*
 * verify.h - what the files of the proof share.
 */
#ifndef MS_VERIFY_H
#define MS_VERIFY_H

#include "utils/snapshot.h"

#include "catalog.h"
#include "options.h"
#include "remote_schema.h"
#include "wire.h"

/* keys named in one query */
#define MS_VERIFY_KEYS	500

/* How one column is written as text on either side. */
typedef struct MsVerifyColumn
{
	char	   *name;
	char	   *source;			/* SQL of MariaDB */
	char	   *target;			/* SQL of PostgreSQL */
	char	   *source_hashed;	/* the same, or a digest of large values */
	char	   *target_hashed;
	char	   *raw;			/* the source's value before any policy */
	char	   *policy;			/* MariaDB's condition for values that a
								 * policy changes, or NULL */
	bool		free_text;		/* the text may hold any character */
	bool		skipped;		/* cannot be compared */
} MsVerifyColumn;

/* One run. */
typedef struct Verify
{
	MsSubscription *sub;
	MsSubscriptionOptions options;
	MsWire	   *wire;
	char	   *gtid;			/* of both views */
	Snapshot	snapshot;
} Verify;

/* A part of a table, as conditions for both servers. */
typedef struct Chunk
{
	char	   *source;
	char	   *target;
	List	   *keys;			/* of char *: MD5 of keys to repair */
} Chunk;

/* A table being compared. */
typedef struct TableCheck
{
	MsSubTable *sub;
	char	   *name;			/* db.table */
	char	   *source;			/* quoted, for MariaDB */
	char	   *target;			/* quoted, for PostgreSQL */
	List	   *columns;		/* of MsVerifyColumn * */
	List	   *key;			/* of MsVerifyColumn *; NIL = no key */
	char	   *int_key;		/* first key column, if a whole number */
	int64		estimate;
	char	   *source_key;		/* MD5 of the key, both sides */
	char	   *target_key;
	char	   *source_hash;	/* MD5 of the row, both sides */
	char	   *target_hash;
	char	   *policy;			/* MariaDB's condition, or NULL */
	List	   *chunks;			/* of Chunk *: those that differ */
	int64		source_rows;
	int64		target_rows;
	int64		missing;
	int64		surplus;
	int64		different;
	int64		repaired;
} TableCheck;

extern MsVerifyColumn *ms_verify_column(const MsSourceColumn *source,
										Oid typid, int32 typmod,
										const MsValuePolicies *policies);
extern char *ms_verify_row_text(List *columns, bool on_source);

extern void ms_verify_align_views(Verify *v);
extern char *ms_verify_key_condition(const char *key_expr, List *keys,
									 int from);
extern void ms_verify_repair(Verify *v, List *checks);

#endif							/* MS_VERIFY_H */
