/*
 * target_internal.h - what the files of the target room share.
 */
#ifndef MS_TARGET_INTERNAL_H
#define MS_TARGET_INTERNAL_H

#include "access/genam.h"
#include "access/heapam.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "rowcache.h"
#include "target.h"
#include "target_sql.h"

/* a batch of inserts is written when it has this many rows or bytes */
#define BATCH_MAX_ROWS	1000
#define BATCH_MAX_BYTES (1024 * 1024)
/* what a table keeps of it when all tables together have more than that */
#define BATCH_KEPT_SLOTS 8
#define MAX_KEPT_SLOTS	16384

/* the most that a value grows from the source's form to ours */
#define MAX_VALUE_GROWTH	4

/* a tuple's header, nulls and alignment */
#define ROW_OVERHEAD		65536

typedef struct TargetIndex
{
	Oid			oid;
	IndexInfo  *info;
	bool		unique;
	Relation	rel;			/* while open */
} TargetIndex;

struct MsTarget
{
	Oid			relid;
	Oid			act_as;			/* while it is written to; invalid = whoever
								 * writes */
	char	   *source_name;
	MemoryContext cxt;
	MemoryContextCallback gone; /* cxt is reset */
	TupleDesc	desc;			/* our own copy */
	Bitmapset  *mapped;			/* attribute indexes that the source has */
	bool		has_unmapped;
	bool		has_dropped;
	MsTargetSql *sql;			/* the other road, or NULL */

	int			nindexes;
	TargetIndex *indexes;
	bool		has_checks;		/* CHECK constraints or index expressions */
	int			nnotnull;
	int		   *notnull;		/* attribute indexes */

	int			identity;		/* in indexes, -1 = none */
	int			nkeys;
	int		   *key_atts;		/* attribute indexes */
	ScanKey		keys;
	ScanKey		walk_keys;		/* the same and what follows, see
								 * target_find.c */

	MsRowCache *cache;			/* without an identity, when it pays */
	bool		no_cache;		/* the table is too large for one */
	int			scans;			/* made to find a row */
	BlockNumber last_block;		/* where the last one found one */

	Datum	   *old_values;		/* before image */
	bool	   *old_isnull;
	const bool *old_present;	/* columns it has, by attribute; NULL = all */
	const bool *new_present;	/* the after image's */
	TupleTableSlot *new_slot;	/* virtual: after image */
	TupleTableSlot *found_slot; /* the row in the table */

	/* while open */
	Relation	rel;
	EState	   *estate;
	ResultRelInfo *result_rel;
	SnapshotData dirty;
	IndexScanDesc scan;
	IndexScanDesc walk;
	bool		walking;		/* walk is at the row found last: */
	BlockNumber walk_page;		/* there in the index, */
	OffsetNumber walk_offset;	/* there on the page, */
	int			walk_item;		/* and there in what was read of it */
	int			rows_without_dead;	/* passed since there was a dead version */
	int			in_order;		/* so many rows were found one after the other */
	BlockNumber last_page;		/* of the index, where the last one was ... */
	OffsetNumber last_offset;	/* ... and where on it */
	int			identity_checked;	/* a bit per command */

	/* inserts not yet written */
	TupleTableSlot **batch;
	int			nbatch;
	int			nslots;			/* made so far */
	Size		batch_bytes;
	BulkInsertState bulk;
	MemoryContext batch_cxt;	/* the values of the batch */
};

extern void ms_target_check_rights(Relation rel, Oid owner,
								   const char *source_name);
extern bool ms_target_has_triggers(Relation rel);
extern bool ms_target_find_row(MsTarget *target, const Datum *values,
							   const bool *isnull);
extern bool ms_target_find_by_key(MsTarget *target, const Datum *values,
								  const bool *isnull);
extern bool ms_target_found_no_dead(const MsTarget *target);
extern void ms_target_remember_row(MsTarget *target, TupleTableSlot *slot);

#endif							/* MS_TARGET_INTERNAL_H */
