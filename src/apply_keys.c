/*
 * apply_keys.c - which keys the rows of an event touch in the target.
 *
 * Two transactions may be applied at the same time when nothing that one
 * writes can matter to the other.  Their commits come in the order of the
 * source, so that readers do not see the difference; what remains is the row
 * that an update or delete looks for, and the entries of unique indexes.  Both
 * are keys of the target, as all unique indexes of it are taken: a row is
 * found by one of them.
 *
 * A key is hashed as the target's value, not as the source's bytes: what
 * policies, character sets or types make equal in the target collides there.
 * The target's collation is deterministic or the table is taken as a whole;
 * the source's does not matter, since before images have the row's own bytes.
 *
 * Foreign keys are not checked on a replica, and the rows that their cascades
 * change are none of the stream's: transactions that can have such go alone.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "apply_keys.h"

/* How a column's value is hashed. */
typedef enum HashKind
{
	HASHED_WORD,				/* the datum itself */
	HASHED_BYTES,				/* text and bytea */
	HASHED_PADDED,				/* text whose trailing blanks do not count */
	HASHED_FUNCTION				/* as the type says */
} HashKind;

typedef struct KeyColumn
{
	int			field;			/* in KeySet's fields */
	HashKind	kind;
	FmgrInfo	function;
} KeyColumn;

typedef struct Key
{
	uint64		seed;			/* of this index */
	bool		nulls_equal;
	int			ncolumns;
	KeyColumn  *columns;
} Key;

typedef struct MsTableKeys
{
	MsTogether	together;
	int			nkeys;
	Key		   *keys;
	int			nfields;		/* columns of all keys */
	int		   *fields;			/* in the plan's format, in its order */
	MsValue    *values;			/* by field */
	bool	   *found;			/* and not NULL */
	Datum	   *datums;
	bool	   *isnull;
	MemoryContext cxt;			/* of datums, reset for a row */
} MsTableKeys;

/* ------------------------------------------------------------------------
 * Binding
 * ------------------------------------------------------------------------
 */

/* How are values of this type hashed?  False: in no way we know. */
static bool
choose_hash(KeyColumn *column, Oid type, Oid collation, MemoryContext cxt)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			column->kind = HASHED_WORD;
			return true;
		case TEXTOID:
		case BPCHAROID:
			if (GetDatabaseEncoding() != PG_UTF8 &&
				GetDatabaseEncoding() != PG_SQL_ASCII)
				return false;
			if (OidIsValid(collation) &&
				!get_collation_isdeterministic(collation))
				return false;
			column->kind = type == TEXTOID ? HASHED_BYTES : HASHED_PADDED;
			return true;
		case BYTEAOID:
			column->kind = HASHED_BYTES;
			return true;
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case UUIDOID:
		case INETOID:
		case INTERVALOID:
			column->kind = HASHED_FUNCTION;
			fmgr_info_cxt(lookup_type_cache(type, TYPECACHE_HASH_PROC)->hash_proc,
						  &column->function, cxt);
			return true;
	}
	return false;
}

