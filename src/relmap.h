/*
 * relmap.h - which source table goes to which target, and how.
 */
#ifndef MS_RELMAP_H
#define MS_RELMAP_H

#include "catalog.h"
#include "event.h"
#include "options.h"
#include "target.h"
#include "value.h"

/* What to do about a table that has another structure than is recorded. */
#define MS_HINT_ALTERED \
	"The table was altered on the source. Copy it again with mariadb_sync.resync_table(); unless option \"ddl\" is \"apply\", change the target to fit first."

/* What becomes of a table's rows while it is being copied. */
typedef enum MsCopyVerdict
{
	MS_COPY_DROP,
	MS_COPY_APPLY,
	MS_COPY_ASK_CHUNK			/* that depends on the row's key */
} MsCopyVerdict;

/* All there is to know to apply a row of one table. */
typedef struct TablePlan
{
	MsSubTable *sub;			/* the catalog's row; state is kept current */
	char	   *name;			/* "db.table", for messages */

	/* built on first use, thrown away when the target changes */
	MemoryContext cxt;
	bool		valid;			/* the fields below are set */
	uint32		generation;		/* changes when they are made anew; from 1 */
	MsRowFormat format;
	bool		no_read_views;	/* the source's engine has none */
	int			row_end;		/* the period's end in format, -1 = all rows
								 * are wanted */
	MsTarget   *target;
	const uint8 *bound_map;		/* table map the readers are bound to */
	bool		opened;			/* target is open in this transaction */

	/* MsChangeKind bits of each column that were logged; outlives cxt */
	uint8	   *changes_logged;
	int			nchanges_logged;

	/* the copy's verdict on the current source transaction */
	uint64		verdict_serial;
	MsCopyVerdict verdict;

	/* while the table is being copied, by the leader of the copy */
	int			nchunks;
	MsChunk   **chunks;
	bool		passed;			/* COPIED, and by a committed position */
	bool		copy_void;		/* is to be made again */
	bool		held;			/* the source's table is not the recorded one:
								 * the stream has yet to say how it changed */
	bool		discarded;		/* held because it has no tablespace: until
								 * one is imported */

	/* the recorded schema was read from the source, at this position */
	MsGtidList *schema_gtid;
	bool		one_chunk;		/* to be copied in one */

	/* foreign keys of other tables that change rows with ours; or NULL */
	struct MsCascade *cascade;
	List	   *copied_after;	/* of TablePlan *: whose copy comes first */

	/* parallel apply, its leader's; see apply_keys.c */
	struct MsTableKeys *keys;	/* lives in cxt */
	uint32		keys_generation;	/* of the plan they were made for */
	uint64		touched;		/* the last group with rows of the table */
	uint64		touched_wholly; /* ... that is not known by its rows' keys */

	/* changes since the counters were last saved */
	int64		inserts;
	int64		updates;
	int64		deletes;
	int64		conflicts;
	bool		dirty;
} TablePlan;

/* What a table id of the stream stands for. */
typedef struct MapEntry
{
	uint64		table_id;		/* hash key */
	TablePlan  *plan;			/* NULL = not in the subscription */
	const MsSequence *sequence; /* NULL = it is none of ours */
	bool		matches;		/* not mapped, but the patterns choose it */
	struct MsCascade *watched;	/* not mapped, but mapped tables hang on it */
	uint8	   *raw;			/* the table map as it came */
	uint32		raw_len;
} MapEntry;

typedef struct MsRelmap MsRelmap;

extern MsRelmap *ms_relmap_create(const MsSubscription *sub,
								  const MsSubscriptionOptions *options,
								  Oid apply_as);
extern void ms_relmap_destroy(MsRelmap *map);
extern void ms_relmap_add(MsRelmap *map, const MsSubTable *sub);
extern void ms_relmap_set_sequences(MsRelmap *map, List *sequences);
extern MsTableMapEvent ms_relmap_table_map_of(const MapEntry *entry);
extern void ms_relmap_forget_ids(MsRelmap *map);
extern void ms_relmap_set_columns(MsRelmap *map, TablePlan *plan,
								  const Jsonb *columns);
extern void ms_relmap_set_schema(MsRelmap *map, TablePlan *plan,
								 Jsonb *schema);
extern void ms_relmap_rename(MsRelmap *map, TablePlan *plan, const char *db,
							 const char *table);
extern void ms_relmap_remove(MsRelmap *map, TablePlan *plan);
extern void ms_relmap_table_map(MsRelmap *map, const MsTableMapEvent *event);
extern MapEntry *ms_relmap_find(MsRelmap *map, uint64 table_id);
extern TablePlan *ms_relmap_find_name(MsRelmap *map, const char *db,
									  const char *table);
extern List *ms_relmap_plans(MsRelmap *map);	/* of TablePlan * */
extern bool ms_relmap_is_linked(const MsRelmap *map);
extern MemoryContext ms_relmap_begin_links(MsRelmap *map);
extern void ms_relmap_watch(MsRelmap *map, const char *db, const char *table,
							struct MsCascade *cascade);
extern struct MsCascade *ms_relmap_find_watched(MsRelmap *map, const char *db,
												const char *table);
extern bool ms_relmap_fits(MsRelmap *map, TablePlan *plan,
						   const MapEntry *entry);
extern void ms_relmap_open(MsRelmap *map, TablePlan *plan,
						   const MapEntry *entry);
extern void ms_relmap_report_changes(TablePlan *plan, const MsRow *row,
									 const char *gtid);
extern void ms_relmap_close_all(MsRelmap *map);
extern void ms_relmap_abort(MsRelmap *map);
extern uint64 ms_relmap_signature(const MsRelmap *map);
extern bool ms_relmap_structure_differed(void);
extern bool ms_relmap_matches(MsRelmap *map, const char *db, const char *table);

#endif							/* MS_RELMAP_H */
