/*
 * cascade_link.c - which table hangs on which, and by which columns.
 *
 * Part of the cascade room.  Linking finds the dependants of every table in
 * the recorded foreign keys; it is done anew when the tables of the map or
 * their schemas change.  Binding finds the columns: of a dependant when its
 * target's plan was made anew, of a parent when its plan or its table map was.
 */
#include "postgres.h"

#include "catalog/pg_class_d.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "cascade_internal.h"
#include "encoding.h"
#include "remote_schema.h"
#include "typemap.h"

/* ------------------------------------------------------------------------
 * Linking: which table hangs on which
 * ------------------------------------------------------------------------
 */

static CascadeAction
parse_action(const char *rule)
{
	if (pg_strcasecmp(rule, "CASCADE") == 0)
		return CASCADE_FOLLOW;
	if (pg_strcasecmp(rule, "SET NULL") == 0)
		return CASCADE_SET_NULL;
	/* InnoDB takes SET DEFAULT for RESTRICT */
	return CASCADE_NOTHING;
}

static int
add_ref(MsCascade *cascade, const char *column)
{
	for (int i = 0; i < cascade->nrefs; i++)
		if (pg_strcasecmp(cascade->refs[i], column) == 0)
			return i;
	cascade->refs = cascade->nrefs == 0 ? palloc(sizeof(char *)) :
		repalloc(cascade->refs, sizeof(char *) * (cascade->nrefs + 1));
	cascade->refs[cascade->nrefs] = pstrdup(column);
	return cascade->nrefs++;
}

static void
add_dependant(MsCascade *cascade, TablePlan *child,
			  const MsSourceForeignKey *key)
{
	Dependant  *dep = palloc0(sizeof(Dependant));

	dep->child = child;
	dep->name = pstrdup(key->name);
	dep->id = psprintf("%s/%s", child->sub->source_db, key->name);
	dep->on_delete = parse_action(key->delete_rule);
	dep->on_update = parse_action(key->update_rule);
	dep->ncolumns = list_length(key->columns);
	if (dep->ncolumns > MS_MAX_FOREIGN_KEY_COLUMNS)
		elog(ERROR, "foreign key \"%s\" has %d columns", key->name, dep->ncolumns);
	dep->columns = palloc(sizeof(char *) * dep->ncolumns);
	dep->refs = palloc(sizeof(int) * dep->ncolumns);
	for (int i = 0; i < dep->ncolumns; i++)
	{
		dep->columns[i] = pstrdup(list_nth(key->columns, i));
		dep->refs[i] = add_ref(cascade, list_nth(key->ref_columns, i));
	}
	dep->cxt = AllocSetContextCreate(CurrentMemoryContext,
									 "mariadb_sync foreign key",
									 ALLOCSET_SMALL_SIZES);
	cascade->dependants = lappend(cascade->dependants, dep);
}

/*
 * Does the key refer to a column that its parent has not?  It may where the
 * parent was made anew with foreign_key_checks = 0, and then it does nothing.
 * What is recorded of other tables than ready ones may not be of now.
 */
static bool
is_dangling(MsRelmap *map, const MsSourceForeignKey *key)
{
	const TablePlan *parent = ms_relmap_find_name(map, key->ref_db, key->ref_table);
	List	   *columns;
	ListCell   *lc;

	if (parent == NULL || parent->sub->state != MS_TABLE_READY)
		return false;
	columns = ms_source_columns_from_jsonb(parent->sub->source_schema);
	foreach(lc, key->ref_columns)
		if (ms_source_find_column(columns, lfirst(lc)) == NULL)
		return true;
	return false;
}

