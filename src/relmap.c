/*
 * relmap.c - which source table goes to which target, and how.
 *
 * Owns a TablePlan per table of the subscription, found by name when a table
 * map arrives and by table id for every rows event.  A plan is made once:
 * decoders for the recorded source columns, the target with its indexes, and
 * the readers bound to the table map at hand.  Table maps come again with
 * every statement; one that is byte for byte the last one costs a comparison.
 *
 * A relcache invalidation of the target only marks the plan; it is rebuilt
 * when it is next opened, under the lock.  Inside a transaction the lock that
 * ms_target_open() took keeps the definition still.
 *
 * Never mis-decoded: a table map whose columns (number, names, types, signs,
 * character sets, labels) do not agree with the recorded schema is an error,
 * not a guess.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "encoding.h"
#include "relmap.h"
#include "remote_schema.h"
#include "typemap.h"

/* a hidden column that MariaDB adds for a unique key over long columns */
#define HIDDEN_HASH_PREFIX	"DB_ROW_HASH_"

struct MsRelmap
{
	MemoryContext cxt;
	const MsSubscription *sub;
	const MsSubscriptionOptions *options;
	Oid			apply_as;
	List	   *plans;
	List	   *opened;			/* plans with an open target */
	List	   *sequences;		/* of MsSequence * */
	uint32		version;		/* counts changes of the plans' schemas */
	MemoryContext links_cxt;	/* what cascade.c has made of foreign keys */
	bool		linked;			/* and it is of these plans */
	HTAB	   *by_name;		/* "db.table" to TablePlan */
	HTAB	   *by_id;			/* table id to MapEntry */
	MapEntry   *last;			/* by_id's last answer */
};

#define NAME_KEY_LEN	512

typedef struct NameEntry
{
	char		key[NAME_KEY_LEN];	/* db, NUL, table */
	TablePlan  *plan;			/* NULL = not in the subscription */
	struct MsCascade *watched;	/* that mapped tables hang on */
} NameEntry;

/* the process' relmap, for the invalidation callback, which has no undo */
static MsRelmap *current_map = NULL;

/* an error has been raised about rows of another structure */
static bool structure_differed = false;

static void
invalidate_plans(Datum arg pg_attribute_unused(), Oid relid)
{
	ListCell   *lc;

	if (current_map == NULL)
		return;
	foreach(lc, current_map->plans)
	{
		TablePlan  *plan = lfirst(lc);

		if (!OidIsValid(relid) || plan->sub->relid == relid)
			plan->valid = false;
	}
}

/* The hash key of a name; names are at most 64 characters in MariaDB. */
static void
make_name_key(char *key, const char *db, const char *table)
{
	Size		len = strlen(db);

	memset(key, 0, NAME_KEY_LEN);
	strlcpy(key, db, NAME_KEY_LEN / 2);
	strlcpy(key + Min(len, NAME_KEY_LEN / 2) + 1, table, NAME_KEY_LEN / 2 - 1);
}

/*
 * An empty map.  sub and options must outlive it; apply_as is the role whose
 * rights on the targets are checked.
 */
