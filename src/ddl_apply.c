/*
 * ddl_apply.c - structure changes that the stream brings.
 *
 * A statement stands between two source transactions, as one of its own.  It
 * is applied in a group of its own too: what it does to the target, to the
 * recorded schema and to the history commits together with its GTID.
 *
 * ALTER goes text -> clauses (ddl_parse.c) -> model of the new table
 * (ddl_model.c) -> statements for the target (ddl_diff.c).  In a backlog the
 * source is ahead, so the models come from the statements alone.  Three ways
 * it can end:
 *
 *   applied   in place
 *   resync    the rows that are there did not come along for certain, or the
 *             statement was not understood: the target takes its new shape,
 *             empty, and the table is copied anew
 *   failed    the target cannot take the shape: the table is disabled, and
 *             all others go on
 *
 * A table that is not ready is always read from the source again: the copy
 * shows the source as it is now, and so does the schema that it needs.  What
 * the stream has still to say of its structure is in both.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "cascade.h"
#include "ddl_apply_internal.h"
#include "ddl_charset.h"
#include "ddl_diff.h"
#include "ddl_engine.h"
#include "encoding.h"
#include "event.h"
#include "snapshot.h"
#include "sql.h"
#include "target.h"
#include "typemap.h"
#include "worker.h"

/* ------------------------------------------------------------------------
 * Tools
 * ------------------------------------------------------------------------
 */

typedef struct Step
{
	MsDdlApply *ddl;
	MsDdlStep	step;
	void	   *arg;
} Step;

static void
take_step(void *arg)
{
	Step	   *step = arg;

	step->step(step->ddl, step->arg);
}

/*
 * Do something in a subtransaction.  False when it failed, with the error's
 * text.  What would fail in another minute as well, or not any more, is not
 * caught.
 */
bool
ms_ddl_try(MsDdlApply *ddl, MsDdlStep step, void *arg, char **error)
{
	Step		closure = {ddl, step, arg};
	bool		ok = ms_worker_try(take_step, &closure, error);

	if (!ok)
		ms_relmap_abort(ddl->apply->relmap);
	return ok;
}

void
ms_ddl_parse_statement(MsDdlApply *ddl, MsDdl *parsed)
{
	ms_ddl_parse(ddl->sql, strlen(ddl->sql), ddl->statement->default_db,
				 ddl->sql_mode, parsed);
	parsed->implicit_timestamps = ddl->implicit_timestamps;
}

/* A row of the history, and a line in the log. */
void
ms_ddl_record(MsDdlApply *ddl, const char *source_table, List *translation,
			  const char *result)
{
	MsApply    *apply = ddl->apply;
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, translation)
		appendStringInfo(&text, "%s%s;", foreach_current_index(lc) ? "\n" : "",
						 ms_ddl_without_secrets(lfirst(lc), MS_SQL_MODE_ANSI_QUOTES | MS_SQL_MODE_NO_BACKSLASH));
	ms_catalog_add_ddl(apply->sub->subid, apply->gtid_text[0] ? apply->gtid_text : NULL,
					   source_table, ddl->shown, text.len ? text.data : NULL,
					   result);
	ereport(LOG,
			(errmsg("subscription \"%s\": structure of source table \"%s\" changed at GTID %s: %s",
					apply->sub->name, source_table, apply->gtid_text, result)));
}

/* The table's model, named. */
MsSourceTable *
ms_ddl_recorded(const TablePlan *plan)
{
	MsSourceTable *table = ms_source_table_from_jsonb(plan->sub->source_schema);

	table->db = plan->sub->source_db;
	table->name = plan->sub->source_table;
	return table;
}