/* The MsCascade of a source table, made when there is none yet. */
static MsCascade *
get_cascade(MsRelmap *map, const char *db, const char *table)
{
	TablePlan  *plan = ms_relmap_find_name(map, db, table);
	MsCascade  *cascade;

	cascade = plan ? plan->cascade : ms_relmap_find_watched(map, db, table);
	if (cascade)
		return cascade;
	cascade = palloc0(sizeof(MsCascade));
	cascade->plan = plan;
	cascade->name = psprintf("%s.%s", db, table);
	if (plan)
		plan->cascade = cascade;
	else
		ms_relmap_watch(map, db, table, cascade);
	return cascade;
}

/* Does the index find rows by these columns, its first ones? */
static bool
index_begins_with(const MsSourceIndex *index, const MsCascade *cascade,
				  const Dependant *dep)
{
	for (int i = 0; i < dep->ncolumns; i++)
		if (i >= list_length(index->columns) ||
			pg_strcasecmp(list_nth(index->columns, i),
						  cascade->refs[dep->refs[i]]) != 0)
			return false;
	return true;
}

static int
compare_dependants(const ListCell *a, const ListCell *b)
{
	const Dependant *one = lfirst(a);
	const Dependant *two = lfirst(b);

	if (one->clustered != two->clustered)
		return one->clustered ? -1 : 1;
	return strcmp(one->id, two->id);
}

/*
 * The order in which InnoDB follows the foreign keys, of which rows depend
 * when two of them share a column: whether a row is gone before the other key
 * makes NULL of the column by which it would have been found.  It goes from
 * index to index of the parent, which is table, and by their names for each.
 * Without an index of its own for the rows their history counts, too.
 */
static void
order_dependants(MsCascade *cascade, const MsSourceTable *table)
{
	/* which InnoDB stores the table's rows by; NULL = a hidden one */
	const MsSourceIndex *clustered = ms_source_table_key(table);
	ListCell   *lc;

	cascade->history_counts = clustered == NULL;
	foreach(lc, cascade->dependants)
	{
		Dependant  *dep = lfirst(lc);

		dep->clustered = clustered != NULL &&
			index_begins_with(clustered, cascade, dep);
	}
	list_sort(cascade->dependants, compare_dependants);
}

/* Does a cascade from the one table reach the other? */
static bool
reaches(const MsCascade *from, const TablePlan *to, List **seen)
{
	ListCell   *lc;

	if (from == NULL || list_member_ptr(*seen, from))
		return false;
	*seen = lappend(*seen, (void *) from);
	foreach(lc, from->dependants)
	{
		const Dependant *dep = lfirst(lc);

		if (dep->child == to || reaches(dep->child->cascade, to, seen))
			return true;
	}
	return false;
}

/*
 * A table in the middle, whose rows are changed by a cascade and change
 * others', has to be copied before those: what a cascade has removed from it
 * before its copy can no longer be seen, and what hung on that would stay.
 * Tables in a circle cannot be ordered.
 */
static void
order_copies(const List *children)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, children)
	{
		TablePlan  *middle = lfirst(lc);

		foreach(lc2, middle->cascade ? middle->cascade->dependants : NIL)
		{
			TablePlan  *child = ((Dependant *) lfirst(lc2))->child;
			List	   *seen = NIL;

			if (child != middle && !reaches(child->cascade, middle, &seen))
				child->copied_after = list_append_unique_ptr(child->copied_after,
															 middle);
		}
	}
}

/*
 * What InnoDB deletes by a system-versioned table's foreign key to itself has
 * no consequences by the same key: the rows that refer to it stay.  Those of
 * other keys, of this table or another, have all of theirs.
 */
static void
mark_keys_to_itself(MsCascade *cascade, const MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, cascade->dependants)
	{
		Dependant  *dep = lfirst(lc);

		dep->deletes_once = dep->child == cascade->plan &&
			ms_source_is_versioned(table);
	}
}

/*
 * Find out which tables have dependants, when the tables of the map or their
 * foreign keys have changed.
 */