MsRelmap *
ms_relmap_create(const MsSubscription *sub,
				 const MsSubscriptionOptions *options, Oid apply_as)
{
	static bool registered = false;
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext,
											  "mariadb_sync relmap",
											  ALLOCSET_DEFAULT_SIZES);
	MsRelmap   *map = MemoryContextAllocZero(cxt, sizeof(MsRelmap));
	HASHCTL		ctl;

	map->cxt = cxt;
	map->sub = sub;
	map->options = options;
	map->apply_as = apply_as;
	map->links_cxt = AllocSetContextCreate(cxt, "mariadb_sync foreign keys",
										   ALLOCSET_SMALL_SIZES);

	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = NAME_KEY_LEN;
	ctl.entrysize = sizeof(NameEntry);
	ctl.hcxt = cxt;
	map->by_name = hash_create("mariadb_sync tables by name", 64, &ctl,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ctl.keysize = sizeof(uint64);
	ctl.entrysize = sizeof(MapEntry);
	map->by_id = hash_create("mariadb_sync tables by id", 64, &ctl,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	current_map = map;
	if (!registered)
	{
		CacheRegisterRelcacheCallback(invalidate_plans, (Datum) 0);
		registered = true;
	}
	return map;
}

/* Nothing may be open. */
void
ms_relmap_destroy(MsRelmap *map)
{
	if (current_map == map)
		current_map = NULL;
	MemoryContextDelete(map->cxt);
}

/*
 * Add a table of the subscription.
 */
void
ms_relmap_add(MsRelmap *map, const MsSubTable *sub)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(map->cxt);
	TablePlan  *plan = palloc0(sizeof(TablePlan));
	NameEntry  *entry;
	char		key[NAME_KEY_LEN];

	plan->sub = palloc(sizeof(MsSubTable));
	*plan->sub = *sub;
	plan->sub->source_db = pstrdup(sub->source_db);
	plan->sub->source_table = pstrdup(sub->source_table);
	plan->sub->snapshot_file = sub->snapshot_file ? pstrdup(sub->snapshot_file) : NULL;
	plan->sub->source_schema = (Jsonb *)
		memcpy(palloc(VARSIZE(sub->source_schema)), sub->source_schema,
			   VARSIZE(sub->source_schema));
	if (sub->columns)
		plan->sub->columns = (Jsonb *)
			memcpy(palloc(VARSIZE(sub->columns)), sub->columns,
				   VARSIZE(sub->columns));
	plan->name = psprintf("%s.%s", sub->source_db, sub->source_table);
	plan->cxt = AllocSetContextCreate(map->cxt, "mariadb_sync plan",
									  ALLOCSET_SMALL_SIZES);
	map->plans = lappend(map->plans, plan);
	MemoryContextSwitchTo(oldcxt);

	make_name_key(key, sub->source_db, sub->source_table);
	entry = hash_search(map->by_name, key, HASH_ENTER, NULL);
	entry->plan = plan;
	entry->watched = NULL;
	map->linked = false;
	map->version++;
}

/*
 * The table's recorded schema has changed.  It must not be open.
 */
void
ms_relmap_set_schema(MsRelmap *map, TablePlan *plan, Jsonb *schema)
{
	plan->sub->source_schema = MemoryContextAlloc(map->cxt, VARSIZE(schema));
	memcpy(plan->sub->source_schema, schema, VARSIZE(schema));
	plan->valid = false;
	plan->bound_map = NULL;
	plan->changes_logged = NULL;
	map->linked = false;
	map->version++;
}

/* So have the options of its single columns; NULL = none. */
void
ms_relmap_set_columns(MsRelmap *map, TablePlan *plan, const Jsonb *columns)
{
	plan->sub->columns = NULL;
	if (columns == NULL)
		return;
	plan->sub->columns = MemoryContextAlloc(map->cxt, VARSIZE(columns));
	memcpy(plan->sub->columns, columns, VARSIZE(columns));
}

static void
forget_name(MsRelmap *map, TablePlan *plan)
{
	char		key[NAME_KEY_LEN];
	NameEntry  *entry;

	make_name_key(key, plan->sub->source_db, plan->sub->source_table);
	entry = hash_search(map->by_name, key, HASH_FIND, NULL);
	if (entry && entry->plan == plan)
		entry->plan = NULL;
	map->linked = false;
	map->version++;
}

/*
 * The source's table has another name.  Several that exchange theirs may be
 * renamed one after the other.
 */
void
ms_relmap_rename(MsRelmap *map, TablePlan *plan, const char *db,
				 const char *table)
{
	char		key[NAME_KEY_LEN];
	NameEntry  *entry;
	bool		found;

	forget_name(map, plan);
	plan->sub->source_db = MemoryContextStrdup(map->cxt, db);
	plan->sub->source_table = MemoryContextStrdup(map->cxt, table);
	plan->name = MemoryContextStrdup(map->cxt, psprintf("%s.%s", db, table));
	make_name_key(key, db, table);
	entry = hash_search(map->by_name, key, HASH_ENTER, &found);
	entry->plan = plan;
	if (!found)
		entry->watched = NULL;
}

