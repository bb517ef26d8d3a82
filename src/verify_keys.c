/*
 * verify_keys.c - which rows differ, where a part of a table does.
 *
 * The keys and hashes of both sides meet in a hash table; of those that
 * differ the values are read, a few hundred at a time, and written down.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "verify_run.h"

/* A key of a part, or a row of a table without one. */
typedef struct KeyEntry
{
	uint8		key[MS_DIGEST_LEN]; /* hash key */
	int64		source_count;
	int64		target_count;
	uint8		source_hash[MS_DIGEST_LEN];
	uint8		target_hash[MS_DIGEST_LEN];
	bool		wanted;			/* its values are being read */
	bool		settled;		/* a policy's doing */
	char	  **source_cells;	/* or NULL */
	char	  **target_cells;
} KeyEntry;

typedef struct Keys
{
	HTAB	   *entries;
	MemoryContext cells_cxt;
	const bool *buckets;		/* of the part */
} Keys;

static KeyEntry *
find_entry(HTAB *entries, const uint8 *key)
{
	bool		found;
	KeyEntry   *entry = hash_search(entries, key, HASH_ENTER, &found);

	if (!found)
		memset((char *) entry + MS_DIGEST_LEN, 0, sizeof(KeyEntry) - MS_DIGEST_LEN);
	return entry;
}

static bool
is_in_part(const Keys *keys, int bucket)
{
	return keys->buckets == NULL || keys->buckets[bucket];
}

static void
count_source_row(void *arg, const MsVerifyTable *table,
				 const MsVerifySourceRow *row)
{
	Keys	   *keys = arg;
	KeyEntry   *entry;

	if (!is_in_part(keys, row->bucket))
		return;
	entry = find_entry(keys->entries, row->key);
	entry->source_count++;
	memcpy(entry->source_hash, row->hash, MS_DIGEST_LEN);
}

static void
count_target_row(void *arg, const MsVerifyTable *table, const MsVerifyRow *row)
{
	Keys	   *keys = arg;
	KeyEntry   *entry;

	if (!is_in_part(keys, row->bucket))
		return;
	entry = find_entry(keys->entries, row->key);
	entry->target_count++;
	memcpy(entry->target_hash, row->hash, MS_DIGEST_LEN);
}

static char *
hex_key(const uint8 *key)
{
	char	   *hex = palloc(MS_DIGEST_LEN * 2 + 1);

	hex[hex_encode((const char *) key, MS_DIGEST_LEN, hex)] = '\0';
	return hex;
}

/* MariaDB's condition for up to MS_VERIFY_KEYS of the keys. */
char *
ms_verify_key_condition(const MsVerifyTable *table, List *keys, int from)
{
	StringInfoData buf;

	initStringInfo(&buf);
	/* of a fetched column the source does not know the MD5 */
	if (table->fetches && table->key == NIL)
		return "(1 = 1)";
	appendStringInfo(&buf, "%s IN (", table->source_key);
	for (int i = from; i < Min(from + MS_VERIFY_KEYS, list_length(keys)); i++)
		appendStringInfo(&buf, "%s'%s'", i > from ? ", " : "",
						 (char *) list_nth(keys, i));
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

static void
keep_source_cells(void *arg, const MsVerifyTable *table,
				  const MsVerifySourceRow *row)
{
	Keys	   *keys = arg;
	KeyEntry   *entry = hash_search(keys->entries, row->key, HASH_FIND, NULL);
	int			n = list_length(table->columns);

	if (entry == NULL || !entry->wanted || entry->source_cells)
		return;
	entry->source_cells = MemoryContextAllocZero(keys->cells_cxt, n * sizeof(char *));
	for (int i = 0; i < n; i++)
		if (row->cells[i])
			entry->source_cells[i] = MemoryContextStrdup(keys->cells_cxt,
														 row->cells[i]);
}

static void
keep_target_cells(void *arg, const MsVerifyTable *table, const MsVerifyRow *row)
{
	Keys	   *keys = arg;
	KeyEntry   *entry = hash_search(keys->entries, row->key, HASH_FIND, NULL);
	MemoryContext oldcxt;
	ListCell   *lc;

	if (entry == NULL || !entry->wanted || entry->target_cells)
		return;
	oldcxt = MemoryContextSwitchTo(keys->cells_cxt);
	entry->target_cells = palloc0(list_length(table->columns) * sizeof(char *));
	foreach(lc, table->columns)
		entry->target_cells[foreach_current_index(lc)] = ms_verify_cell(lfirst(lc), row->slot);
	MemoryContextSwitchTo(oldcxt);
}

static bool
same_cell(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Values of a row as JSON.  With others, only those that differ from them. */
static char *
row_as_json(const MsVerifyTable *table, char **cells, char **others)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, table->columns)
	{
		MsVerifyColumn *col = lfirst(lc);
		int			i = foreach_current_index(lc);

		if (others && same_cell(cells[i], others[i]))
			continue;
		appendStringInfoString(&buf, buf.len ? ", " : "{");
		escape_json(&buf, col->name);
		appendStringInfoString(&buf, ": ");
		if (cells[i])
			escape_json(&buf, cells[i]);
		else
			appendStringInfoString(&buf, "null");
	}
	appendStringInfoString(&buf, buf.len ? "}" : "{}");
	return buf.data;
}