static int
compare_ints(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

static int
find_column(const MsRowFormat *format, int att)
{
	for (int i = 0; i < format->ncolumns; i++)
		if (format->columns[i].attidx == att)
			return i;
	return -1;
}

/* The columns of all keys, each once.  False when the source lacks one. */
static bool
collect_fields(MsTableKeys *keys, const MsRowFormat *format, List *uniques)
{
	ListCell   *lc;
	int			n = 0;

	keys->fields = palloc(sizeof(int) * Max(1, format->ncolumns));
	foreach(lc, uniques)
	{
		const MsUniqueKey *unique = lfirst(lc);

		for (int i = 0; i < unique->ncolumns; i++)
		{
			int			column = find_column(format, unique->atts[i]);
			bool		known = false;

			/* values of a domain are not made without its constraints */
			if (column < 0 || OidIsValid(format->columns[column].domain) ||
				format->columns[column].build == ms_value_build_input)
				return false;
			for (int j = 0; j < n; j++)
				known = known || keys->fields[j] == column;
			if (!known)
				keys->fields[n++] = column;
		}
	}
	qsort(keys->fields, n, sizeof(int), compare_ints);
	keys->nfields = n;
	return true;
}

static bool
make_key(Key *key, const MsTableKeys *keys, const MsRowFormat *format,
		 const MsUniqueKey *unique, MemoryContext cxt)
{
	if (!unique->plain)
		return false;
	key->nulls_equal = unique->nulls_equal;
	key->ncolumns = unique->ncolumns;
	key->columns = palloc0(sizeof(KeyColumn) * key->ncolumns);
	for (int i = 0; i < key->ncolumns; i++)
	{
		KeyColumn  *column = &key->columns[i];
		int			wanted = find_column(format, unique->atts[i]);

		while (keys->fields[column->field] != wanted)
			column->field++;
		if (!choose_hash(column, unique->types[i], unique->collations[i], cxt))
			return false;
	}
	return true;
}

/* With the target open: in which way its rows' keys are known. */
static MsTogether
make_keys(MsTableKeys *keys, const TablePlan *plan)
{
	const MsRowFormat *format = &plan->format;
	List	   *uniques;
	ListCell   *lc;

	/* what history rows do is seen row by row; others are not found by key */
	if (!ms_target_is_direct(plan->target) ||
		!ms_target_has_key(plan->target) || plan->row_end >= 0)
		return MS_TOGETHER_NEVER;
	uniques = ms_target_unique_keys(plan->target);
	if (!collect_fields(keys, format, uniques))
		return MS_TOGETHER_WHOLE;
	keys->keys = palloc0(sizeof(Key) * list_length(uniques));
	foreach(lc, uniques)
	{
		Key		   *key = &keys->keys[keys->nkeys];

		if (!make_key(key, keys, format, lfirst(lc), plan->cxt))
			return MS_TOGETHER_WHOLE;
		key->seed = hash_combine64(plan->sub->relid, ++keys->nkeys);
	}
	keys->values = palloc(sizeof(MsValue) * keys->nfields);
	keys->found = palloc(sizeof(bool) * keys->nfields);
	keys->datums = palloc(sizeof(Datum) * keys->nfields);
	keys->isnull = palloc(sizeof(bool) * keys->nfields);
	keys->cxt = AllocSetContextCreate(plan->cxt, "mariadb_sync keys",
									  ALLOCSET_SMALL_SIZES);
	return MS_TOGETHER_BY_KEY;
}

/*
 * Make ready for rows that come under entry's table map.  Outside of a
 * transaction.  Raises an error for a structure that is not the recorded one.
 *
 * Whoever has locked the table may wait for a worker, which waits for what we
 * have yet to send: we do not wait here.
 */
MsTogether
ms_keys_bind(MsRelmap *map, TablePlan *plan, const MapEntry *entry)
{
	MemoryContext oldcxt = CurrentMemoryContext;

	if (likely(plan->keys != NULL && plan->valid &&
			   plan->keys_generation == plan->generation &&
			   plan->bound_map == entry->raw))
		return plan->keys->together;

	StartTransactionCommand();
	if (OidIsValid(plan->sub->relid) &&
		!ConditionalLockRelationOid(plan->sub->relid, RowExclusiveLock))
	{
		CommitTransactionCommand();
		MemoryContextSwitchTo(oldcxt);
		return MS_TOGETHER_NEVER;
	}
	ms_relmap_open(map, plan, entry);
	if (plan->keys_generation != plan->generation)
	{
		MemoryContextSwitchTo(plan->cxt);
		plan->keys = palloc0(sizeof(MsTableKeys));
		plan->keys->together = make_keys(plan->keys, plan);
		plan->keys_generation = plan->generation;
	}
	ms_relmap_close_all(map);
	CommitTransactionCommand();
	MemoryContextSwitchTo(oldcxt);
	return plan->keys->together;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

static inline bool
is_present(const uint8 *present, int column)
{
	return (present[column / 8] & (1 << column % 8)) != 0;
}

/* Are all columns of the keys in this image? */
static bool
image_has_keys(const MsTableKeys *keys, const uint8 *present)
{
	for (int i = 0; i < keys->nfields; i++)
		if (!is_present(present, keys->fields[i]))
			return false;
	return true;
}

/* Make datums of the fields that are present. */
static void
build_fields(MsTableKeys *keys, const MsRowFormat *format,
			 const uint8 *present)
{
	for (int i = 0; i < keys->nfields; i++)
	{
		if (present && !is_present(present, keys->fields[i]))
			continue;
		keys->isnull[i] = !keys->found[i];
		if (keys->found[i])
		{
			MsColumn   *col = &format->columns[keys->fields[i]];

			keys->datums[i] = col->build(col, &keys->values[i],
										 &keys->isnull[i]);
		}
	}
}

/* Every bit of the result depends on every bit of n. */
static inline uint64
mix(uint64 n)
{
	n = (n ^ n >> 30) * UINT64CONST(0xBF58476D1CE4E5B9);
	n = (n ^ n >> 27) * UINT64CONST(0x94D049BB133111EB);
	return n ^ n >> 31;
}

static uint64
hash_value(KeyColumn *column, Datum datum)
{
	struct varlena *text;
	const char *data;
	int			len;

	switch (column->kind)
	{
		case HASHED_WORD:
			return mix(datum);
		case HASHED_FUNCTION:
			return DatumGetUInt32(FunctionCall1(&column->function, datum));
		default:
			break;
	}
	text = (struct varlena *) DatumGetPointer(datum);
	data = VARDATA_ANY(text);
	len = VARSIZE_ANY_EXHDR(text);
	while (column->kind == HASHED_PADDED && len > 0 && data[len - 1] == ' ')
		len--;
	return hash_bytes_extended((const unsigned char *) data, len, 0);
}

/* Touch every key of the row whose fields have been built. */
static void
touch_row(MsTableKeys *keys, MsWindow *window, uint64 group, uint64 *after)
{
	for (int i = 0; i < keys->nkeys; i++)
	{
		Key		   *key = &keys->keys[i];
		uint64		hash = key->seed;
		bool		has_null = false;
		uint64		last;

		for (int j = 0; j < key->ncolumns; j++)
		{
			KeyColumn  *column = &key->columns[j];

			if (keys->isnull[column->field])
				has_null = true;
			else
				hash = hash_combine64(hash,
									  hash_value(column,
												 keys->datums[column->field]));
		}
		/* unless they are equal, no other row can have the same */
		if (has_null && !key->nulls_equal)
			continue;
		last = ms_window_touch(window, mix(hash), group);
		if (last != group)
			*after = Max(*after, last);
	}
}

/* Touch the keys of one row; returns its end. */
static const uint8 *
touch_images(TablePlan *plan, const MsRowsEvent *rows, const uint8 *p,
			 MsWindow *window, uint64 group, uint64 *after)
{
	MsTableKeys *keys = plan->keys;

	memset(keys->found, false, sizeof(bool) * keys->nfields);
	p = ms_value_pick_image_row(&plan->format, p, rows->end, rows->present,
								keys->fields, keys->nfields, keys->values,
								keys->found);
	build_fields(keys, &plan->format, NULL);
	touch_row(keys, window, group, after);
	if (rows->op != MS_ROW_UPDATE)
		return p;

	/* what the after image leaves out is as it was */
	for (int i = 0; i < keys->nfields; i++)
		if (is_present(rows->present_after, keys->fields[i]))
			keys->found[i] = false;
	p = ms_value_pick_image_row(&plan->format, p, rows->end,
								rows->present_after, keys->fields,
								keys->nfields, keys->values, keys->found);
	build_fields(keys, &plan->format, rows->present_after);
	touch_row(keys, window, group, after);
	return p;
}

/*
 * The group, which is the last, writes these rows.  *after becomes at least
 * the last group before it that has written something that matters to them.
 * Returns the number of rows.  May raise an error about a value.
 */
int
ms_keys_touch(TablePlan *plan, const MsRowsEvent *rows, MsWindow *window,
			  uint64 group, uint64 *after)
{
	MsTableKeys *keys = plan->keys;
	const uint8 *p = rows->rows;
	MemoryContext oldcxt;
	int			n = 0;

	if (plan->touched_wholly != group)
		*after = Max(*after, plan->touched_wholly);
	if (keys->together != MS_TOGETHER_BY_KEY ||
		!image_has_keys(keys, rows->present))
	{
		if (plan->touched != group)
			*after = Max(*after, plan->touched);
		plan->touched = plan->touched_wholly = group;
		return 1;
	}
	plan->touched = group;
	ms_value_changes.ignore = true;
	oldcxt = MemoryContextSwitchTo(keys->cxt);
	while (p < rows->end)
	{
		p = touch_images(plan, rows, p, window, group, after);
		MemoryContextReset(keys->cxt);
		n++;
	}
	MemoryContextSwitchTo(oldcxt);
	ms_value_changes.ignore = false;
	return n;
}