/* The table is no longer in the subscription.  It must not be open. */
void
ms_relmap_remove(MsRelmap *map, TablePlan *plan)
{
	forget_name(map, plan);
	map->plans = list_delete_ptr(map->plans, plan);
}

TablePlan *
ms_relmap_find_name(MsRelmap *map, const char *db, const char *table)
{
	char		key[NAME_KEY_LEN];
	NameEntry  *entry;

	make_name_key(key, db, table);
	entry = hash_search(map->by_name, key, HASH_FIND, NULL);
	return entry ? entry->plan : NULL;
}

List *
ms_relmap_plans(MsRelmap *map)
{
	return map->plans;
}

/* ------------------------------------------------------------------------
 * Tables that others hang on by foreign keys, for cascade.c
 * ------------------------------------------------------------------------
 */

bool
ms_relmap_is_linked(const MsRelmap *map)
{
	return map->linked;
}

/*
 * Forget all links between tables; new ones are to be made, in the context
 * that is returned.
 */
MemoryContext
ms_relmap_begin_links(MsRelmap *map)
{
	HASH_SEQ_STATUS seq;
	NameEntry  *name;
	MapEntry   *entry;
	ListCell   *lc;

	foreach(lc, map->plans)
	{
		TablePlan  *plan = lfirst(lc);

		plan->cascade = NULL;
		plan->copied_after = NIL;
	}
	hash_seq_init(&seq, map->by_name);
	while ((name = hash_seq_search(&seq)) != NULL)
		name->watched = NULL;
	/* so that their next table map finds out */
	hash_seq_init(&seq, map->by_id);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		entry->watched = NULL;
		if (entry->plan == NULL)
			entry->raw_len = 0;
	}
	MemoryContextReset(map->links_cxt);
	map->linked = true;
	return map->links_cxt;
}

/* A table that is not in the subscription has dependants that are. */
void
ms_relmap_watch(MsRelmap *map, const char *db, const char *table,
				struct MsCascade *cascade)
{
	char		key[NAME_KEY_LEN];
	NameEntry  *entry;
	bool		found;

	make_name_key(key, db, table);
	entry = hash_search(map->by_name, key, HASH_ENTER, &found);
	if (!found)
		entry->plan = NULL;
	entry->watched = cascade;
}

struct MsCascade *
ms_relmap_find_watched(MsRelmap *map, const char *db, const char *table)
{
	char		key[NAME_KEY_LEN];
	NameEntry  *entry;

	make_name_key(key, db, table);
	entry = hash_search(map->by_name, key, HASH_FIND, NULL);
	return entry ? entry->watched : NULL;
}

/* Do the subscription's patterns choose this table? */
bool
ms_relmap_matches(MsRelmap *map, const char *db, const char *table)
{
	return ms_pattern_list_matches(map->sub->patterns, db, table);
}

/*
 * Table ids start anew: the source was restarted or opened another file.
 */
void
ms_relmap_forget_ids(MsRelmap *map)
{
	HASH_SEQ_STATUS seq;
	MapEntry   *entry;
	ListCell   *lc;

	hash_seq_init(&seq, map->by_id);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		pfree(entry->raw);
		hash_search(map->by_id, &entry->table_id, HASH_REMOVE, NULL);
	}
	map->last = NULL;
	foreach(lc, map->plans)
		((TablePlan *) lfirst(lc))->bound_map = NULL;
}

/*
 * All sequences there are, between transactions; they must outlive the map.
 */
void
ms_relmap_set_sequences(MsRelmap *map, List *sequences)
{
	map->sequences = sequences;
	ms_relmap_forget_ids(map);
}

static const MsSequence *
find_sequence(const MsRelmap *map, const char *db, const char *name)
{
	ListCell   *lc;

	foreach(lc, map->sequences)
	{
		const MsSequence *sequence = lfirst(lc);

		if (strcmp(sequence->name, name) == 0 &&
			strcmp(sequence->db, db) == 0)
			return sequence;
	}
	return NULL;
}