/* Names of the columns that differ. */
static List *
differing_columns(const MsVerifyTable *table, char **a, char **b)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		int			i = foreach_current_index(lc);

		if (!same_cell(a[i], b[i]))
			names = lappend(names, ((MsVerifyColumn *) lfirst(lc))->name);
	}
	return names;
}

/* Do the rows differ, and only by what a policy makes of values? */
static bool
is_explained(const MsVerifyTable *table, char **source, char **target)
{
	bool		any = false;
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		int			i = foreach_current_index(lc);

		if (same_cell(source[i], target[i]))
			continue;
		if (!ms_verify_explained(lfirst(lc), source[i], target[i]))
			return false;
		any = true;
	}
	return any;
}

/* The key of a row for people; a row without one is named by its hash. */
static char *
key_text(const MsVerifyTable *table, const uint8 *key, char **cells)
{
	StringInfoData buf;
	ListCell   *lc;

	if (table->key == NIL)
		return hex_key(key);
	initStringInfo(&buf);
	foreach(lc, table->key)
	{
		int			i = 0;

		while (list_nth(table->columns, i) != lfirst(lc))
			i++;
		appendStringInfo(&buf, "%s%s", foreach_current_index(lc) ? "," : "",
						 cells[i] ? cells[i] : "");
	}
	return buf.data;
}

static void
record(const Verify *v, const MsVerifyTable *table, const char *kind,
	   const char *key, List *columns, const char *source, const char *target)
{
	ms_catalog_add_difference(v->sub->name, table->name, table->sub->relid,
							  key, kind, columns, source, target, v->gtid);
}

/* Both sides have the row. */
static void
record_pair(const Verify *v, const MsVerifyTable *table, const char *kind,
			const uint8 *key, char **source, char **target)
{
	record(v, table, kind, key_text(table, key, source),
		   differing_columns(table, source, target),
		   row_as_json(table, source, target), row_as_json(table, target, source));
}

/*
 * Rows without a key that a policy has changed are missing and surplus: find
 * the one that the other has become.
 */
static void
pair_explained(const Verify *v, const MsVerifyTable *table, List *batch)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, batch)
	{
		KeyEntry   *lost = lfirst(lc);

		foreach(lc2, batch)
		{
			KeyEntry   *found = lfirst(lc2);

			if (lost->source_cells == NULL || found->target_cells == NULL ||
				found == lost || lost->settled || found->settled ||
				lost->source_count - lost->target_count !=
				found->target_count - found->source_count ||
				!is_explained(table, lost->source_cells, found->target_cells))
				continue;
			lost->settled = found->settled = true;
			record_pair(v, table, "policy", lost->key, lost->source_cells,
						found->target_cells);
		}
	}
}

/* Count and write down what is different about a key.  False: a policy. */
static bool
record_entry(const Verify *v, TableCheck *check, const KeyEntry *entry)
{
	const MsVerifyTable *table = check->table;
	int64		n = entry->source_count - entry->target_count;
	char	  **cells = entry->source_cells ? entry->source_cells : entry->target_cells;

	if (entry->settled)
		return false;
	if (n == 0)
	{
		bool		explained = entry->source_cells && entry->target_cells &&
		is_explained(table, entry->source_cells, entry->target_cells);

		if (!explained)
			check->different++;
		if (entry->source_cells && entry->target_cells)
			record_pair(v, table, explained ? "policy" : "different", entry->key,
						entry->source_cells, entry->target_cells);
		return !explained;
	}
	if (n > 0)
		check->missing += n;
	else
		check->surplus -= n;
	for (; n != 0 && cells; n += n > 0 ? -1 : 1)
		record(v, table, n > 0 ? "missing" : "surplus",
			   key_text(table, entry->key, cells), NIL,
			   n > 0 ? row_as_json(table, cells, NULL) : NULL,
			   n < 0 ? row_as_json(table, cells, NULL) : NULL);
	return true;
}

