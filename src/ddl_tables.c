/*
 * ddl_tables.c - tables that come, go and change their names.
 *
 * Part of applying structure changes.  A table follows its name as long as
 * the subscription's patterns choose it; a name that another table takes over
 * stays with its target, whose rows are copied anew.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "ddl_apply_internal.h"
#include "ddl_engine.h"
#include "mapping.h"
#include "snapshot.h"
#include "sql.h"
#include "typemap.h"

/* ------------------------------------------------------------------------
 * Leaving
 * ------------------------------------------------------------------------
 */

/* Out of the subscription; the target is the caller's business. */
static void
remove_table(MsDdlApply *ddl, TablePlan *plan)
{
	ms_catalog_delete_table(plan->sub);
	ms_snapshot_forget_table(plan);
	ms_relmap_remove(ddl->apply->relmap, plan);
}

static char *
target_name(Oid relid)
{
	char	   *relname = get_rel_name(relid);

	return relname == NULL ? NULL :
		quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
								   relname);
}

/* A target that is dropped. */
typedef struct Drop
{
	Oid			relid;
	List	   *statements;
} Drop;

static void
drop_target(MsDdlApply *ddl, void *arg)
{
	Drop	   *drop = arg;
	char	   *sql = psprintf("DROP TABLE %s", target_name(drop->relid));

	/* in MariaDB the parent may go before the child, or without it */
	ms_ddl_drop_references(ddl, drop->relid, InvalidOid, &drop->statements);
	(void) ms_sql_run(sql);
	drop->statements = lappend(drop->statements, sql);
}

/* The target goes with its table if it was made for it. */
void
ms_ddl_drop_table(MsDdlApply *ddl, TablePlan *plan)
{
	Drop		drop = {.relid = plan->sub->relid};
	char	   *error;

	remove_table(ddl, plan);
	if (get_rel_name(drop.relid) == NULL)
		ms_ddl_record(ddl, plan->name, NIL, "applied: there was no target table");
	else if (!plan->sub->created)
		ms_ddl_record(ddl, plan->name, NIL,
					  "applied: the target table was there before the subscription, and stays");
	else if (ms_ddl_try(ddl, drop_target, &drop, &error))
		ms_ddl_record(ddl, plan->name, drop.statements, "applied");
	else
		ms_ddl_record(ddl, plan->name, NIL,
					  psprintf("applied: the target table stays: %s", error));
}

/* ------------------------------------------------------------------------
 * CREATE TABLE
 * ------------------------------------------------------------------------
 */

typedef struct Create
{
	MsSourceTable *table;
	List	   *taken;			/* OIDs of the targets of other tables */
	MsMapping  *mapping;
} Create;

static void
map_new_table(MsDdlApply *ddl, void *arg)
{
	Create	   *create = arg;
	MsSubscriptionOptions *options = palloc(sizeof(MsSubscriptionOptions));
	MsRole		before;

	/*
	 * There is nothing to copy, nor to wait for; the table's columns go on to
	 * use this.
	 */
	*options = *ddl->apply->options;
	options->copy_data = false;
	create->mapping = ms_mapping_make_joining(create->table, create->taken,
											  options);
	ms_mapping_finish(list_make1(create->mapping), options);
	create->mapping->foreign_keys_wait = false;
	ms_role_enter_table(create->mapping->relid, &before);
	if (!create->mapping->created &&
		ms_sql_has_rows(psprintf("SELECT FROM %s LIMIT 1",
								 target_name(create->mapping->relid))))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("target table %s is not empty",
						target_name(create->mapping->relid)),
				 errhint("Use TRUNCATE and mariadb_sync.resync_table().")));
	ms_role_return(&before);
}

/* The model of the new table; NULL when only the source knows it. */
static MsSourceTable *
build_model(MsDdlApply *ddl, const MsTableName *name, const MsDdl *parsed)
{
	MsSourceTable *table;
	MsModelChange change;
	MsDdl		nothing = {0};

	if (parsed->like)
	{
		TablePlan  *like = ms_relmap_find_name(ddl->apply->relmap,
											   parsed->like->db,
											   parsed->like->table);

		if (like == NULL || like->sub->state != MS_TABLE_READY)
			return NULL;
		table = ms_ddl_recorded(like);
		table->foreign_keys = NIL;
		ms_model_apply(table, &nothing, &change);
	}
	else
	{
		table = palloc0(sizeof(MsSourceTable));
		table->table_type = "BASE TABLE";
		if (ms_engine_default())
			table->engine = pstrdup(ms_engine_default());
		table->collation = ms_wire_query_value(ddl->apply->control,
											   psprintf("SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s",
														ms_wire_quote_literal(name->db)));
		table->db = name->db;
		table->name = name->table;
		ms_model_apply(table, parsed, &change);
		if (change.unknown || table->columns == NIL)
			return NULL;
	}
	table->db = name->db;
	table->name = name->table;
	ms_ddl_name_references(ddl, table);
	/* its period and its keys are those of information_schema */
	if (ddl->apply->options->versioned_history && ms_source_is_versioned(table))
		return NULL;
	return table;
}