void
ms_cascade_link(MsRelmap *map)
{
	List	   *children = NIL;
	MemoryContext oldcxt = MemoryContextSwitchTo(ms_relmap_begin_links(map));
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, ms_relmap_plans(map))
	{
		TablePlan  *child = lfirst(lc);

		foreach(lc2, ms_source_table_from_jsonb(child->sub->source_schema)->foreign_keys)
		{
			const MsSourceForeignKey *key = lfirst(lc2);

			if (parse_action(key->delete_rule) == CASCADE_NOTHING &&
				parse_action(key->update_rule) == CASCADE_NOTHING)
				continue;
			if (is_dangling(map, key))
				ereport(LOG,
						(errmsg("foreign key \"%s\" of source table \"%s\" refers to columns that \"%s.%s\" does not have",
								key->name, child->name, key->ref_db,
								key->ref_table),
						 errdetail("It changes no rows.")));
			else
			{
				add_dependant(get_cascade(map, key->ref_db, key->ref_table),
							  child, key);
				children = list_append_unique_ptr(children, child);
			}
		}
	}
	foreach(lc, ms_relmap_plans(map))
	{
		TablePlan  *parent = lfirst(lc);
		MsSourceTable *table;

		if (parent->cascade == NULL)
			continue;
		table = ms_source_table_from_jsonb(parent->sub->source_schema);
		order_dependants(parent->cascade, table);
		mark_keys_to_itself(parent->cascade, table);
	}
	order_copies(children);
	MemoryContextSwitchTo(oldcxt);
}

/*
 * The tables whose rows an update or a delete in this one changes, for a
 * message; NULL when there are none.
 */
char *
ms_cascade_dependants(const MsCascade *cascade, bool update)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, cascade ? cascade->dependants : NIL)
	{
		const Dependant *dep = lfirst(lc);

		if ((update ? dep->on_update : dep->on_delete) != CASCADE_NOTHING)
			appendStringInfo(&buf, "%s%s", buf.len ? ", " : "",
							 dep->child->name);
	}
	return buf.len ? buf.data : NULL;
}

/* ------------------------------------------------------------------------
 * Binding: where the columns are
 * ------------------------------------------------------------------------
 */

/* Keys name columns in any case. */
int
ms_cascade_find_field(const MsRowFormat *format, const char *name)
{
	for (int i = 0; i < format->ncolumns; i++)
		if (pg_strcasecmp(format->columns[i].name, name) == 0)
			return i;
	return -1;
}

/* Prepared statements do not go with a memory context by themselves. */
static void
release_statements(void *arg)
{
	Dependant  *dep = (Dependant *) arg;

	ms_cascade_release_texts(dep);
	if (dep->find)
		SPI_freeplan(dep->find);
	dep->find = NULL;
	dep->generation = 0;
}

/* Is it compared as text? */
bool
ms_cascade_is_text(const MsColumn *col)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(getBaseType(col->typid), &category, &preferred);
	return col->kind == MS_KIND_TEXT && category == TYPCATEGORY_STRING;
}

/*
 * The condition that the child's column has the parent's value, parameter n,
 * as MariaDB sees it.
 */
static char *
make_condition(const MsColumn *col, const char *column,
			   const MsSourceColumn *source, int n)
{
	TypeCacheEntry *type;
	HeapTuple	tuple;
	char	   *condition;

	if (ms_cascade_is_text(col))
		return psprintf("%s = %s", ms_typemap_comparable(source, column),
						ms_typemap_comparable(source, psprintf("$%d", n)));

	/* the search path is empty */
	type = lookup_type_cache(getBaseType(col->typid), TYPECACHE_EQ_OPR);
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(type->eq_opr));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s of column \"%s\" has no equality operator",
						format_type_be(col->typid), column)));
	condition = psprintf("%s OPERATOR(%s.=) $%d", column,
						 quote_identifier(get_namespace_name(((Form_pg_operator) GETSTRUCT(tuple))->oprnamespace)),
						 n);
	ReleaseSysCache(tuple);
	return condition;
}

