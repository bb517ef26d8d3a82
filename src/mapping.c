/*
 * mapping.c - the target table of each source table.
 *
 * A table that is there is used as it is, after a look at whether every
 * source column has a place in it and the subscription's owner may write it.
 * A table that is missing is made.  All of that happens as the current user,
 * in the transaction that creates the subscription.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/heap.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "encoding.h"
#include "mapping.h"
#include "mariadb_sync.h"
#include "sql.h"
#include "target.h"
#include "typemap.h"

/* what applying changes takes */
#define NEEDED_RIGHTS \
	(ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE | ACL_TRUNCATE)

static bool
has_rows(Oid relid, const char *qualified_name)
{
	MsRole		before;
	bool		found;

	ms_role_enter_table(relid, &before);
	found = ms_sql_has_rows(psprintf("SELECT 1 FROM %s", qualified_name));
	ms_role_return(&before);
	return found;
}

static int
column_name_hint(void)
{
	return errhint("Leave the table out with a pattern with a leading \"!\", and add it with mariadb_sync.add_table(..., columns => '{\"column\": \"other name\"}').");
}

/* PostgreSQL would cut off a longer name, and it would not be found again. */
static void
check_name_length(const char *kind, const char *name)
{
	bool		is_column = strcmp(kind, "column") == 0;

	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name of %s \"%s\" is too long for PostgreSQL", kind,
						name),
				 errdetail("Names have at most %d bytes.", NAMEDATALEN - 1),
				 is_column ? column_name_hint() :
				 errhint("Leave the table out with a pattern with a leading \"!\".")));
}

/* PostgreSQL has names that a table or schema may not have. */
static void
check_reserved_column(const char *name)
{
	if (SystemAttributeByName(name))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("column name \"%s\" conflicts with a system column name",
						name),
				 column_name_hint()));
}

static void
check_reserved_schema(const char *db, const char *schema)
{
	if (IsReservedName(schema) && !OidIsValid(get_namespace_oid(schema, true)))
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("database \"%s\" cannot become a schema of its name", db),
				 errdetail("The prefix \"pg_\" is reserved for system schemas."),
				 errhint("Give it another one with the subscription option \"schema_map\".")));
}

/* The source would be asked for another name than the one it has. */
static void
check_name_encoding(const char *kind, const char *name)
{
	if (ms_has_lost_characters(name))
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("name of %s \"%s\" has characters that the server's encoding \"%s\" lacks",
						kind, name, GetDatabaseEncodingName()),
				 errhint("Leave the table out with a pattern with a leading \"!\", in which \"?\" stands for any character, or use a database with the encoding UTF8.")));
}

static void
check_schema(const MsMapping *mapping, Oid schema)
{
	if (IsCatalogNamespace(schema) || IsToastNamespace(schema) ||
		strcmp(mapping->schema, "information_schema") == 0 ||
		strcmp(mapping->schema, MS_SCHEMA) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot replicate into schema \"%s\"",
						mapping->schema),
				 errhint("Choose another schema with the subscription option \"schema_map\": {\"%s\": \"...\"}.",
						 mapping->source->db)));
}

/* ------------------------------------------------------------------------
 * Tables that are there
 * ------------------------------------------------------------------------
 */

static void
check_kind(Relation rel)
{
	const char *name = RelationGetRelationName(rel);

	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot replicate into \"%s\"", name),
				 errdetail("It is not a table."),
				 errhint("Rename it, or choose another schema with the subscription option \"schema_map\".")));
	if (RelationUsesLocalBuffers(rel))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot replicate into temporary table \"%s\"", name)));
	ms_target_check_logged(rel);
}

static void
check_rights(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	char	   *name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												  RelationGetRelationName(rel));

	if (pg_class_aclmask(relid, GetUserId(), NEEDED_RIGHTS,
						 ACLMASK_ALL) != NEEDED_RIGHTS)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table %s",
						RelationGetRelationName(rel)),
				 errdetail("The owner of a subscription needs SELECT, INSERT, UPDATE, DELETE and TRUNCATE on its target tables."),
				 errhint("Use GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON %s TO %s.",
						 name,
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
	if (check_enable_rls(relid, GetUserId(), true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot replicate into table \"%s\" with row-level security enabled for user \"%s\"",
						RelationGetRelationName(rel),
						GetUserNameFromId(GetUserId(), true)),
				 errhint("Use ALTER TABLE %s DISABLE ROW LEVEL SECURITY, or create the subscription as the table's owner.",
						 name)));
}