/* What the source's table has and the new target has not. */
static List *
creation_notes(const MsSourceTable *table, const MsSubscriptionOptions *options)
{
	List	   *notes = ms_typemap_losses(table, options);
	ListCell   *lc;

	foreach(lc, table->checks)
		notes = lappend(notes, psprintf("check \"%s\" is left to the source",
										((MsSourceCheck *) lfirst(lc))->name));
	return notes;
}

static void
join_table(MsDdlApply *ddl, MsSourceTable *table)
{
	MsApply    *apply = ddl->apply;
	Create		create = {.table = table};
	ListCell   *lc;
	bool		ok;
	char	   *error;
	TablePlan  *plan;
	List	   *statements = NIL;
	List	   *notes = NIL;

	foreach(lc, ms_relmap_plans(apply->relmap))
		create.taken = lappend_oid(create.taken,
								   ((TablePlan *) lfirst(lc))->sub->relid);
	ok = ms_ddl_try(ddl, map_new_table, &create, &error);
	ms_mapping_record(apply->sub->subid, ok ? create.mapping :
					  ms_mapping_make_failed(table, create.taken,
											 apply->options),
					  ok ? MS_TABLE_READY : MS_TABLE_DISABLED);
	ms_relmap_add(apply->relmap,
				  ms_catalog_get_table(apply->sub->subid, table->db,
									   table->name));
	plan = ms_relmap_find_name(apply->relmap, table->db, table->name);
	if (!ok)
	{
		ms_ddl_disable(ddl, plan, error);
		return;
	}
	ms_ddl_make_references(ddl, plan, &statements, &notes);
	if (create.mapping->created)
		notes = list_concat(creation_notes(table, apply->options), notes);
	ms_ddl_record(ddl, plan->name, statements,
				  ms_ddl_join_notes(create.mapping->created ? "applied: joined, table created" :
									"applied: joined", notes));
}

/* A new table, if it is one of ours, joins as it is by then, with a copy. */
void
ms_ddl_join_later(MsDdlApply *ddl, const MsTableName *name)
{
	MsRelmap   *relmap = ddl->apply->relmap;

	if (!ms_relmap_matches(relmap, name->db, name->table) ||
		ms_relmap_find_name(relmap, name->db, name->table))
		return;
	ddl->apply->rescan = true;
	ms_ddl_record(ddl, psprintf("%s.%s", name->db, name->table), NIL,
				  "passed: the table joins with a copy");
}

/*
 * A table that the patterns choose joins here, without a copy: all rows it
 * will have are yet to come.
 */
void
ms_ddl_create_table(MsDdlApply *ddl)
{
	MsTableName *name = linitial(ddl->statement->tables);
	MsRelmap   *relmap = ddl->apply->relmap;
	TablePlan  *plan = ms_relmap_find_name(relmap, name->db, name->table);
	MsSourceTable *table;
	MsDdl		parsed;

	ms_ddl_parse_statement(ddl, &parsed);
	if (plan && !parsed.or_replace)
	{
		/* IF NOT EXISTS; or we know the table from a copy made since */
		ms_ddl_record(ddl, plan->name, NIL, "passed: the table is there");
		return;
	}
	if (plan)
		ms_ddl_drop_table(ddl, plan);
	/* a failed CREATE OR REPLACE is logged for what it has dropped */
	if (ddl->error_code != 0 ||
		!ms_relmap_matches(relmap, name->db, name->table))
		return;
	/* in statement format its rows are not in the stream */
	table = parsed.has_select ? NULL : build_model(ddl, name, &parsed);
	if (table)
		join_table(ddl, table);
	else
		ms_ddl_join_later(ddl, name);
}

/* ------------------------------------------------------------------------
 * RENAME TABLE
 * ------------------------------------------------------------------------
 */

/* A table that a RENAME moves. */
typedef struct Move
{
	TablePlan  *plan;			/* NULL = not in the subscription */
	MsTableName from;
	MsTableName to;				/* where it is now */
	bool		replaced;		/* another table took its name */
} Move;

static bool
same_table(const MsTableName *a, const char *db, const char *table)
{
	return strcmp(a->db, db) == 0 && strcmp(a->table, table) == 0;
}