/* The table map as it came. */
MsTableMapEvent
ms_relmap_table_map_of(const MapEntry *entry)
{
	MsTableMapEvent event;

	event.table_id = entry->table_id;
	event.raw = entry->raw;
	event.raw_len = entry->raw_len;
	event.db = (const char *) entry->raw + 1;
	event.db_len = entry->raw[0];
	event.table = (const char *) entry->raw + event.db_len + 3;
	event.table_len = entry->raw[event.db_len + 2];
	return event;
}

/*
 * A table map has arrived.
 */
void
ms_relmap_table_map(MsRelmap *map, const MsTableMapEvent *event)
{
	MapEntry   *entry;
	bool		found;
	char	   *db;
	char	   *table;

	entry = hash_search(map->by_id, &event->table_id, HASH_ENTER, &found);
	if (found && entry->raw_len == event->raw_len &&
		memcmp(entry->raw, event->raw, event->raw_len) == 0)
		return;

	if (found)
	{
		if (entry->plan && entry->plan->bound_map == entry->raw)
			entry->plan->bound_map = NULL;
		pfree(entry->raw);
	}
	entry->raw = MemoryContextAlloc(map->cxt, event->raw_len);
	memcpy(entry->raw, event->raw, event->raw_len);
	entry->raw_len = event->raw_len;

	db = ms_utf8_to_server(event->db, event->db_len);
	table = ms_utf8_to_server(event->table, event->table_len);
	entry->plan = ms_relmap_find_name(map, db, table);
	entry->sequence = find_sequence(map, db, table);
	entry->matches = entry->plan == NULL && entry->sequence == NULL &&
		ms_relmap_matches(map, db, table);
	entry->watched = entry->plan == NULL ?
		ms_relmap_find_watched(map, db, table) : NULL;
}

/*
 * The entry of a rows event's table.  An id without a table map is a broken
 * stream.
 */
MapEntry *
ms_relmap_find(MsRelmap *map, uint64 table_id)
{
	if (map->last && map->last->table_id == table_id)
		return map->last;
	map->last = hash_search(map->by_id, &table_id, HASH_FIND, NULL);
	if (map->last == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("rows event for unknown table id " UINT64_FORMAT,
						table_id)));
	return map->last;
}

/*
 * Changes when something about the tables changes that is read from the
 * catalog.
 */
uint64
ms_relmap_signature(const MsRelmap *map)
{
	uint64		signature = map->version;
	ListCell   *lc;

	foreach(lc, map->plans)
	{
		const TablePlan *plan = lfirst(lc);

		signature = hash_combine64(signature, plan->sub->relid);
		signature = hash_combine64(signature, plan->sub->state);
	}
	/* 0 is nobody's */
	return signature | UINT64CONST(1) << 63;
}

/* Was the last error that rows did not have the recorded structure? */
bool
ms_relmap_structure_differed(void)
{
	return structure_differed;
}

static void
structure_differs(const TablePlan *plan, const char *detail)
{
	structure_differed = true;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("structure of source table \"%s\" is not the recorded one",
					plan->name),
			 errdetail("%s", detail),
			 errhint(MS_HINT_ALTERED)));
}

/* Is map column i a hidden one that the recorded schema does not list? */
static bool
is_hidden_column(const MsMapColumn *col, bool has_names)
{
	/* BIGINT UNSIGNED */
	if (col->type != 8)
		return false;
	return !has_names ||
		(col->name_len > strlen(HIDDEN_HASH_PREFIX) &&
		 memcmp(col->name, HIDDEN_HASH_PREFIX, strlen(HIDDEN_HASH_PREFIX)) == 0);
}

/* Read over a hidden column's value. */
static void
init_hidden_column(MsColumn *col)
{
	static MsSourceColumn hidden = {
		.name = "hidden",
		.data_type = "bigint",
		.column_type = "bigint(20) unsigned",
		.precision = 20,
		.is_unsigned = true,
		.nullable = true,
	};

	ms_typemap_init_column(col, &hidden);
	col->attidx = -1;
}

/* utf8 was utf8mb3's name before MariaDB 10.6. */
static bool
is_same_charset(const char *a, const char *b)
{
	if (pg_strcasecmp(a, "utf8") == 0)
		a = "utf8mb3";
	if (pg_strcasecmp(b, "utf8") == 0)
		b = "utf8mb3";
	return pg_strcasecmp(a, b) == 0;
}