static void
check_column(const MsMapping *mapping, Relation rel,
			 const MsSourceColumn *source,
			 const MsSubscriptionOptions *options, Bitmapset **mapped)
{
	TupleDesc	desc = RelationGetDescr(rel);
	const char *name = ms_typemap_target_name(source);
	Form_pg_attribute att = NULL;
	MsColumn	col = {0};
	int			i;

	if (name == NULL)
		return;
	for (i = 0; i < desc->natts; i++)
	{
		att = TupleDescAttr(desc, i);
		if (!att->attisdropped &&
			strcmp(NameStr(att->attname), name) == 0)
			break;
	}
	if (i == desc->natts)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("target table \"%s\" has no column \"%s\"",
						RelationGetRelationName(rel), name),
				 errdetail("Column \"%s\" of source table \"%s.%s\" goes there, of type %s.",
						   source->name, mapping->source->db,
						   mapping->source->name, source->column_type),
				 errhint("Use ALTER TABLE %s ADD COLUMN %s %s.",
						 quote_qualified_identifier(mapping->schema,
													mapping->relname),
						 quote_identifier(name),
						 ms_typemap_default_type(source, options))));
	if (att->attgenerated)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("column \"%s\" of target table \"%s\" is a generated column",
						name, RelationGetRelationName(rel)),
				 errdetail("The source's value could not be stored."),
				 errhint("Use ALTER TABLE %s ALTER COLUMN %s DROP EXPRESSION.",
						 quote_qualified_identifier(mapping->schema,
													mapping->relname),
						 quote_identifier(name))));
	if (bms_is_member(i, *mapped))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("two columns of source table \"%s.%s\" go to column \"%s\"",
						mapping->source->db, mapping->source->name, name)));

	ms_typemap_init_column(&col, source);
	ms_typemap_bind_target(&col, source, i, att->atttypid, att->atttypmod,
						   options);
	*mapped = bms_add_member(*mapped, i);
}

/* Columns that the source does not have must be able to do without it. */
static void
check_other_columns(Relation rel, Bitmapset *mapped)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || bms_is_member(i, mapped) ||
			!att->attnotnull || att->atthasdef || att->attidentity)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("column \"%s\" of target table \"%s\" needs a value that the source does not have",
						NameStr(att->attname), RelationGetRelationName(rel)),
				 errhint("Give the column a default or drop its NOT NULL.")));
	}
}

/* Rows are found by the source's key, so it cannot be left out. */
static void
check_key(const MsSourceTable *table)
{
	MsSourceIndex *key = ms_source_table_key(table);
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		MsSourceColumn *col = lfirst(lc);
		ListCell   *lc2;

		if (key == NULL || ms_typemap_target_name(col) != NULL)
			continue;
		foreach(lc2, key->columns)
			if (strcmp(lfirst(lc2), col->name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" of source table \"%s.%s\" cannot be left out",
							col->name, table->db, table->name),
					 errdetail("It is part of the key by which rows are found.")));
	}
}

static void
check_target(const MsMapping *mapping, const MsSubscriptionOptions *options)
{
	Relation	rel = table_open(mapping->relid, AccessShareLock);
	char	   *name = quote_qualified_identifier(mapping->schema,
												  mapping->relname);
	Bitmapset  *mapped = NULL;
	ListCell   *lc;

	check_kind(rel);
	check_rights(rel);
	if (!options->run_as_owner)
		ms_target_check_triggers(rel);
	check_key(mapping->source);
	foreach(lc, mapping->source->columns)
		check_column(mapping, rel, lfirst(lc), options, &mapped);
	check_other_columns(rel, mapped);
	table_close(rel, NoLock);

	if (!mapping->created && options->copy_data && has_rows(mapping->relid, name))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("target table %s is not empty", name),
				 errdetail("The copy would add to the rows that are there."),
				 errhint("Use TRUNCATE %s, or create the subscription with \"copy_data\": false if the rows are those of the source.",
						 name)));
}

/* ------------------------------------------------------------------------
 * Making tables
 * ------------------------------------------------------------------------
 */