/* A column that a cascade needs is not in the target. */
void
ms_cascade_column_missing(const TablePlan *plan, const char *column, const char *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of source table \"%s\" has no target column",
					column, plan->name),
			 errdetail("Foreign key \"%s\" changes rows by a cascade, and they are found by this column.",
					   key),
			 errhint("Replicate the column, or leave the table out.")));
}

/*
 * What has to be read of a child's row: by what it is found again, and what
 * its own dependants refer to.  Without a key that is everything.
 */
static void
choose_columns(Dependant *dep)
{
	TablePlan  *child = dep->child;
	const MsCascade *below = child->cascade;

	dep->selected = palloc(sizeof(int) * Max(1, child->format.ncolumns));
	dep->nselected = 0;
	for (int i = 0; i < child->format.ncolumns; i++)
	{
		const MsColumn *col = &child->format.columns[i];
		bool		needed = col->attidx >= 0 &&
		ms_target_is_key_column(child->target, col->attidx);

		for (int j = 0; col->attidx >= 0 && below && j < below->nrefs; j++)
			needed |= pg_strcasecmp(below->refs[j], col->name) == 0;
		for (int j = 0; col->attidx >= 0 && child->nchunks > 0 && j < list_length(child->chunks[0]->key_columns); j++)
			needed |= strcmp(list_nth(child->chunks[0]->key_columns, j), col->name) == 0;
		if (needed)
			dep->selected[dep->nselected++] = col->attidx;
	}
}

/* The statements that find the child's rows. */
static void
prepare_statements(Dependant *dep)
{
	const MsRowFormat *format = &dep->child->format;
	Oid			relid = dep->child->sub->relid;
	List	   *sources = ms_source_columns_from_jsonb(dep->child->sub->source_schema);
	Oid			types[MS_MAX_FOREIGN_KEY_COLUMNS];
	char	   *columns[MS_MAX_FOREIGN_KEY_COLUMNS];
	char	   *conditions[MS_MAX_FOREIGN_KEY_COLUMNS];
	char	   *from;
	StringInfoData select;
	StringInfoData buf;

	initStringInfo(&select);
	for (int i = 0; i < dep->nselected; i++)
		appendStringInfo(&select, "%s%s", i ? ", " : "",
						 quote_identifier(get_attname(relid, dep->selected[i] + 1, false)));
	from = psprintf("%s%s",
					get_rel_relkind(relid) == RELKIND_RELATION ? "ONLY " : "",
					quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
											   get_rel_name(relid)));
	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT %s FROM %s WHERE ", select.data, from);
	for (int i = 0; i < dep->ncolumns; i++)
	{
		const MsColumn *col = &format->columns[dep->fields[i]];

		types[i] = col->typid;
		columns[i] = pstrdup(quote_identifier(get_attname(relid, col->attidx + 1, false)));
		conditions[i] = make_condition(col, columns[i],
									   list_nth(sources, dep->fields[i]), i + 1);
		appendStringInfo(&buf, "%s%s", i ? " AND " : "", conditions[i]);
	}

	SPI_connect();
	dep->find = SPI_prepare(buf.data, dep->ncolumns, types);
	if (dep->find == NULL)
		elog(ERROR, "SPI_prepare of \"%s\" failed: %s", buf.data,
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(dep->find);
	ms_cascade_bind_texts(dep, from, columns, conditions, select.data, types);
	SPI_finish();
}

/* Make the dependant fit the child's plan, which must be open. */
void
ms_cascade_bind_dependant(Dependant *dep)
{
	TablePlan  *child = dep->child;
	MemoryContext oldcxt;

	if (dep->generation == child->generation)
		return;
	MemoryContextReset(dep->cxt);
	oldcxt = MemoryContextSwitchTo(dep->cxt);
	dep->release.func = release_statements;
	dep->release.arg = dep;
	MemoryContextRegisterResetCallback(dep->cxt, &dep->release);

	dep->fields = palloc(sizeof(int) * dep->ncolumns);
	dep->atts = palloc(sizeof(int) * dep->ncolumns);
	for (int i = 0; i < dep->ncolumns; i++)
	{
		dep->fields[i] = ms_cascade_find_field(&child->format, dep->columns[i]);
		dep->atts[i] = dep->fields[i] < 0 ? -1 :
			child->format.columns[dep->fields[i]].attidx;
		if (dep->atts[i] < 0)
			ms_cascade_column_missing(child, dep->columns[i], dep->name);
	}
	choose_columns(dep);
	prepare_statements(dep);
	dep->generation = child->generation;
	MemoryContextSwitchTo(oldcxt);
}

