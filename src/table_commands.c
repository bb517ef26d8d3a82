/*
 * table_commands.c - the functions that change a subscription's list of
 * tables while it runs.
 *
 * What they write is in the caller's transaction.  At its commit the apply
 * worker learns of it between two source transactions and goes on: a table
 * that was added joins, one that was removed leaves, one that is to be copied
 * again is pending, and so is one that was added; what becomes of its rows
 * until it is copied is told in snapshot.c.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "commands.h"
#include "half_made.h"
#include "mapping.h"
#include "preflight.h"
#include "remote_schema.h"
#include "role.h"
#include "shmem.h"
#include "wire.h"

PG_FUNCTION_INFO_V1(ms_add_table);
PG_FUNCTION_INFO_V1(ms_remove_table);
PG_FUNCTION_INFO_V1(ms_resync_table);

/* A source table's name in its two parts. */
typedef struct SourceName
{
	char	   *full;
	char	   *db;
	char	   *table;
} SourceName;

static void
parse_source_name(char *full, SourceName *name)
{
	char	   *dot = strchr(full, '.');

	if (dot == NULL || dot == full || dot[1] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid source table \"%s\"", full),
				 errhint("Name one table as \"database.table\".")));
	name->full = full;
	name->db = pnstrdup(full, dot - full);
	name->table = pstrdup(dot + 1);
}

/* The table as the source has it now. */
static MsSourceTable *
fetch_source_table(const MsSubscription *sub, const SourceName *name,
				   const MsSubscriptionOptions *options)
{
	MsServerOptions server;
	MsWire	   *wire;
	List	   *tables;
	MsSourceTable *table;

	ms_server_options_load(get_foreign_server_oid(sub->server, false),
						   sub->owner, &server);
	wire = ms_wire_connect(&server);
	tables = ms_remote_schema_fetch(wire, list_make1(name->full), name->db,
									name->table);
	if (tables == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("server \"%s\" has no table \"%s\"", sub->server,
						name->full),
				 errdetail("Names are compared with upper and lower case as they are, and tables on which the account has no privilege are not seen.")));
	table = linitial(tables);
	if (strcmp(table->table_type, "SEQUENCE") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("\"%s\" is a sequence, which is not supported",
						name->full)));
	ms_preflight_raise(ms_preflight_tables(wire, list_make1(name->full),
										   tables));
	if (options->versioned_history)
		ms_source_keep_history(tables);
	ms_wire_close(wire);
	return table;
}

/* Find or make the target, with the rights of the subscription's owner. */
static MsMapping *
map_as_owner(const MsSubscription *sub, MsSourceTable *table, Oid target,
			 Jsonb *columns, const MsSubscriptionOptions *options)
{
	MsRole		before;
	MsMapping  *mapping;

	ms_role_become(sub->owner, &before);
	mapping = ms_mapping_make_one(table, target, columns, options);
	ms_role_return(&before);
	return mapping;
}

/* Two source tables into one target would overwrite each other's rows. */
static void
check_target_is_free(const MsSubscription *sub, Oid relid)
{
	ListCell   *lc;

	foreach(lc, ms_catalog_get_tables(sub->subid))
	{
		MsSubTable *other = lfirst(lc);

		if (other->relid == relid)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_TABLE),
					 errmsg("table \"%s\" is the target of source table \"%s.%s\"",
							get_rel_name(relid), other->source_db,
							other->source_table)));
	}
}

/* The table, which must be in the subscription. */
static MsSubTable *
find_table(const MsSubscription *sub, const SourceName *name)
{
	MsSubTable *table = ms_catalog_get_table(sub->subid, name->db,
											 name->table);

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("subscription \"%s\" has no source table \"%s\"",
						sub->name, name->full),
				 errhint("The view mariadb_sync.pg_stat_mariadb_sync_tables lists its tables.")));
	return table;
}

/* Tell the workers, with the patterns as they are now. */
static void
change_tables(const MsSubscription *sub)
{
	ms_catalog_change_tables(sub);
	ms_notify_at_commit(sub->subid);
}

/* An exclusion of this one table ends when it is added by name. */
static List *
without_exclusion(List *patterns, const SourceName *name)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, patterns)
	{
		const char *pattern = lfirst(lc);

		if (pattern[0] != '!' || strcmp(pattern + 1, name->full) != 0)
			result = lappend(result, (void *) pattern);
	}
	return result;
}