static Oid
find_relation(const MsMapping *mapping)
{
	Oid			schema = get_namespace_oid(mapping->schema, true);

	if (!OidIsValid(schema))
		return InvalidOid;
	check_schema(mapping, schema);
	return get_relname_relid(mapping->relname, schema);
}

static void
create_target(MsMapping *mapping, const MsSubscriptionOptions *options)
{
	if (!options->create_tables)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("target table %s does not exist",
						quote_qualified_identifier(mapping->schema,
												   mapping->relname)),
				 errdetail("Source table \"%s.%s\" needs it, and the subscription option \"create_tables\" is false.",
						   mapping->source->db, mapping->source->name),
				 errhint("Create the table, or leave \"create_tables\" at true.")));

	if (!OidIsValid(get_namespace_oid(mapping->schema, true)))
		ms_sql_run(psprintf("CREATE SCHEMA %s",
							quote_identifier(mapping->schema)));
	ms_sql_run(ms_typemap_create_table(mapping->source, mapping->schema,
									   options));
	mapping->relid = find_relation(mapping);
	if (!OidIsValid(mapping->relid))
		elog(ERROR, "table \"%s\" was not created", mapping->source->name);
	mapping->created = true;
}

/* Says which table it was about. */
static void
mapping_error_context(void *arg)
{
	const MsSourceTable *table = arg;

	errcontext("mapping of source table \"%s.%s\"", table->db, table->name);
}

/* Names that PostgreSQL would cut, or that it cannot write. */
static void
check_names(const MsMapping *mapping)
{
	ListCell   *lc;

	check_name_encoding("database", mapping->source->db);
	check_name_encoding("table", mapping->source->name);
	check_name_length("database", mapping->schema);
	check_reserved_schema(mapping->source->db, mapping->schema);
	check_name_length("table", mapping->relname);
	foreach(lc, mapping->source->columns)
	{
		const MsSourceColumn *col = lfirst(lc);
		const char *name = ms_typemap_target_name(col);

		if (name == NULL)
			continue;
		check_name_encoding("column", col->name);
		check_name_length("column", name);
		check_reserved_column(name);
	}
}

/* What a cascade adds to a history is nowhere to be had. */
static void
check_history(const MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, ms_source_is_versioned(table) ? table->foreign_keys : NIL)
	{
		const MsSourceForeignKey *key = lfirst(lc);

		if (ms_source_foreign_key_acts(key))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the history of source table \"%s.%s\" cannot be replicated",
							table->db, table->name),
					 errdetail("Foreign key \"%s\" changes its rows by a cascade, and when it does is not in the binlog.",
							   key->name),
					 errhint("Leave it out with the pattern \"!%s.%s\" and replicate its current rows by another subscription, without \"versioned_history\".",
							 table->db, table->name)));
	}
}

/*
 * Map one table.  target is the relation to use, InvalidOid for the one that
 * has the source's name or is made; columns has options of single columns.
 */
static MsMapping *
map_table(MsSourceTable *table, Oid target, Jsonb *columns,
		  const MsSubscriptionOptions *options)
{
	MsMapping  *mapping = palloc0(sizeof(MsMapping));
	ErrorContextCallback callback;

	callback.callback = mapping_error_context;
	callback.arg = table;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	mapping->source = table;
	mapping->columns = columns;
	ms_options_bind_columns(table->columns, columns, options);
	if (options->versioned_history)
		check_history(table);
	if (OidIsValid(target))
	{
		mapping->schema = get_namespace_name(get_rel_namespace(target));
		mapping->relname = get_rel_name(target);
		if (mapping->relname == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("target table with OID %u does not exist", target)));
	}
	else
	{
		mapping->schema = pstrdup(ms_options_schema(options, table->db));
		mapping->relname = table->name;
	}
	check_names(mapping);

	mapping->relid = find_relation(mapping);
	if (!OidIsValid(mapping->relid))
		create_target(mapping, options);
	check_target(mapping, options);

	error_context_stack = callback.previous;
	return mapping;
}