/*
 * How the child has recorded the column that refers to this one: both have
 * the same type.
 */
static const MsSourceColumn *
referring_column(const MsCascade *cascade, int ref)
{
	ListCell   *lc;

	foreach(lc, cascade->dependants)
	{
		const Dependant *dep = lfirst(lc);

		for (int i = 0; i < dep->ncolumns; i++)
		{
			MsSourceColumn *col;

			if (dep->refs[i] != ref)
				continue;
			col = ms_source_find_column(ms_source_columns_from_jsonb(dep->child->sub->source_schema),
										dep->columns[i]);
			if (col)
				return col;
		}
	}
	return NULL;
}

/* A column of a watched table: one that is referred to, or one to read over. */
static void
init_watched_column(const MsCascade *cascade, MsColumn *col,
					const MsMapColumn *mapcol, const char *name)
{
	const MsSourceColumn *source = NULL;
	const char *problem;

	for (int i = 0; i < cascade->nrefs; i++)
		if (pg_strcasecmp(cascade->refs[i], name) == 0)
			source = referring_column(cascade, i);
	if (source)
	{
		ms_typemap_init_column(col, source);
		/* CHAR refers to VARCHAR, and the other way round */
		col->is_char = col->kind == MS_KIND_TEXT &&
			ms_value_is_char_image(mapcol->type);
	}
	else
		ms_value_guess_image(col, mapcol->type, mapcol->meta);
	col->name = pstrdup(name);
	problem = ms_value_bind_image(col, mapcol->type, mapcol->meta);
	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of source table \"%s\" cannot be read",
						name, cascade->name),
				 errdetail("%s.", problem),
				 errhint("Foreign keys of replicated tables refer to this table. Add it to the subscription.")));
}

static bool
has_names(const MapEntry *entry)
{
	MsTableMapEvent event = ms_relmap_table_map_of(entry);
	MsTableMap	map;

	ms_event_read_table_map(&event, &map);
	return map.has_names;
}

/* Read the format of a watched table from its table map. */
static void
bind_watched(MsCascade *cascade, const MapEntry *entry)
{
	MsTableMapEvent event;
	MsTableMap	map;
	MemoryContext oldcxt;

	if (cascade->watch_cxt == NULL)
		cascade->watch_cxt = AllocSetContextCreate(GetMemoryChunkContext(cascade),
												   "mariadb_sync watched table",
												   ALLOCSET_SMALL_SIZES);
	MemoryContextReset(cascade->watch_cxt);
	oldcxt = MemoryContextSwitchTo(cascade->watch_cxt);
	event.raw = entry->raw;
	event.raw_len = entry->raw_len;
	event.db_len = entry->raw[0];
	event.table_len = entry->raw[event.db_len + 2];
	ms_event_read_table_map(&event, &map);
	if (!map.has_names)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the binlog does not name the columns of source table \"%s\"",
						cascade->name),
				 errdetail("Rows of replicated tables are changed by its foreign keys, and it is not part of the subscription."),
				 errhint("Set binlog_row_metadata = FULL on the source, or add the table to the subscription.")));
	cascade->watched.ncolumns = map.ncolumns;
	cascade->watched.columns = palloc0(sizeof(MsColumn) * map.ncolumns);
	cascade->watched.current = -1;
	for (uint32 i = 0; i < map.ncolumns; i++)
		init_watched_column(cascade, &cascade->watched.columns[i],
							&map.columns[i],
							ms_utf8_to_server(map.columns[i].name,
											  map.columns[i].name_len));
	MemoryContextSwitchTo(oldcxt);
	cascade->bound_map = entry->raw;
	cascade->generation++;
}