/* Follow the pairs from left to right. */
static List *
follow_moves(MsRelmap *relmap, List *pairs)
{
	List	   *moves = NIL;

	for (int i = 0; i + 1 < list_length(pairs); i += 2)
	{
		MsTableName *from = list_nth(pairs, i);
		MsTableName *to = list_nth(pairs, i + 1);
		Move	   *move = NULL;
		ListCell   *lc;

		foreach(lc, moves)
		{
			Move	   *other = lfirst(lc);

			if (same_table(&other->to, from->db, from->table))
				move = other;
		}
		if (move == NULL)
		{
			move = palloc0(sizeof(Move));
			move->from.db = pstrdup(from->db);
			move->from.table = pstrdup(from->table);
			move->plan = ms_relmap_find_name(relmap, from->db, from->table);
			moves = lappend(moves, move);
		}
		move->to.db = pstrdup(to->db);
		move->to.table = pstrdup(to->table);
	}
	return moves;
}

static Move *
find_leaving(List *moves, MsRelmap *relmap, const MsTableName *name)
{
	ListCell   *lc;

	foreach(lc, moves)
	{
		Move	   *move = lfirst(lc);

		if (move->plan && same_table(&move->from, name->db, name->table) &&
			!ms_relmap_matches(relmap, move->to.db, move->to.table))
			return move;
	}
	return NULL;
}

typedef struct Target
{
	Oid			relid;
	const char *schema;
	const char *relname;
	List	   *statements;
} Target;

/*
 * What moves with a table to another schema and has a name there that is
 * taken: the table itself, its indexes, the sequences of its columns.
 */
static List *
rename_for_schema(const Target *target, const char *schema, char **relname)
{
	Oid			namespace = get_namespace_oid(target->schema, true);
	Relation	rel = table_open(target->relid, AccessShareLock);
	List	   *statements = NIL;
	List	   *moving = list_concat(lcons_oid(target->relid,
											   list_copy(RelationGetIndexList(rel))),
									 getOwnedSequences(target->relid));
	ListCell   *lc;

	table_close(rel, NoLock);
	foreach(lc, moving)
	{
		char	   *name = get_rel_name(lfirst_oid(lc));
		char	   *free_name = name;

		if (!OidIsValid(namespace) ||
			!OidIsValid(get_relname_relid(name, namespace)))
			continue;
		for (int n = 1; OidIsValid(get_relname_relid(free_name, namespace)) ||
			 OidIsValid(get_relname_relid(free_name, get_rel_namespace(target->relid))); n++)
			free_name = makeObjectName(name, NULL, psprintf("%d", n));
		/* ALTER TABLE renames indexes and sequences as well */
		statements = lappend(statements,
							 psprintf("ALTER TABLE %s RENAME TO %s",
									  quote_qualified_identifier(schema, name),
									  quote_identifier(free_name)));
		if (lfirst_oid(lc) == target->relid)
			*relname = free_name;
	}
	return statements;
}

/* The target's own name follows, by way of one that nobody has. */
static void
move_target(MsDdlApply *ddl pg_attribute_unused(), void *arg)
{
	Target	   *target = arg;
	char	   *relname = get_rel_name(target->relid);
	char	   *schema = get_namespace_name(get_rel_namespace(target->relid));
	ListCell   *lc;

	target->statements = NIL;
	if (strcmp(schema, target->schema) != 0)
	{
		target->statements = rename_for_schema(target, schema, &relname);
		if (!OidIsValid(get_namespace_oid(target->schema, true)))
			target->statements = lappend(target->statements,
										 psprintf("CREATE SCHEMA %s",
												  quote_identifier(target->schema)));
		target->statements = lappend(target->statements,
									 psprintf("ALTER TABLE %s SET SCHEMA %s",
											  quote_qualified_identifier(schema, relname),
											  quote_identifier(target->schema)));
	}
	if (strcmp(relname, target->relname) != 0)
		target->statements = lappend(target->statements,
									 psprintf("ALTER TABLE %s RENAME TO %s",
											  quote_qualified_identifier(target->schema, relname),
											  quote_identifier(target->relname)));
	foreach(lc, target->statements)
		(void) ms_sql_run(lfirst(lc));
}

static bool
is_moving(List *moves, const TablePlan *plan)
{
	ListCell   *lc;

	foreach(lc, moves)
		if (((Move *) lfirst(lc))->plan == plan)
		return true;
	return false;
}