/* Look at up to MS_VERIFY_KEYS of the entries that differ. */
static List *
record_batch(Verify *v, TableCheck *check, const MsVerifyPart *part, Keys *keys,
			 List *differing, int from)
{
	MsVerifyTable *table = check->table;
	List	   *batch = NIL;
	List	   *names = NIL;
	List	   *result = NIL;
	ListCell   *lc;

	for (int i = from; i < Min(from + MS_VERIFY_KEYS, list_length(differing)); i++)
	{
		KeyEntry   *entry = list_nth(differing, i);

		entry->wanted = true;
		batch = lappend(batch, entry);
		names = lappend(names, hex_key(entry->key));
	}
	ms_verify_source_scan(v->wires[0], table,
						  psprintf("%s AND %s", part->source,
								   ms_verify_key_condition(table, names, 0)),
						  MS_VERIFY_CELLS, keep_source_cells, keys);
	ms_verify_scan(table, part->target, v->snapshot, keep_target_cells, keys);
	if (table->key == NIL)
		pair_explained(v, table, batch);
	foreach(lc, batch)
	{
		KeyEntry   *entry = lfirst(lc);

		if (record_entry(v, check, entry))
			result = lappend(result, list_nth(names, foreach_current_index(lc)));
		entry->wanted = false;
		entry->source_cells = entry->target_cells = NULL;
	}
	MemoryContextReset(keys->cells_cxt);
	return result;
}

/* A part differs: find the keys. */
void
ms_verify_compare_keys(Verify *v, TableCheck *check, MsVerifyPart *part)
{
	HASHCTL		ctl = {0};
	Keys		keys = {0};
	HASH_SEQ_STATUS seq;
	KeyEntry   *entry;
	List	   *differing = NIL;

	ctl.keysize = MS_DIGEST_LEN;
	ctl.entrysize = sizeof(KeyEntry);
	ctl.hcxt = CurrentMemoryContext;
	keys.entries = hash_create("mariadb_sync keys of a part", 1024, &ctl,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	keys.cells_cxt = AllocSetContextCreate(CurrentMemoryContext,
										   "mariadb_sync cells",
										   ALLOCSET_DEFAULT_SIZES);
	keys.buckets = part->buckets;
	ms_verify_source_scan(v->wires[0], check->table, part->source,
						  MS_VERIFY_NO_CELLS, count_source_row, &keys);
	ms_verify_scan(check->table, part->target, v->snapshot, count_target_row,
				   &keys);
	hash_seq_init(&seq, keys.entries);
	while ((entry = hash_seq_search(&seq)) != NULL)
		if (entry->source_count != entry->target_count ||
			memcmp(entry->source_hash, entry->target_hash, MS_DIGEST_LEN) != 0)
			differing = lappend(differing, entry);
	for (int from = 0; from < list_length(differing); from += MS_VERIFY_KEYS)
		part->keys = list_concat(part->keys,
								 record_batch(v, check, part, &keys, differing, from));
	if (part->keys)
		check->parts = lappend(check->parts, part);
	MemoryContextDelete(keys.cells_cxt);
	hash_destroy(keys.entries);
}

/* ------------------------------------------------------------------------
 * Policies
 * ------------------------------------------------------------------------
 */

typedef struct Policies
{
	const Verify *v;
	Keys		keys;
} Policies;

static void
keep_policy_row(void *arg, const MsVerifyTable *table,
				const MsVerifySourceRow *row)
{
	Keys	   *keys = arg;
	KeyEntry   *entry = find_entry(keys->entries, row->key);

	entry->wanted = true;
	keep_source_cells(arg, table, row);
}

static void
record_policy_row(void *arg, const MsVerifyTable *table,
				  const MsVerifySourceRow *row)
{
	Policies   *policies = arg;
	KeyEntry   *entry = hash_search(policies->keys.entries, row->key, HASH_FIND, NULL);

	if (entry)
		record_pair(policies->v, table, "policy", row->key, row->cells,
					entry->source_cells);
}

/* Values that a policy has changed: known, and shown. */
void
ms_verify_record_policies(Verify *v, TableCheck *check, const MsVerifyPart *part)
{
	HASHCTL		ctl = {0};
	Policies	policies = {0};
	char	   *condition = psprintf("%s AND (%s)", part->source,
									 check->table->policy);

	ctl.keysize = MS_DIGEST_LEN;
	ctl.entrysize = sizeof(KeyEntry);
	ctl.hcxt = CurrentMemoryContext;
	policies.v = v;
	policies.keys.entries = hash_create("mariadb_sync rows changed by a policy",
										256, &ctl,
										HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	policies.keys.cells_cxt = AllocSetContextCreate(CurrentMemoryContext,
													"mariadb_sync cells",
													ALLOCSET_DEFAULT_SIZES);
	ms_verify_source_scan(v->wires[0], check->table, condition, MS_VERIFY_CELLS,
						  keep_policy_row, &policies.keys);
	ms_verify_source_scan(v->wires[0], check->table, condition,
						  MS_VERIFY_RAW_CELLS, record_policy_row, &policies);
	MemoryContextDelete(policies.keys.cells_cxt);
	hash_destroy(policies.keys.entries);
}