/*
 * The values of an ENUM or SET are numbers: with other labels, or the same in
 * another order, they mean something else.  The labels come in the character
 * set that the column has in the binlog; which one that is does not matter.
 * NULL, or what differs.
 */
static char *
check_labels(const MsColumn *col, const MsMapColumn *mapcol)
{
	const uint8 *labels = mapcol->labels;
	const char *charset = ms_collation_charset(mapcol->collation);
	MsTranscodeFn transcode;
	const void *arg;

	if ((int) mapcol->nlabels != col->nlabels)
		return psprintf("Column \"%s\" has %u labels in the binlog and %d in the recorded schema.",
						col->name, mapcol->nlabels, col->nlabels);
	if (!ms_charset_bind(charset ? charset : col->charset, &transcode, &arg))
		return NULL;
	for (int i = 0; i < col->nlabels; i++)
	{
		uint32		len;
		const char *bytes = ms_event_next_label(&labels, mapcol->labels_end, &len);
		bool		replaced = false;
		const char *text = transcode(arg, bytes, len, &len, &replaced);

		if (replaced)
			return psprintf("Label %d of column \"%s\" has characters that the server's encoding lacks.",
							i + 1, col->name);
		if (len != strlen(col->labels[i]) ||
			memcmp(text, col->labels[i], len) != 0)
			return psprintf("Label %d of column \"%s\" is \"%s\" in the binlog and \"%s\" in the recorded schema.",
							i + 1, col->name,
							pnstrdup(text, len),
							col->labels[i]);
	}
	return NULL;
}

/*
 * Check one column of a table map against the recorded one, as far as its
 * metadata goes.  NULL, or what differs.
 */
static char *
check_column(const MsColumn *col, const MsTableMap *map,
			 const MsMapColumn *mapcol, int number)
{
	const char *charset = ms_collation_charset(mapcol->collation);

	if (map->has_names)
	{
		char	   *name = ms_utf8_to_server(mapcol->name, mapcol->name_len);

		if (strcmp(name, col->name) != 0)
			return psprintf("Column %d is \"%s\" in the binlog and \"%s\" in the recorded schema.",
							number, name, col->name);
	}
	if (map->has_signedness &&
		((col->kind == MS_KIND_INT && mapcol->is_unsigned) ||
		 (col->kind == MS_KIND_UINT && !mapcol->is_unsigned)))
		return psprintf("Column \"%s\" has changed its sign.",
						col->name);
	if (mapcol->is_character && charset &&
		!is_same_charset(charset, col->charset))
		return psprintf("Column \"%s\" has character set %s in the binlog and %s in the recorded schema.",
						col->name, charset, col->charset);
	if (mapcol->labels &&
		(col->kind == MS_KIND_ENUM || col->kind == MS_KIND_SET))
		return check_labels(col, mapcol);
	return NULL;
}

/*
 * Check a table map against the recorded schema and choose the readers.  NULL,
 * or what differs; then the plan has readers for no map.
 */
static const char *
bind_table_map(TablePlan *plan, const MapEntry *entry)
{
	MsTableMapEvent event = ms_relmap_table_map_of(entry);
	MsTableMap	map;
	MsRowFormat *format = &plan->format;
	int			nrecorded = format->ncolumns;

	plan->bound_map = NULL;
	ms_event_read_table_map(&event, &map);

	/* columns that an earlier map had hidden are counted anew */
	while (nrecorded > 0 && format->columns[nrecorded - 1].source_type == NULL)
		nrecorded--;
	if ((int) map.ncolumns < nrecorded)
		return psprintf("The binlog has %u columns, the recorded schema %d.",
						map.ncolumns, nrecorded);
	if ((int) map.ncolumns > format->ncolumns)
	{
		MemoryContext oldcxt = MemoryContextSwitchTo(plan->cxt);

		format->columns = repalloc(format->columns,
								   map.ncolumns * sizeof(MsColumn));
		for (int i = format->ncolumns; i < (int) map.ncolumns; i++)
		{
			memset(&format->columns[i], 0, sizeof(MsColumn));
			init_hidden_column(&format->columns[i]);
			format->columns[i].source_type = NULL;
		}
		MemoryContextSwitchTo(oldcxt);
	}
	format->ncolumns = map.ncolumns;

	for (int i = 0; i < (int) map.ncolumns; i++)
	{
		MsColumn   *col = &format->columns[i];
		const MsMapColumn *mapcol = &map.columns[i];
		const char *problem = NULL;

		if (i >= nrecorded)
		{
			if (!is_hidden_column(mapcol, map.has_names))
				return psprintf("The binlog has %u columns, the recorded schema %d.",
								map.ncolumns, nrecorded);
		}
		else
			problem = check_column(col, &map, mapcol, i + 1);
		if (problem)
			return problem;
		problem = ms_value_bind_image(col, mapcol->type, mapcol->meta);
		if (problem)
			return psprintf("Column \"%s\": %s.", col->name,
							problem);
	}
	plan->bound_map = entry->raw;
	return NULL;
}