/* All that stay in the subscription get their new names. */
static void
rename_plans(MsDdlApply *ddl, List *moves)
{
	MsApply    *apply = ddl->apply;
	List	   *staying = NIL;
	List	   *pairs = NIL;
	ListCell   *lc;

	foreach(lc, moves)
	{
		Move	   *move = lfirst(lc);

		if (move->plan && !move->replaced &&
			!same_table(&move->from, move->to.db, move->to.table))
			staying = lappend(staying, move);
	}

	/* what joined under a name that the stream gives to another by now */
	foreach(lc, staying)
	{
		Move	   *move = lfirst(lc);
		TablePlan  *other = ms_relmap_find_name(apply->relmap, move->to.db,
												move->to.table);

		if (other && !is_moving(moves, other))
			ms_ddl_drop_table(ddl, other);
	}

	/* out of each other's way first */
	foreach(lc, staying)
	{
		Move	   *move = lfirst(lc);
		char	   *between = psprintf("mariadb_sync_renamed_%d", foreach_current_index(lc));
		Target		target = {.relid = move->plan->sub->relid};
		char	   *error;

		ms_catalog_rename_table(move->plan->sub, "", between);
		move->plan->sub->source_db = "";
		move->plan->sub->source_table = MemoryContextStrdup(TopMemoryContext, between);
		if (list_length(staying) < 2 || !move->plan->sub->created ||
			get_rel_name(target.relid) == NULL)
			continue;
		target.schema = get_namespace_name(get_rel_namespace(target.relid));
		target.relname = between;
		(void) ms_ddl_try(ddl, move_target, &target, &error);
	}
	foreach(lc, staying)
	{
		Move	   *move = lfirst(lc);
		TablePlan  *plan = move->plan;
		Target		target = {.relid = plan->sub->relid};
		char	   *result = "applied";
		char	   *error;

		ms_catalog_rename_table(plan->sub, move->to.db, move->to.table);
		plan->sub->source_db = move->from.db;
		plan->sub->source_table = move->from.table;
		ms_relmap_rename(apply->relmap, plan, move->to.db, move->to.table);
		if (get_rel_name(target.relid) == NULL)
			result = "applied: there is no target table";
		else if (!plan->sub->created)
			result = "applied: the target table keeps its name";
		else
		{
			target.schema = ms_options_schema(apply->options, move->to.db);
			target.relname = move->to.table;
			if (!ms_ddl_try(ddl, move_target, &target, &error))
			{
				target.statements = NIL;
				result = psprintf("applied: the target table keeps its name: %s", error);
			}
		}
		ms_ddl_rename_own_keys(ddl, plan, move->from.table, &target.statements);
		ms_ddl_record(ddl, psprintf("%s.%s", move->from.db, move->from.table),
					  target.statements, result);
	}
	/* those of a table that leaves, or that we never had, follow it too */
	foreach(lc, moves)
	{
		Move	   *move = lfirst(lc);

		/* nothing refers to a table of another engine, whatever its name */
		if (move->plan == NULL ||
			ms_source_engine_is(ms_ddl_recorded(move->plan), "InnoDB"))
			pairs = lappend(lappend(pairs, &move->from), &move->to);
	}
	ms_ddl_rename_references(ddl, pairs);

	/* what was copied is what has the old name at the source */
	foreach(lc, staying)
	{
		TablePlan  *plan = ((Move *) lfirst(lc))->plan;

		if (plan->sub->state != MS_TABLE_READY &&
			plan->sub->state != MS_TABLE_DISABLED)
			ms_ddl_refresh(ddl, plan, "the table was being copied under another name");
	}
}

/*
 * RENAME a TO b, c TO d, ...  pairs are MsTableName, from and to in turn.
 */
void
ms_ddl_rename_tables(MsDdlApply *ddl, List *pairs)
{
	MsRelmap   *relmap = ddl->apply->relmap;
	List	   *moves = follow_moves(relmap, pairs);
	List	   *replaced = NIL;
	ListCell   *lc;

	foreach(lc, moves)
	{
		Move	   *move = lfirst(lc);
		Move	   *leaving;

		if (move->plan || !ms_relmap_matches(relmap, move->to.db, move->to.table))
			continue;
		leaving = find_leaving(moves, relmap, &move->to);
		if (leaving)
		{
			leaving->replaced = true;
			replaced = lappend(replaced, leaving->plan);
		}
		else if (ms_relmap_find_name(relmap, move->to.db, move->to.table) == NULL ||
				 list_length(moves) > 1)
			ddl->apply->rescan = true;
	}
	foreach(lc, moves)
	{
		Move	   *move = lfirst(lc);

		if (move->plan == NULL || move->replaced ||
			ms_relmap_matches(relmap, move->to.db, move->to.table))
			continue;
		remove_table(ddl, move->plan);
		ms_ddl_record(ddl, move->plan->name, NIL,
					  psprintf("applied: the table left the subscription as \"%s.%s\"; its target stays",
							   move->to.db, move->to.table));
		move->plan = NULL;
	}
	rename_plans(ddl, moves);
	foreach(lc, replaced)
		ms_ddl_refresh(ddl, lfirst(lc), "another table took over its name");
}
