/*
 * verify_table.c - what is compared of a table, and by which expressions.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "role.h"
#include "typemap.h"
#include "verify.h"

static void
bind_functions(MsVerifyColumn *col)
{
	Oid			func;
	bool		is_varlena;

	getTypeOutputInfo(col->typid, &func, &is_varlena);
	fmgr_info(func, &col->out);
	if (col->kind == MS_KIND_GEOMETRY || col->kind == MS_KIND_VECTOR)
	{
		getTypeBinaryOutputInfo(col->typid, &func, &is_varlena);
		fmgr_info(func, &col->send);
	}
}

static void
describe_columns(MsVerifyTable *table, List *sources,
				 const MsSubscriptionOptions *options)
{
	Relation	rel = table_open(table->sub->relid, AccessShareLock);
	List	   *fetched = NIL;
	StringInfoData policy;
	ListCell   *lc;

	/* tableoid and ctid come first */
	AttrNumber	number = 2;

	initStringInfo(&policy);
	foreach(lc, sources)
	{
		MsSourceColumn *source = lfirst(lc);
		const char *name = ms_typemap_target_name(source);
		AttrNumber	attnum;
		Form_pg_attribute att;
		MsVerifyColumn *col;

		if (name == NULL)
			continue;
		attnum = get_attnum(table->sub->relid, name);
		if (attnum <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("target of table \"%s\" has no column \"%s\"",
							table->name, name)));
		att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
		col = ms_verify_column(source, att->atttypid, att->atttypmod, options);
		bind_functions(col);
		if (col->policy)
			appendStringInfo(&policy, "%s(%s)", policy.len ? " OR " : "",
							 col->policy);
		if (col->fetched)
			fetched = lappend(fetched, col);
		else
			table->columns = lappend(table->columns, col);
	}
	table->fetches = fetched != NIL;
	table->columns = list_concat(table->columns, fetched);
	foreach(lc, table->columns)
		((MsVerifyColumn *) lfirst(lc))->attnum = ++number;
	if (policy.len > 0)
		table->policy = policy.data;
	table->target = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
											   RelationGetRelationName(rel));
	/* a structure change does not wait for the whole run */
	table_close(rel, AccessShareLock);
}

/* ------------------------------------------------------------------------
 * Structure changes meanwhile
 * ------------------------------------------------------------------------
 */

static void
append_version(StringInfo buf, Oid relid)
{
	Relation	rel = try_table_open(relid, AccessShareLock);
	TupleDesc	desc;

	if (rel == NULL)
	{
		appendStringInfo(buf, "%u gone;", relid);
		return;
	}
	desc = RelationGetDescr(rel);
	appendStringInfo(buf, "%u %u", relid, rel->rd_rel->relfilenode);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped)
			appendStringInfo(buf, ", %s %u %d", NameStr(att->attname),
							 att->atttypid, att->atttypmod);
	}
	appendStringInfoChar(buf, ';');
	table_close(rel, AccessShareLock);
}

/*
 * What changes when the target is altered or emptied: an old snapshot does not
 * see its rows any more, or not all columns.
 */
static char *
target_version(Oid relid)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
		append_version(&buf, lfirst_oid(lc));
	return buf.data;
}

/* Is the target not what it was when the table was described? */
bool
ms_verify_is_altered(const MsVerifyTable *table)
{
	AcceptInvalidationMessages();
	return strcmp(target_version(table->sub->relid), table->version) != 0;
}

/* ------------------------------------------------------------------------
 * The whole
 * ------------------------------------------------------------------------
 */

/* The column of the comparison that is a column of the source. */
static MsVerifyColumn *
find_column(const MsVerifyTable *table, List *sources, const char *name)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, sources)
	{
		MsSourceColumn *source = lfirst(lc);
		const char *target = ms_typemap_target_name(source);

		if (strcmp(source->name, name) != 0 || target == NULL)
			continue;
		foreach(lc2, table->columns)
			if (strcmp(((MsVerifyColumn *) lfirst(lc2))->name, target) == 0)
			return lfirst(lc2);
	}
	return NULL;
}

/*
 * The type by which both servers have the column's values in the same order,
 * NULL if there is none.  Texts and UUIDs are ordered by rules of MariaDB's
 * own; a value that a policy has changed may be anywhere.
 */
