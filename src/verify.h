/*
 * verify.h - what the files of the proof share.
 */
#ifndef MS_VERIFY_H
#define MS_VERIFY_H

#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "storage/itemptr.h"
#include "utils/snapshot.h"

#include "catalog.h"
#include "options.h"
#include "remote_schema.h"
#include "typemap.h"
#include "wire.h"

/* an MD5 */
#define MS_DIGEST_LEN	16

/* How one column is written as text on either side. */
typedef struct MsVerifyColumn
{
	char	   *name;			/* in the target */
	MsKind		kind;
	/* the source's SQL */
	char	   *source;			/* the text */
	char	   *hashed;			/* the text in the row's text */
	char	   *plain;			/* the text of a value that no policy changes */
	char	   *plain_hashed;	/* that in the row's text */
	char	   *raw;			/* the source's value before any policy */
	char	   *policy;			/* MariaDB's condition for values that a
								 * policy changes, or NULL */
	bool		free_text;		/* the text may hold any character */
	bool		digest;			/* the row's text has an MD5 in its place */
	bool		fetched;		/* equal values have different texts in the
								 * source: they are compared here */
	/* the target */
	AttrNumber	attnum;
	Oid			typid;			/* of a domain, its base type */
	uint32		length;			/* characters, bits, digits of the source */
	int			fsp;			/* fractional digits of the source */
	int			scale;
	const pg_tz *zone;			/* whose clock a timestamptz is compared by */
	bool		replaces;		/* untranslatable characters are replaced */
	FmgrInfo	out;			/* output function */
	FmgrInfo	send;			/* binary output, of types of extensions */
} MsVerifyColumn;

/* What is added up of a group of rows. */
typedef struct MsVerifySum
{
	uint64		rows;
	uint64		hashes;
	uint64		policies;		/* the source's */
} MsVerifySum;

/* A table as both sides are asked for it. */
typedef struct MsVerifyTable
{
	MsSubTable *sub;
	char	   *name;			/* db.table */
	char	   *source;			/* quoted, for MariaDB */
	char	   *target;			/* quoted, for PostgreSQL */
	char	   *version;		/* of the target's structure */
	List	   *columns;		/* of MsVerifyColumn *, fetched ones last */
	List	   *key;			/* of MsVerifyColumn *; NIL = no key */
	MsVerifyColumn *range_key;	/* first key column, if both servers order its
								 * values in the same way */
	const char *range_type;		/* PostgreSQL's for that order */
	char	   *range_source;	/* its names, quoted */
	char	   *range_target;
	bool		fetches;		/* has a fetched column */
	int			nbuckets;		/* into which other keys are dealt out */
	char	   *source_key;		/* MariaDB's MD5 of the key and the row */
	char	   *source_hash;
	char	   *source_plain;	/* source_hash if no policy changes the row */
	char	   *source_text;	/* text of the row but for fetched columns */
	char	   *source_bucket;
	char	   *policy;			/* MariaDB's condition, or NULL */
} MsVerifyTable;

/* A row of the target that a scan has found. */
typedef struct MsVerifyRow
{
	TupleTableSlot *slot;
	int			bucket;
	uint8		key[MS_DIGEST_LEN];
	uint8		hash[MS_DIGEST_LEN];
} MsVerifyRow;

typedef void (*MsVerifyRowFn) (void *arg, const MsVerifyTable *table,
							   const MsVerifyRow *row);

/* A row of the source, read one by one. */
typedef struct MsVerifySourceRow
{
	int			bucket;
	uint8		key[MS_DIGEST_LEN];
	uint8		hash[MS_DIGEST_LEN];
	bool		policy;			/* a policy changes a value of it */
	char	  **cells;			/* by column, if asked for; NULL is NULL */
} MsVerifySourceRow;

typedef void (*MsVerifySourceRowFn) (void *arg, const MsVerifyTable *table,
									 const MsVerifySourceRow *row);

typedef enum MsVerifyCells
{
	MS_VERIFY_NO_CELLS,
	MS_VERIFY_CELLS,			/* as the target should have them */
	MS_VERIFY_RAW_CELLS			/* before any policy */
} MsVerifyCells;

/* verify_text.c */
extern MsVerifyColumn *ms_verify_column(const MsSourceColumn *source,
										Oid typid, int32 typmod,
										const MsSubscriptionOptions *options);
extern char *ms_verify_row_text(List *columns, bool plain);

/* verify_table.c */
extern MsVerifyTable *ms_verify_describe(const MsSubscription *sub,
										 const MsSubscriptionOptions *options,
										 MsSubTable *subtable,
										 List *key_names);
extern bool ms_verify_is_altered(const MsVerifyTable *table);
extern void ms_verify_set_buckets(MsVerifyTable *table, int nbuckets);

/* verify_source.c */
extern char *ms_verify_source_sums_sql(const MsVerifyTable *table,
									   const char *condition, bool plain);
extern void ms_verify_source_add_sums(const MsVerifyTable *table,
									  const MsResult *result,
									  MsVerifySum *sums);
extern void ms_verify_source_scan(MsWire *wire, const MsVerifyTable *table,
								  const char *condition, MsVerifyCells cells,
								  MsVerifySourceRowFn row, void *arg);
extern void ms_verify_source_scan_sums(MsWire *wire,
									   const MsVerifyTable *table,
									   const char *condition,
									   MsVerifySum *sums);

/* verify_target.c */
extern char *ms_verify_cell(MsVerifyColumn *col, TupleTableSlot *slot);
extern char *ms_verify_fetched_cell(const MsVerifyColumn *col,
									const char *text);
extern int	ms_verify_bucket(const MsVerifyTable *table, const char *text,
							 size_t len);
extern void ms_verify_digest(const char *data, size_t len, uint8 *digest);
extern uint64 ms_verify_hash_number(const uint8 *digest);
extern bool ms_verify_explained(const MsVerifyColumn *col, const char *source,
								const char *target);
extern void ms_verify_scan(const MsVerifyTable *table, const char *condition,
						   Snapshot snapshot, MsVerifyRowFn row, void *arg);
extern void ms_verify_scan_sums(const MsVerifyTable *table,
								const char *condition, Snapshot snapshot,
								MsVerifySum *sums);

#endif							/* MS_VERIFY_H */
