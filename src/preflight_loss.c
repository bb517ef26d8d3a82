/*
 * preflight_loss.c - what will the tables that we make not have?
 *
 * Part of preflight.c, which says what a check is.  Replication needs none of
 * this; whoever moves here for good does.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "preflight_internal.h"
#include "remote_schema.h"
#include "typemap.h"

/* Every name of the list behind its table's. */
static List *
add_names(List *all, const MsSourceTable *table, const List *names)
{
	ListCell   *lc;

	foreach(lc, names)
		all = lappend(all, psprintf("%s.%s.%s", table->db, table->name,
									(char *) lfirst(lc)));
	return all;
}

static List *
column_names(const List *columns)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, columns)
		names = lappend(names, ((MsSourceColumn *) lfirst(lc))->name);
	return names;
}

/*
 * Columns with a default that PostgreSQL does not have.  NEXT VALUE FOR a
 * sequence is known when the sequence is here, and not before.
 */
static List *
lost_defaults(const MsSourceTable *table, const MsSubscriptionOptions *options)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, ms_typemap_lost_defaults(table, options))
	{
		MsSourceColumn *col = lfirst(lc);

		if (pg_strncasecmp(col->default_text, "nextval(", 8) != 0)
			columns = lappend(columns, col);
	}
	return columns;
}

static bool
has_problem(const MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, table->columns)
		if (ms_preflight_column_problem(lfirst(lc)))
		return true;
	return false;
}

void
ms_preflight_losses(Preflight *pf)
{
	MsSubscriptionOptions options;
	List	   *indexes = NIL;
	List	   *defaults = NIL;
	List	   *computed = NIL;
	List	   *loose = NIL;
	ListCell   *lc;

	ms_options_parse(DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														CStringGetDatum("{}"))),
					 &options);
	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (strcmp(table->table_type, "SEQUENCE") == 0 || has_problem(table))
			continue;
		indexes = add_names(indexes, table, ms_typemap_lost_indexes(table));
		defaults = add_names(defaults, table,
							 column_names(lost_defaults(table, &options)));
		computed = add_names(computed, table,
							 column_names(ms_typemap_computed_columns(table)));
		loose = add_names(loose, table, ms_typemap_loose_keys(table));
	}
	if (indexes)
		ms_preflight_add_names(pf, "indexes", MS_SEVERITY_NOTICE, 0, indexes,
							   "indexes that are not made here",
							   "PostgreSQL has no counterpart of FULLTEXT, SPATIAL and long HASH indexes, and of those over leading characters",
							   pstrdup("Create indexes for the queries that need them when the tables are copied."));
	else
		ms_preflight_add_ok(pf, "indexes", pstrdup("every index has a counterpart"));
	if (defaults)
		ms_preflight_add_names(pf, "defaults", MS_SEVERITY_NOTICE,
							   0, defaults,
							   "columns whose default is not made here",
							   "Their defaults are expressions or values that PostgreSQL does not have",
							   pstrdup("Set defaults before applications write here."));
	if (computed)
		ms_preflight_add_names(pf, "computed_columns", MS_SEVERITY_NOTICE,
							   0, computed,
							   "columns that the source fills by itself",
							   "Generated columns and those with ON UPDATE CURRENT_TIMESTAMP are plain columns here, with the source's values",
							   pstrdup("Create triggers for them before applications write here."));
	if (loose)
		ms_preflight_add_names(pf, "unique_texts", MS_SEVERITY_NOTICE,
							   0, loose,
							   "unique keys over texts that are compared by a collation",
							   "Texts that differ in case, accents or trailing blanks can be equal on the source and are different here",
							   pstrdup("Before applications write here, create unique indexes over lower() of such columns if they rely on it."));
}