/* add_table(name, source, target, columns) */
Datum
ms_add_table(PG_FUNCTION_ARGS)
{
	Oid			target = PG_ARGISNULL(2) ? InvalidOid : PG_GETARG_OID(2);
	Jsonb	   *columns = PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3);
	MsSubscriptionOptions options;
	MsSubscription *sub;
	MsMapping  *mapping;
	SourceName	name;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("name and source must not be null")));
	ms_check_may_write("add_table()");
	parse_source_name(text_to_cstring(PG_GETARG_TEXT_PP(1)), &name);
	sub = ms_lock_own_subscription(NameStr(*PG_GETARG_NAME(0)),
								   ShareUpdateExclusiveLock, false);
	if (ms_catalog_get_table(sub->subid, name.db, name.table) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("subscription \"%s\" already has source table \"%s\"",
						sub->name, name.full),
				 errhint("To map it in another way, take it out with mariadb_sync.remove_table() first.")));
	ms_options_parse(sub->options, &options);
	/* whatever the other tables came from, this one is copied */
	options.copy_data = true;

	mapping = map_as_owner(sub, fetch_source_table(sub, &name, &options), target,
						   columns, &options);
	check_target_is_free(sub, mapping->relid);
	ms_mapping_record(sub->subid, mapping, MS_TABLE_PENDING);
	ms_catalog_let_foreign_keys_wait(sub->subid);
	sub->patterns = without_exclusion(sub->patterns, &name);
	change_tables(sub);
	PG_RETURN_VOID();
}

/* Does a snapshot worker build its indexes, who cleans up after itself? */
static bool
is_being_indexed(const MsSubTable *table)
{
	ListCell   *lc;

	foreach(lc, ms_shmem_list_copies(MyDatabaseId))
	{
		const MsCopyView *view = lfirst(lc);

		if (view->subid == table->subid &&
			view->task.kind == MS_COPY_KIND_FINISH &&
			strcmp(view->task.db, table->source_db) == 0 &&
			strcmp(view->task.table, table->source_table) == 0)
			return true;
	}
	return false;
}

/* remove_table(name, source): the target and its rows stay. */
Datum
ms_remove_table(PG_FUNCTION_ARGS)
{
	MsSubscriptionOptions options;
	MsSubscription *sub;
	MsSubTable *table;
	SourceName	name;

	ms_check_may_write("remove_table()");
	parse_source_name(text_to_cstring(PG_GETARG_TEXT_PP(1)), &name);
	sub = ms_lock_own_subscription(NameStr(*PG_GETARG_NAME(0)),
								   ShareUpdateExclusiveLock, false);
	table = find_table(sub, &name);
	ms_options_parse(sub->options, &options);
	if (!is_being_indexed(table))
		ms_half_made_drop(sub, table, options.run_as_owner);
	ms_catalog_delete_table(table);
	/* or it would join again */
	if (ms_pattern_list_matches(sub->patterns, name.db, name.table))
		sub->patterns = lappend(sub->patterns, psprintf("!%s", name.full));
	change_tables(sub);
	PG_RETURN_VOID();
}

/*
 * resync_table(name, source): copy the table again, in the shape it has now.
 * When that is another one, and structure changes are applied, the leader
 * reshapes the target; else it has to fit.
 */
Datum
ms_resync_table(PG_FUNCTION_ARGS)
{
	MsSubscriptionOptions options;
	MsSubscription *sub;
	MsSubTable *table;
	MsSourceTable *source;
	Jsonb	   *schema;
	SourceName	name;

	ms_check_may_write("resync_table()");
	parse_source_name(text_to_cstring(PG_GETARG_TEXT_PP(1)), &name);
	sub = ms_lock_own_subscription(NameStr(*PG_GETARG_NAME(0)),
								   ShareUpdateExclusiveLock, false);
	table = find_table(sub, &name);
	if (get_rel_name(table->relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("target table of \"%s\" does not exist", name.full),
				 errhint("Use mariadb_sync.remove_table() and mariadb_sync.add_table() to make it again.")));
	ms_options_parse(sub->options, &options);
	source = fetch_source_table(sub, &name, &options);
	schema = ms_source_table_to_jsonb(source);
	table->reshape = options.ddl == MS_DDL_APPLY &&
		!ms_catalog_same_jsonb(schema, table->source_schema);
	ms_catalog_set_reshape(table);
	if (!table->reshape)
	{
		/* the copy empties the target */
		options.copy_data = false;
		(void) map_as_owner(sub, source, table->relid, table->columns, &options);
		table->source_schema = schema;
		ms_catalog_set_source_schema(table);
	}
	ms_catalog_set_table_state(table, MS_TABLE_PENDING);
	change_tables(sub);
	PG_RETURN_VOID();
}