/* The target cannot follow: its rows are dropped from here on. */
void
ms_ddl_disable(MsDdlApply *ddl, TablePlan *plan, const char *error)
{
	MsSubTable *sub = plan->sub;

	ms_catalog_set_table_state(sub, MS_TABLE_DISABLED);
	sub->state = MS_TABLE_DISABLED;
	plan->nchunks = 0;
	ms_snapshot_forget_table(plan);
	ms_catalog_set_table_error(sub->subid, sub->source_db, sub->source_table,
							   psprintf("%s\nwhile applying: %s\nHINT: " MS_HINT_DISABLED,
										error, ddl->shown));
	ms_ddl_record(ddl, plan->name, NIL, psprintf("failed: %s", error));
	ereport(WARNING,
			(errmsg("subscription \"%s\" has disabled source table \"%s\" after a structure change",
					ddl->apply->sub->name, plan->name),
			 errdetail_internal("%s", error),
			 errhint(MS_HINT_DISABLED)));
}

/* ------------------------------------------------------------------------
 * A table's new shape
 * ------------------------------------------------------------------------
 */

/* Bring a target from one model to another. */
typedef struct Reshape
{
	TablePlan  *plan;
	MsSourceTable *old;
	MsSourceTable *new;
	bool		empty;			/* the target is emptied, and copied anew */
	bool		without_references; /* foreign keys are in the way */
	MsModelDiff diff;
	List	   *dropped;		/* statements: foreign keys of ours */
	bool		done;			/* or the rows would have to be copied */
} Reshape;

/*
 * Options of single columns, by the names that the columns have in the new
 * schema; those of a column that is gone go with it.
 */
static Jsonb *
follow_options(Jsonb *columns, const MsSourceTable *old,
			   const MsSourceTable *new)
{
	JsonbParseState *state = NULL;
	JsonbIterator *it;
	JsonbValue	item;
	JsonbIteratorToken token;
	const MsSourceColumn *col = NULL;
	ListCell   *lc;

	if (columns == NULL)
		return NULL;
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	it = JsonbIteratorInit(&columns->root);
	(void) JsonbIteratorNext(&it, &item, false);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			const MsSourceColumn *was;

			was = ms_source_find_column(old->columns, pnstrdup(item.val.string.val,
															   item.val.string.len));
			col = NULL;
			foreach(lc, new->columns)
				if (was && ((MsSourceColumn *) lfirst(lc))->was == was)
				col = lfirst(lc);
			if (col)
			{
				item.val.string.val = col->name;
				item.val.string.len = strlen(col->name);
				(void) pushJsonbValue(&state, WJB_KEY, &item);
			}
		}
		else if (token == WJB_VALUE && col)
			(void) pushJsonbValue(&state, WJB_VALUE, &item);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * Run the statements of a diff.  An index that cannot be made of the rows is
 * done without, and noted.
 */
static void
run_diff(const char *source_table, MsModelDiff *diff)
{
	List	   *done = NIL;
	ListCell   *lc;

	foreach(lc, diff->statements)
	{
		char	   *sql = lfirst(lc);
		char	   *error = NULL;

		if (strncmp(sql, "CREATE INDEX ", 13) == 0 ||
			strncmp(sql, "CREATE UNIQUE INDEX ", 20) == 0)
			error = ms_sql_make_index(sql);
		else
			(void) ms_sql_run(sql);
		if (error == NULL)
		{
			done = lappend(done, sql);
			continue;
		}
		diff->notes = lappend(diff->notes, error);
		ereport(WARNING,
				(errmsg("an index on the target of \"%s\" could not be made",
						source_table),
				 errdetail_internal("%s", error)));
	}
	diff->statements = done;
}