/*
 * Make decoders for the recorded columns and find their target columns by
 * name.  Columns that the target lacks are read over.
 */
static Bitmapset *
build_columns(MsRelmap *map, TablePlan *plan, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "mariadb_sync schema",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcxt = MemoryContextSwitchTo(scratch);
	List	   *source_columns = ms_source_columns_from_jsonb(plan->sub->source_schema);
	Bitmapset  *mapped = NULL;
	int			n = 0;
	ListCell   *lc;

	ms_options_bind_columns(source_columns, plan->sub->columns, map->options);
	plan->no_read_views = !ms_source_has_read_views(ms_source_table_from_jsonb(plan->sub->source_schema));
	MemoryContextSwitchTo(oldcxt);
	plan->format.ncolumns = list_length(source_columns);
	plan->format.columns = palloc0(sizeof(MsColumn) *
								   Max(1, plan->format.ncolumns));
	plan->format.current = -1;
	plan->row_end = -1;
	if (plan->changes_logged == NULL)
	{
		plan->nchanges_logged = plan->format.ncolumns;
		plan->changes_logged = MemoryContextAllocZero(map->cxt,
													  Max(1, plan->nchanges_logged));
	}
	foreach(lc, source_columns)
	{
		MsSourceColumn *source = lfirst(lc);
		MsColumn   *col = &plan->format.columns[n++];
		const char *name = ms_typemap_target_name(source);

		ms_typemap_init_column(col, source);
		ms_value_bind_protocol(col);
		if (ms_source_column_is_row_end(source) &&
			!map->options->versioned_history)
			plan->row_end = n - 1;
		if (n <= plan->nchanges_logged)
			col->changes_seen = plan->changes_logged[n - 1];
		col->attidx = -1;
		if (name == NULL)
			continue;
		for (int i = 0; i < desc->natts; i++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, i);

			if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
				continue;
			ms_typemap_bind_target(col, source, i, att->atttypid,
								   att->atttypmod, map->options);
			mapped = bms_add_member(mapped, i);
			break;
		}
		if (col->attidx < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("target table \"%s\" has no column \"%s\"",
							RelationGetRelationName(rel), name),
					 errdetail("Column \"%s\" of source table \"%s\" goes there.",
							   source->name, plan->name),
					 errhint("Add the column to the target table.")));
	}
	/* the columns have copies of what they need of it */
	MemoryContextDelete(scratch);
	return mapped;
}

static void
build_plan(MsRelmap *map, TablePlan *plan)
{
	MemoryContext oldcxt;
	Relation	rel;
	Bitmapset  *mapped;

	plan->bound_map = NULL;
	plan->target = NULL;
	plan->generation++;
	MemoryContextReset(plan->cxt);

	rel = OidIsValid(plan->sub->relid) ?
		try_table_open(plan->sub->relid, AccessShareLock) : NULL;
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("target table of \"%s\" does not exist", plan->name),
				 errhint("Run mariadb_sync.remove_table() and mariadb_sync.add_table() for the source table, to copy it anew; then mariadb_sync.start().")));
	/* an invalidation while we build must not be overlooked */
	plan->valid = true;
	oldcxt = MemoryContextSwitchTo(plan->cxt);
	mapped = build_columns(map, plan, rel);
	plan->target = ms_target_build(plan->sub->relid, map->apply_as,
								   map->options->run_as_owner, mapped,
								   plan->name);
	MemoryContextSwitchTo(oldcxt);
	table_close(rel, AccessShareLock);
}