/*
 * Where the period of a system-versioned parent ends: what it deletes arrives
 * as an update of that.  -1 when it has no period.
 */
static int
find_row_end(const MsCascade *cascade, const List *columns)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		const MsSourceColumn *col = lfirst(lc);

		if (ms_source_column_is_row_end(col))
			return ms_cascade_find_field(cascade->format, col->name);
	}
	return -1;
}

/*
 * Find the columns that are referred to in the parent's rows, and its period.
 * columns is the parent's schema.
 */
static void
find_references(MsCascade *cascade, const List *columns)
{
	MemoryContext cxt = GetMemoryChunkContext(cascade);

	if (cascade->fields == NULL)
	{
		int			nfields = cascade->nrefs + 1;

		cascade->fields = MemoryContextAlloc(cxt, sizeof(int) * nfields);
		cascade->old_values = MemoryContextAlloc(cxt, sizeof(MsValue) * nfields);
		cascade->new_values = MemoryContextAlloc(cxt, sizeof(MsValue) * nfields);
		cascade->old_found = MemoryContextAlloc(cxt, nfields);
		cascade->new_found = MemoryContextAlloc(cxt, nfields);
	}
	for (int i = 0; i < cascade->nrefs; i++)
	{
		cascade->fields[i] = ms_cascade_find_field(cascade->format, cascade->refs[i]);
		if (cascade->fields[i] < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("foreign keys refer to column \"%s\" of source table \"%s\", which is not there",
							cascade->refs[i], cascade->name),
					 errhint("It was renamed on the source: copy the tables that refer to it again with mariadb_sync.resync_table().")));
	}
	cascade->nfields = cascade->nrefs;
	cascade->fields[cascade->nrefs] = find_row_end(cascade, columns);
	if (cascade->fields[cascade->nrefs] >= 0)
		cascade->nfields++;
}

/* A watched table as the source has it; without columns when it is gone. */
static const MsSourceTable *
watched_table(MsApply *apply, const MapEntry *entry)
{
	static const MsSourceTable gone = {0};

	const uint8 *db = entry->raw;
	const uint8 *table = db + 1 + db[0] + 1;
	List	   *tables;

	/* a length, the name, a NUL */
	tables = ms_remote_schema_fetch(apply->control, NIL,
									ms_utf8_to_server((const char *) db + 1, db[0]),
									ms_utf8_to_server((const char *) table + 1, table[0]));
	return tables ? linitial(tables) : &gone;
}

/* Make ready to read the parent's rows under this table map. */
void
ms_cascade_bind_parent(MsApply *apply, MsCascade *cascade, const MapEntry *entry)
{
	TablePlan  *plan = cascade->plan;

	/* what is being copied has the schema of its copy, see apply_rows.c */
	if (plan && plan->sub->state != MS_TABLE_DISABLED &&
		(plan->sub->state == MS_TABLE_READY || !has_names(entry) ||
		 ms_relmap_fits(apply->relmap, plan, entry)))
	{
		ms_relmap_open(apply->relmap, plan, entry);
		if (cascade->format != &plan->format ||
			cascade->generation != plan->generation)
		{
			cascade->format = &plan->format;
			find_references(cascade,
							ms_source_columns_from_jsonb(plan->sub->source_schema));
			cascade->generation = plan->generation;
		}
	}
	else if (cascade->format != &cascade->watched ||
			 cascade->bound_map != entry->raw)
	{
		const MsSourceTable *table = watched_table(apply, entry);

		bind_watched(cascade, entry);
		cascade->format = &cascade->watched;
		find_references(cascade, table->columns);
		order_dependants(cascade, table);
	}
}