/* Inside the subtransaction, as the owner. */
static void
reshape_as_owner(MsDdlApply *ddl, Reshape *reshape)
{
	TablePlan  *plan = reshape->plan;
	MsRelmap   *relmap = ddl->apply->relmap;
	Oid			relid = plan->sub->relid;
	ListCell   *lc;

	LockRelationOid(relid, AccessExclusiveLock);
	if (get_rel_name(relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("target table of \"%s\" does not exist", plan->name)));
	ms_options_bind_columns(reshape->old->columns, plan->sub->columns,
							ddl->apply->options);
	ms_relmap_set_columns(relmap, plan,
						  follow_options(plan->sub->columns, reshape->old,
										 reshape->new));
	ms_options_bind_columns(reshape->new->columns, plan->sub->columns,
							ddl->apply->options);
	reshape->dropped = NIL;
	if (reshape->without_references)
	{
		ms_ddl_drop_references(ddl, relid, InvalidOid, &reshape->dropped);
		ms_ddl_drop_own_references(plan, &reshape->dropped);
	}
	if (reshape->empty)
		ms_target_truncate(relid);
	ms_model_diff(reshape->old, reshape->new, relid, reshape->empty,
				  ddl->apply->options, &reshape->diff);
	if (reshape->diff.copy_reason && !reshape->empty)
		return;
	foreach(lc, reshape->diff.dropped_indexes)
		ms_ddl_drop_references(ddl, relid, lfirst_oid(lc), &reshape->dropped);
	run_diff(plan->name, &reshape->diff);

	/* does it take the rows that will come? */
	ms_relmap_set_schema(relmap, plan, ms_source_table_to_jsonb(reshape->new));
	ms_relmap_open(relmap, plan, NULL);
	ms_relmap_close_all(relmap);
	reshape->done = true;
}

static void
reshape_target(MsDdlApply *ddl, void *arg)
{
	Reshape    *reshape = arg;
	MsRole		before;

	ms_role_enter_table(reshape->plan->sub->relid, &before);
	reshape_as_owner(ddl, reshape);
	ms_role_return(&before);
}

static bool
try_reshape(MsDdlApply *ddl, Reshape *reshape, char **error)
{
	Jsonb	   *before = reshape->plan->sub->source_schema;
	Jsonb	   *columns = reshape->plan->sub->columns;

	reshape->done = false;
	if (ms_ddl_try(ddl, reshape_target, reshape, error))
	{
		/* or it was found out that nothing could be done */
		if (!reshape->done)
			ms_relmap_set_columns(ddl->apply->relmap, reshape->plan, columns);
		return true;
	}
	ms_relmap_set_columns(ddl->apply->relmap, reshape->plan, columns);
	ms_relmap_set_schema(ddl->apply->relmap, reshape->plan, before);
	return false;
}

/* A result, and what is to be said about it. */
char *
ms_ddl_join_notes(const char *result, const List *notes)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfoString(&buf, result);
	foreach(lc, notes)
		appendStringInfo(&buf, "; %s", (char *) lfirst(lc));
	return buf.data;
}

/* Is any column called something else? */
static bool
renames_columns(const MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		const MsSourceColumn *col = lfirst(lc);

		if (col->was && strcmp(col->was->name, col->name) != 0)
			return true;
	}
	return false;
}

/*
 * Give the table the shape of new.  reason says why its rows have to be
 * copied in any case, or is NULL.
 */
static void
reshape_table(MsDdlApply *ddl, TablePlan *plan, MsSourceTable *old,
			  MsSourceTable *new, const char *reason)
{
	Reshape		reshape = {.plan = plan,.old = old,.new = new};
	List	   *statements;
	List	   *notes;
	char	   *error = NULL;
	char	   *result = "applied";

	if (reason == NULL)
	{
		if (!try_reshape(ddl, &reshape, &error))
			reason = psprintf("the target could not be changed in place: %s", error);
		else if (!reshape.done)
			reason = reshape.diff.copy_reason;
	}
	if (reason)
	{
		reshape.empty = true;
		if (!try_reshape(ddl, &reshape, &error))
		{
			reshape.without_references = true;
			if (!try_reshape(ddl, &reshape, &error))
			{
				ms_ddl_disable(ddl, plan, error);
				return;
			}
		}
		ms_snapshot_restart_table(plan);
		result = psprintf("resync: %s", reason);
	}
	else
		plan->schema_gtid = NULL;
	ms_catalog_set_source_schema(plan->sub);
	if (renames_columns(new))
		ms_ddl_follow_references(ddl, plan, new);
	statements = list_concat(reshape.dropped, reshape.diff.statements);
	notes = reshape.diff.notes;
	ms_ddl_foreign_keys(ddl, plan, old, new, &statements, &notes);
	if (reshape.dropped || reshape.diff.adds_keys)
		ms_ddl_make_references(ddl, plan, &statements, &notes);
	ms_ddl_record(ddl, plan->name, statements,
				  ms_ddl_join_notes(result, notes));
}