/*
 * Make the plan ready for rows that come under entry's table map (NULL: no
 * rows of the stream will come), and open its target for this transaction.
 */
void
ms_relmap_open(MsRelmap *map, TablePlan *plan, const MapEntry *entry)
{
	if (!plan->opened)
	{
		MemoryContext oldcxt;

		/* with the lock, and what it has made us hear of, nothing changes */
		if (OidIsValid(plan->sub->relid))
			LockRelationOid(plan->sub->relid, RowExclusiveLock);
		while (!plan->valid)
			build_plan(map, plan);
		ms_target_open(plan->target);
		plan->opened = true;
		oldcxt = MemoryContextSwitchTo(map->cxt);
		map->opened = lappend(map->opened, plan);
		MemoryContextSwitchTo(oldcxt);
	}
	if (entry && plan->bound_map != entry->raw)
	{
		const char *problem = bind_table_map(plan, entry);

		if (problem)
			structure_differs(plan, problem);
	}
}

/*
 * Does the table map have the recorded structure?  The target is open
 * afterwards.
 */
bool
ms_relmap_fits(MsRelmap *map, TablePlan *plan, const MapEntry *entry)
{
	ms_relmap_open(map, plan, NULL);
	return plan->bound_map == entry->raw || bind_table_map(plan, entry) == NULL;
}

/* The values of the key by which the row is found. */
static char *
describe_key(const TablePlan *plan, const MsRow *row)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < plan->format.ncolumns; i++)
	{
		const MsColumn *col = &plan->format.columns[i];
		Oid			out_func;
		bool		is_varlena;

		if (col->attidx < 0 || !ms_target_has_key(plan->target) ||
			!ms_target_is_key_column(plan->target, col->attidx) ||
			row->isnull[col->attidx])
			continue;
		getTypeOutputInfo(col->typid, &out_func, &is_varlena);
		appendStringInfo(&buf, "%s%s=%s", buf.len ? ", " : "", col->name,
						 OidOutputFunctionCall(out_func,
											   row->values[col->attidx]));
	}
	return buf.len ? buf.data : "(none)";
}

/*
 * Log what ms_value_changes.first tells of: the first change of a kind in a
 * column, once in the life of the process.  row is the row it was in; gtid is
 * NULL in a copy.
 */
void
ms_relmap_report_changes(TablePlan *plan, const MsRow *row, const char *gtid)
{
	ms_value_changes.first = false;
	for (int i = 0; i < plan->format.ncolumns && i < plan->nchanges_logged; i++)
	{
		const MsColumn *col = &plan->format.columns[i];

		for (int kind = 1; kind <= col->changes_seen; kind <<= 1)
		{
			if ((col->changes_seen & ~plan->changes_logged[i] & kind) == 0)
				continue;
			plan->changes_logged[i] |= kind;
			ereport(LOG,
					(errmsg("column \"%s\" of source table \"%s\" has %s, which is changed",
							col->name, plan->name, ms_value_change_name(kind)),
					 errdetail("GTID %s, key %s. Further values of this kind are only counted, in values_changed.",
							   gtid ? gtid : "of the copy",
							   describe_key(plan, row))));
		}
	}
}

/* Before the commit: write what is batched, let go of relations. */
void
ms_relmap_close_all(MsRelmap *map)
{
	ListCell   *lc;

	foreach(lc, map->opened)
	{
		TablePlan  *plan = lfirst(lc);

		ms_target_close(plan->target);
		plan->opened = false;
	}
	list_free(map->opened);
	map->opened = NIL;
}

/* The transaction was aborted: what was open is gone. */
void
ms_relmap_abort(MsRelmap *map)
{
	ListCell   *lc;

	foreach(lc, map->plans)
	{
		TablePlan  *plan = lfirst(lc);

		plan->opened = false;
		plan->valid = false;
	}
	list_free(map->opened);
	map->opened = NIL;
}
