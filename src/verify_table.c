/*
 * verify_table.c - what is compared of a table, and by which expressions.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

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
	table_close(rel, NoLock);
}

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

static void
describe_key(MsVerifyTable *table, List *sources, List *names)
{
	MsVerifyColumn *first;
	ListCell   *lc;

	foreach(lc, names)
	{
		MsVerifyColumn *col = find_column(table, sources, lfirst(lc));

		/* a policy could make two keys of the source one */
		if (col == NULL || col->fetched || col->policy || col->zone)
		{
			table->key = NIL;
			return;
		}
		table->key = lappend(table->key, col);
	}
	if (table->key == NIL)
		return;
	first = linitial(table->key);
	if ((first->kind == MS_KIND_INT || first->kind == MS_KIND_UINT) &&
		(first->typid == INT2OID || first->typid == INT4OID ||
		 first->typid == INT8OID || first->typid == NUMERICOID))
	{
		table->int_key = first;
		table->int_key_source = ms_wire_quote_identifier(linitial(names));
		table->int_key_target = pstrdup(quote_identifier(first->name));
	}
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
	table->source = psprintf("%s.%s",
							 ms_wire_quote_identifier(subtable->source_db),
							 ms_wire_quote_identifier(subtable->source_table));
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