/* Columns of the same name are the same. */
static void
follow_by_name(MsSourceTable *new, const MsSourceTable *old)
{
	ListCell   *lc;

	foreach(lc, new->columns)
	{
		MsSourceColumn *col = lfirst(lc);

		col->was = ms_source_find_column(old->columns, col->name);
	}
}

/*
 * Read the table from the source again and have it copied.  One that is not
 * there any more waits for the statement that took it away.
 */
void
ms_ddl_refresh(MsDdlApply *ddl, TablePlan *plan, const char *why)
{
	MsApply    *apply = ddl->apply;
	MsWire	   *wire = apply->control;
	char	   *gtid;
	List	   *tables;
	MsSourceTable *old = ms_ddl_recorded(plan);
	MsSourceTable *new;
	MemoryContext oldcxt;

	if (plan->sub->reshape)
	{
		plan->sub->reshape = false;
		ms_catalog_set_reshape(plan->sub);
	}
	/* in this order: what is read is of then or later */
	gtid = ms_wire_query_value(wire, "SELECT @@global.gtid_binlog_pos");
	tables = ms_remote_schema_fetch(wire, apply->sub->patterns,
									plan->sub->source_db,
									plan->sub->source_table);
	/* one that went away between two questions has no columns */
	if (tables == NIL || ((MsSourceTable *) linitial(tables))->columns == NIL)
	{
		ms_snapshot_restart_table(plan);
		plan->held = true;
		ms_ddl_record(ddl, plan->name, NIL,
					  psprintf("resync: %s; the source has the table no more, which the stream will tell",
							   why));
		return;
	}
	if (apply->options->versioned_history)
		ms_source_keep_history(tables);
	new = linitial(tables);
	follow_by_name(new, old);
	reshape_table(ddl, plan, old, new, why);
	oldcxt = MemoryContextSwitchTo(GetMemoryChunkContext(plan));
	plan->schema_gtid = palloc0(sizeof(MsGtidList));
	ms_gtid_init(plan->schema_gtid);
	if (!ms_gtid_parse_list(gtid, plan->schema_gtid))
		plan->schema_gtid = NULL;
	MemoryContextSwitchTo(oldcxt);
}

/* Was the schema read when the source had this statement behind it? */
bool
ms_ddl_is_contained(const MsApply *apply, const TablePlan *plan)
{
	MsGtidList	list;

	if (plan->schema_gtid == NULL || plan->held)
		return false;
	ms_gtid_init(&list);
	ms_gtid_update(&list, &apply->gtid.gtid);
	return ms_gtid_reached(plan->schema_gtid, &list);
}

/* ------------------------------------------------------------------------
 * ALTER TABLE, CREATE INDEX, DROP INDEX
 * ------------------------------------------------------------------------
 */

static void
alter_table(MsDdlApply *ddl, TablePlan *plan)
{
	MsDdl		parsed;
	MsModelChange change;
	MsSourceTable *old;
	MsSourceTable *new;

	ms_ddl_parse_statement(ddl, &parsed);
	old = ms_ddl_recorded(plan);
	new = ms_model_follow(plan->sub->source_schema, old);
	ms_model_apply(new, &parsed, &change);
	ms_ddl_name_references(ddl, new);

	if (plan->sub->state == MS_TABLE_DISABLED)
		ms_ddl_record(ddl, plan->name, NIL, "ignored: the table is disabled");
	else if (plan->sub->state != MS_TABLE_READY)
	{
		if (ms_ddl_is_contained(ddl->apply, plan))
			ms_ddl_record(ddl, plan->name, NIL, "applied: the copy has it");
		else
			ms_ddl_refresh(ddl, plan, "the table is being copied");
	}
	else if (ddl->apply->options->versioned_history &&
			 (ms_source_is_versioned(old) || ms_source_is_versioned(new)))
		ms_ddl_refresh(ddl, plan, "its history is replicated");
	else if (change.unknown)
		ms_ddl_refresh(ddl, plan, psprintf("\"%s\" was not understood",
										   ms_ddl_without_secrets(change.unknown, ddl->sql_mode)));
	else
		reshape_table(ddl, plan, old, new, change.rows_changed);

	if (change.new_name)
	{
		MsTableName *from = palloc(sizeof(MsTableName));

		from->db = plan->sub->source_db;
		from->table = plan->sub->source_table;
		ms_ddl_rename_tables(ddl, list_make2(from, change.new_name));
		if (change.may_lose_keys)
			ms_ddl_refresh_referring(ddl, change.new_name);
	}
}