/* Two databases may be mapped to one schema. */
static void
check_duplicate_targets(List *mappings)
{
	List	   *relids = NIL;
	Oid			last = InvalidOid;
	ListCell   *lc;

	foreach(lc, mappings)
		relids = lappend_oid(relids, ((MsMapping *) lfirst(lc))->relid);
	list_sort(relids, list_oid_cmp);
	foreach(lc, relids)
	{
		if (lfirst_oid(lc) == last)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_TABLE),
					 errmsg("two source tables have the same target table \"%s\"",
							get_rel_name(last)),
					 errhint("Map their databases to different schemas with the subscription option \"schema_map\".")));
		last = lfirst_oid(lc);
	}
}

/* ------------------------------------------------------------------------
 * Indexes and foreign keys
 * ------------------------------------------------------------------------
 */

/*
 * The foreign keys of tables that we made wait for the worker, the secondary
 * indexes for the end of the copy.  Without a copy they are made here.
 */
static void
finish_tables(List *mappings, const MsSubscriptionOptions *options)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, mappings)
	{
		MsMapping  *mapping = lfirst(lc);

		if (!mapping->created)
			continue;
		mapping->foreign_keys_wait = mapping->source->foreign_keys != NIL;
		if (options->copy_data)
			continue;
		foreach(lc2, ms_typemap_create_indexes(mapping->source,
											   mapping->schema,
											   mapping->relname))
			ms_sql_run(lfirst(lc2));
	}
}

/*
 * Find or make the target of every table.  Sequences have none.  Returns a
 * list of MsMapping.
 */
List *
ms_mapping_make(List *tables, const MsSubscriptionOptions *options)
{
	List	   *mappings = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (strcmp(table->table_type, "SEQUENCE") != 0)
			mappings = lappend(mappings,
							   map_table(table, InvalidOid, NULL, options));
	}
	check_duplicate_targets(mappings);
	finish_tables(mappings, options);
	return mappings;
}

/*
 * The same for one table with a target, InvalidOid for the default one, and
 * options of single columns, or NULL.
 */
MsMapping *
ms_mapping_make_one(MsSourceTable *table, Oid target, Jsonb *columns,
					const MsSubscriptionOptions *options)
{
	MsMapping  *mapping = map_table(table, target, columns, options);

	finish_tables(list_make1(mapping), options);
	return mapping;
}

/*
 * The same for a table that joins others, which ms_mapping_finish() is to be
 * told of.  taken are the targets of other source tables.
 */
MsMapping *
ms_mapping_make_joining(MsSourceTable *table, List *taken,
						const MsSubscriptionOptions *options)
{
	MsMapping  *mapping = map_table(table, InvalidOid, NULL, options);

	if (list_member_oid(taken, mapping->relid))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("table \"%s\" is the target of another source table",
						mapping->relname),
				 errhint("Map their databases to different schemas with the subscription option \"schema_map\".")));
	return mapping;
}

void
ms_mapping_finish(List *mappings, const MsSubscriptionOptions *options)
{
	finish_tables(mappings, options);
}

/*
 * What is recorded of a table that cannot be mapped: the relation that has its
 * name, if that is a table and none of taken, so that resync_table() may find
 * it in a better shape.
 */
MsMapping *
ms_mapping_make_failed(MsSourceTable *table, List *taken,
					   const MsSubscriptionOptions *options)
{
	MsMapping  *mapping = palloc0(sizeof(MsMapping));
	Oid			schema = get_namespace_oid(ms_options_schema(options, table->db),
										   true);
	Oid			relid = OidIsValid(schema) ?
	get_relname_relid(table->name, schema) : InvalidOid;
	char		relkind = OidIsValid(relid) ? get_rel_relkind(relid) : '\0';

	mapping->source = table;
	if ((relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE) &&
		!list_member_oid(taken, relid))
		mapping->relid = relid;
	return mapping;
}

/*
 * Record a table of subscription subid in the catalog.
 */
void
ms_mapping_record(int32 subid, const MsMapping *mapping, MsTableState state)
{
	MsSubTable	table = {0};

	table.subid = subid;
	table.source_db = mapping->source->db;
	table.source_table = mapping->source->name;
	table.relid = mapping->relid;
	table.state = state;
	table.source_schema = ms_source_table_to_jsonb(mapping->source);
	table.foreign_keys_wait = mapping->foreign_keys_wait;
	table.created = mapping->created;
	table.columns = mapping->columns;
	ms_catalog_insert_table(&table, mapping->source->rows_estimate);
}