static const char *
order_type(const MsVerifyColumn *col)
{
	if (col->policy || col->fetched || col->zone)
		return NULL;
	switch (col->kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
			return col->typid == INT2OID || col->typid == INT4OID ||
				col->typid == INT8OID || col->typid == NUMERICOID ? "numeric" : NULL;
		case MS_KIND_DECIMAL:
			return col->typid == NUMERICOID ? "numeric" : NULL;
		case MS_KIND_DATE:
			return col->typid == DATEOID ? "date" : NULL;
		case MS_KIND_DATETIME:
			return col->typid == TIMESTAMPOID ? "timestamp" : NULL;
		case MS_KIND_TIMESTAMP:
			return col->typid == TIMESTAMPTZOID ? "timestamptz" : NULL;
		case MS_KIND_BYTES:
			return col->typid == BYTEAOID ? "bytea" : NULL;
		default:
			return NULL;
	}
}

/* Can ranges of the column be read without reading the whole target? */
static bool
has_index(const MsVerifyTable *table, const MsVerifyColumn *col)
{
	Relation	rel = table_open(table->sub->relid, AccessShareLock);
	AttrNumber	attnum = get_attnum(table->sub->relid, col->name);
	bool		found = false;
	ListCell   *lc;
	MsRole		before;

	ms_role_enter_table(table->sub->relid, &before);
	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indisvalid &&
			index->rd_index->indkey.values[0] == attnum &&
			RelationGetIndexPredicate(index) == NIL)
			found = true;
		index_close(index, AccessShareLock);
	}
	ms_role_return(&before);
	table_close(rel, AccessShareLock);
	return found;
}

static void
describe_key(MsVerifyTable *table, List *sources, List *names)
{
	MsVerifyColumn *first = NULL;
	bool		usable = true;
	ListCell   *lc;

	foreach(lc, names)
	{
		MsVerifyColumn *col = find_column(table, sources, lfirst(lc));

		if (foreach_current_index(lc) == 0)
			first = col;
		/* a policy could make two keys of the source one */
		if (col == NULL || col->fetched || col->policy || col->zone)
			usable = false;
		table->key = lappend(table->key, col);
	}
	if (!usable)
		table->key = NIL;
	if (first == NULL || order_type(first) == NULL || !has_index(table, first))
		return;
	table->range_key = first;
	table->range_type = order_type(first);
	table->range_source = ms_wire_quote_identifier(linitial(names));
	table->range_target = pstrdup(quote_identifier(first->name));
}

/* Into how many buckets the rows are dealt by the text of their key. */
void
ms_verify_set_buckets(MsVerifyTable *table, int nbuckets)
{
	table->nbuckets = nbuckets;
	table->source_bucket = nbuckets == 1 ? "0" :
		psprintf("CRC32(%s) MOD %d",
				 ms_verify_row_text(table->key ? table->key : table->columns, false),
				 nbuckets);
}

/*
 * key_names are the source's columns that are its key, NIL if it has none.
 */
MsVerifyTable *
ms_verify_describe(const MsSubscription *sub,
				   const MsSubscriptionOptions *options, MsSubTable *subtable,
				   List *key_names)
{
	MsVerifyTable *table = palloc0(sizeof(MsVerifyTable));
	List	   *sources = ms_source_columns_from_jsonb(subtable->source_schema);

	ms_options_bind_columns(sources, subtable->columns, options);
	table->sub = subtable;
	table->name = psprintf("%s.%s", subtable->source_db, subtable->source_table);
	table->source = psprintf("%s.%s%s",
							 ms_wire_quote_identifier(subtable->source_db),
							 ms_wire_quote_identifier(subtable->source_table),
							 ms_source_rows_clause(sources, options->versioned_history));
	table->version = target_version(subtable->relid);
	describe_columns(table, sources, options);
	describe_key(table, sources, key_names);
	table->source_text = ms_verify_row_text(table->columns, false);
	table->source_hash = psprintf("MD5(%s)", table->source_text);
	table->source_plain = psprintf("MD5(%s)", ms_verify_row_text(table->columns, true));
	table->source_key = table->source_hash;
	if (table->key)
		table->source_key = psprintf("MD5(%s)", ms_verify_row_text(table->key, false));
	ms_verify_set_buckets(table, 1);
	return table;
}