/* ------------------------------------------------------------------------
 * The statement
 * ------------------------------------------------------------------------
 */

/* Does it concern a table of ours, or one that would be? */
static bool
concerns_us(MsDdlApply *ddl)
{
	MsRelmap   *relmap = ddl->apply->relmap;
	ListCell   *lc;

	if (!ms_relmap_is_linked(relmap))
		ms_cascade_link(relmap);
	foreach(lc, ddl->statement->tables)
	{
		MsTableName *name = lfirst(lc);

		if (ms_relmap_find_name(relmap, name->db, name->table))
			return true;
		/* foreign keys of ours follow a new name of their parent */
		if (list_length(ddl->statement->tables) > 1 &&
			ms_relmap_find_watched(relmap, name->db, name->table))
			return true;
		if (ms_relmap_matches(relmap, name->db, name->table) &&
			strcmp(ddl->statement->verb, "DROP TABLE") != 0)
			return true;
	}
	if (ddl->statement->kind == MS_STMT_DROP_DATABASE)
	{
		foreach(lc, ms_relmap_plans(relmap))
			if (strcmp(((TablePlan *) lfirst(lc))->sub->source_db,
					   ddl->statement->db) == 0)
			return true;
	}
	return false;
}

/* Does the table have a foreign key to one that the statement names? */
static bool
refers_to_named(MsDdlApply *ddl, const TablePlan *plan)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, ms_ddl_recorded(plan)->foreign_keys)
		foreach(lc2, ddl->statement->tables)
	{
		const MsSourceForeignKey *key = lfirst(lc);
		const MsTableName *name = lfirst(lc2);

		if (ms_source_refers_to(key, name->db, name->table))
			return true;
	}
	return false;
}

/* Snapshot workers let go of the tables before we want them. */
static void
wait_for_tables(MsDdlApply *ddl)
{
	MsRelmap   *relmap = ddl->apply->relmap;
	ListCell   *lc;

	foreach(lc, ms_relmap_plans(relmap))
	{
		TablePlan  *plan = lfirst(lc);
		bool		named = ddl->statement->kind == MS_STMT_DROP_DATABASE &&
		strcmp(plan->sub->source_db, ddl->statement->db) == 0;
		ListCell   *lc2;

		foreach(lc2, ddl->statement->tables)
		{
			MsTableName *name = lfirst(lc2);

			named |= ms_relmap_find_name(relmap, name->db, name->table) == plan;
		}
		/* those that refer to it may have to be copied anew, too */
		if (named || ((plan->sub->state != MS_TABLE_READY ||
					   ms_snapshot_makes_foreign_keys(plan)) &&
					  refers_to_named(ddl, plan)))
			ms_snapshot_wait_for_table(plan);
	}
}

static void
drop_tables(MsDdlApply *ddl)
{
	MsRelmap   *relmap = ddl->apply->relmap;
	List	   *plans = NIL;
	ListCell   *lc;

	if (ddl->statement->kind == MS_STMT_DROP_DATABASE)
	{
		foreach(lc, ms_relmap_plans(relmap))
		{
			TablePlan  *plan = lfirst(lc);

			if (strcmp(plan->sub->source_db, ddl->statement->db) == 0)
				plans = lappend(plans, plan);
		}
	}
	foreach(lc, ddl->statement->tables)
	{
		MsTableName *name = lfirst(lc);
		TablePlan  *plan = ms_relmap_find_name(relmap, name->db, name->table);

		if (plan)
			plans = list_append_unique_ptr(plans, plan);
	}
	foreach(lc, plans)
		ms_ddl_drop_table(ddl, lfirst(lc));
}

/* The other table of EXCHANGE PARTITION, or of CONVERT. */
static void
exchange_partition(MsDdlApply *ddl, const MsTableName *other)
{
	MsRelmap   *relmap = ddl->apply->relmap;
	TablePlan  *plan = ms_relmap_find_name(relmap, other->db, other->table);

	if (ddl->statement->exchange == MS_EXCHANGE_TO_TABLE)
		ms_ddl_join_later(ddl, other);
	else if (plan == NULL)
		return;
	else if (ddl->statement->exchange == MS_EXCHANGE_FROM_TABLE)
		ms_ddl_drop_table(ddl, plan);
	else
		ms_ddl_refresh(ddl, plan, "its rows were exchanged with a partition");
}

static void
dispatch(MsDdlApply *ddl)
{
	const MsStatement *statement = ddl->statement;
	MsTableName *name;
	TablePlan  *plan;

	if (statement->kind == MS_STMT_CREATE_TABLE)
		ms_ddl_create_table(ddl);
	else if (statement->kind == MS_STMT_DROP_DATABASE ||
			 strcmp(statement->verb, "DROP TABLE") == 0)
		drop_tables(ddl);
	else if (strcmp(statement->verb, "RENAME TABLE") == 0)
		ms_ddl_rename_tables(ddl, statement->tables);
	else
	{
		name = linitial(statement->tables);
		plan = ms_relmap_find_name(ddl->apply->relmap, name->db, name->table);
		if (plan)
			alter_table(ddl, plan);
		else if (list_length(statement->tables) > 1 &&
				 statement->exchange == MS_EXCHANGE_NONE)
			ms_ddl_rename_tables(ddl, statement->tables);
		if (statement->exchange != MS_EXCHANGE_NONE)
			exchange_partition(ddl, lsecond(statement->tables));
	}
}

/* Which collation has a character set that is named without one? */
static void
load_default_collations(MsWire *wire)
{
	MsResult   *res;
	char	   *settings;
	char	   *state = NULL;

	if (ms_ddl_has_default_collations())
		return;
	res = ms_wire_query(wire, "SELECT CHARACTER_SET_NAME, DEFAULT_COLLATE_NAME FROM information_schema.CHARACTER_SETS");
	for (int i = 0; i < res->nrows; i++)
		ms_ddl_set_default_collation(ms_result_cell(res, i, 0),
									 ms_result_cell(res, i, 1));

	/* "utf8mb4=utf8mb4_uca1400_ai_ci,...", from MariaDB 11.2 on */
	res = ms_wire_query(wire, "SHOW GLOBAL VARIABLES LIKE 'character_set_collations'");
	settings = res->nrows > 0 ? ms_result_cell(res, 0, 1) : NULL;
	if (settings == NULL)
		return;
	for (char *item = strtok_r(pstrdup(settings), ",", &state); item;
		 item = strtok_r(NULL, ",", &state))
	{
		char	   *equals = strchr(item, '=');

		if (equals == NULL)
			continue;
		*equals = '\0';
		ms_ddl_set_default_collation(item, equals + 1);
	}
}

/*
 * What else of the source's settings decides what a statement means.  Servers
 * whose sessions cannot have a setting of their own do not log it.
 */
static void
load_settings(MsDdlApply *ddl, const MsQueryEvent *query)
{
	MsResult   *res;

	res = ms_wire_query(ddl->apply->control,
						"SELECT MAX(VARIABLE_NAME = 'OLD_MODE' AND ENUM_VALUE_LIST LIKE '%UTF8_IS_UTF8MB3%' AND GLOBAL_VALUE NOT LIKE '%UTF8_IS_UTF8MB3%'),"
						" MAX(VARIABLE_NAME = 'EXPLICIT_DEFAULTS_FOR_TIMESTAMP' AND (VARIABLE_SCOPE = 'SESSION' OR GLOBAL_VALUE = 'OFF'))"
						" FROM information_schema.SYSTEM_VARIABLES"
						" WHERE VARIABLE_NAME IN ('OLD_MODE', 'EXPLICIT_DEFAULTS_FOR_TIMESTAMP')");
	ms_ddl_set_utf8(strcmp(ms_result_cell(res, 0, 0), "1") == 0);
	ddl->implicit_timestamps = (query->flags2 & MS_QUERY_EXPLICIT_TIMESTAMP) == 0 &&
		strcmp(ms_result_cell(res, 0, 1), "1") == 0;
}

/*
 * Apply a statement that defines tables.  Between source transactions; the
 * group is committed before, and is the statement's own.  sql is the event's
 * text, in the server's encoding.
 */
void
ms_ddl_apply(MsApply *apply, const MsStatement *statement,
			 const MsQueryEvent *query, const char *sql)
{
	MsDdlApply	ddl = {0};

	ddl.apply = apply;
	ddl.statement = statement;
	ddl.sql_mode = query->sql_mode;
	ddl.error_code = query->error_code;
	if (!concerns_us(&ddl))
		return;
	ddl.sql = pstrdup(sql);
	ddl.shown = ms_ddl_without_secrets(ddl.sql, query->sql_mode);
	ms_apply_let_go(apply);
	wait_for_tables(&ddl);
	load_default_collations(apply->control);
	ms_engine_load(apply->control);
	load_settings(&ddl, query);
	ms_apply_begin(apply);
	ms_relmap_forget_ids(apply->relmap);
	apply->wrote = apply->defined = true;
	apply->commit_now = true;
	apply->counters[MS_CNT_DDL]++;
	dispatch(&ddl);
	ms_relmap_forget_ids(apply->relmap);
}

/* Has the stream told all that the source has done? */
static bool
is_caught_up(const MsApply *apply)
{
	MsGtidList	source;

	ms_gtid_init(&source);
	return ms_gtid_parse_list(ms_wire_query_value(apply->control,
												  "SELECT @@global.gtid_binlog_pos"),
							  &source) &&
		ms_gtid_reached(&apply->position.gtid, &source);
}

/* Between source transactions: the table is read from the source again. */
static void
refresh_now(MsDdlApply *ddl, TablePlan *plan, const char *why)
{
	static const MsStatement nothing = {0};

	ddl->statement = &nothing;
	ms_apply_commit(ddl->apply);
	ms_snapshot_wait_for_table(plan);
	ms_apply_begin(ddl->apply);
	ms_ddl_refresh(ddl, plan, why);
}

/*
 * The stream has nothing more to say, and the copy of a table still waits for
 * a change of its structure: look at the source.  True when there was one.
 */
bool
ms_ddl_release_held(MsApply *apply)
{
	TablePlan  *plan = ms_snapshot_held_table();
	MsDdlApply	ddl = {.apply = apply,.shown = "(no statement in the stream)"};

	if (plan == NULL || apply->options->ddl != MS_DDL_APPLY ||
		!is_caught_up(apply))
		return false;
	refresh_now(&ddl, plan, "the copy met another structure");
	if (plan->held && plan->sub->state != MS_TABLE_DISABLED)
		ms_ddl_disable(&ddl, plan, "the source has no such table");
	ms_apply_commit(apply);
	return true;
}

/*
 * Between source transactions: give the targets for which resync_table() has
 * asked for it the shape that the source's tables have by now.
 */
void
ms_ddl_reshape(MsApply *apply)
{
	MsDdlApply	ddl = {.apply = apply,.shown = "resync_table()"};
	TablePlan  *plan;

	while ((plan = ms_snapshot_table_to_reshape()) != NULL)
	{
		refresh_now(&ddl, plan, "it was asked for");
		ms_apply_commit(apply);
	}
}
