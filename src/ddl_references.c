/*
 * ddl_references.c - foreign keys of targets, and of recorded schemas.
 *
 * Part of applying structure changes.  A foreign key of a target that we made
 * is there for who uses the target later; while the stream is applied it is not
 * enforced, and cascades follow the recorded schemas (cascade.c).  So it never
 * stands in the way of a change: it is dropped, and made again afterwards if
 * both tables are still such that PostgreSQL takes it.  Foreign keys of
 * somebody else's tables are not ours to drop.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "ddl_apply_internal.h"
#include "ddl_model.h"
#include "sql.h"
#include "typemap.h"

/* ------------------------------------------------------------------------
 * Those of targets
 * ------------------------------------------------------------------------
 */

typedef struct TableStatement
{
	Oid			relid;
	const char *sql;
} TableStatement;

static void
run_statement(MsDdlApply *ddl pg_attribute_unused(), void *arg)
{
	TableStatement *statement = arg;
	MsRole		before;

	ms_role_enter_table(statement->relid, &before);
	(void) ms_sql_run(statement->sql);
	ms_role_return(&before);
}

/*
 * Foreign keys that come and go, of a target that we made.  One that
 * PostgreSQL does not take is done without: while the stream is applied none
 * is enforced.
 */
void
ms_ddl_foreign_keys(MsDdlApply *ddl, TablePlan *plan, const MsSourceTable *old,
					const MsSourceTable *new, List **statements, List **notes)
{
	char	   *schema = get_namespace_name(get_rel_namespace(plan->sub->relid));
	char	   *relname = get_rel_name(plan->sub->relid);
	MsSourceTable added = *new;
	List	   *all = NIL;
	ListCell   *lc;

	if (!plan->sub->created)
		return;
	foreach(lc, old->foreign_keys)
	{
		MsSourceForeignKey *fk = lfirst(lc);

		if (!ms_source_find_foreign_key(new, fk->name))
			all = lappend(all, psprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s",
										quote_qualified_identifier(schema, relname),
										quote_identifier(ms_typemap_constraint_name(fk))));
	}
	added.foreign_keys = NIL;
	foreach(lc, new->foreign_keys)
	{
		MsSourceForeignKey *fk = lfirst(lc);

		if (!ms_source_find_foreign_key(old, fk->name) &&
			ms_relmap_find_name(ddl->apply->relmap, fk->ref_db, fk->ref_table))
			added.foreign_keys = lappend(added.foreign_keys, fk);
	}
	all = list_concat(all, ms_typemap_create_foreign_keys(&added, schema, relname,
														  ddl->apply->options));
	/* cascades are followed whether the parent is replicated or not */
	added.foreign_keys = NIL;
	foreach(lc, new->foreign_keys)
		if (!ms_source_find_foreign_key(old, ((MsSourceForeignKey *) lfirst(lc))->name))
		added.foreign_keys = lappend(added.foreign_keys, lfirst(lc));
	all = list_concat(all, ms_typemap_create_matching_indexes(&added, schema,
															  relname));
	foreach(lc, all)
	{
		TableStatement statement = {plan->sub->relid, lfirst(lc)};
		char	   *error;

		if (ms_ddl_try(ddl, run_statement, &statement, &error))
			*statements = lappend(*statements, lfirst(lc));
		else
			*notes = lappend(*notes,
							 psprintf("a foreign key of %s is left out: %.*s",
									  plan->name, (int) strcspn(error, "\n"),
									  error));
	}
}

/* Drop those of one table of ours that go to parent, by this index or any. */
static void
drop_of_child(Oid child, Oid parent, Oid index, List **statements)
{
	Relation	constraints = table_open(ConstraintRelationId, AccessShareLock);
	char	   *target = quote_qualified_identifier(get_namespace_name(get_rel_namespace(child)),
													get_rel_name(child));
	List	   *found = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	ListCell   *lc;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(child));
	scan = systable_beginscan(constraints, ConstraintRelidTypidNameIndexId,
							  true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

		if (form->contype == CONSTRAINT_FOREIGN &&
			(!OidIsValid(parent) || form->confrelid == parent) &&
			(!OidIsValid(index) || form->conindid == index))
			found = lappend(found, psprintf("ALTER TABLE %s DROP CONSTRAINT %s",
											target,
											quote_identifier(NameStr(form->conname))));
	}
	systable_endscan(scan);
	table_close(constraints, AccessShareLock);

	foreach(lc, found)
	{
		MsRole		before;

		ms_role_enter_table(child, &before);
		(void) ms_sql_run(lfirst(lc));
		ms_role_return(&before);
	}
	*statements = list_concat(*statements, found);
}

/*
 * Drop the foreign keys that targets of ours have to this one; index chooses
 * those that need it, InvalidOid all.
 */
void
ms_ddl_drop_references(MsDdlApply *ddl, Oid relid, Oid index,
					   List **statements)
{
	ListCell   *lc;

	foreach(lc, ms_relmap_plans(ddl->apply->relmap))
	{
		const MsSubTable *child = ((TablePlan *) lfirst(lc))->sub;

		if (child->created && get_rel_name(child->relid))
			drop_of_child(child->relid, relid, index, statements);
	}
}

/* Drop those that it has itself. */
void
ms_ddl_drop_own_references(TablePlan *plan, List **statements)
{
	if (plan->sub->created)
		drop_of_child(plan->sub->relid, InvalidOid, InvalidOid, statements);
}

/*
 * Make what is missing of foreign keys from or to this table: the parent may
 * come after the child, as in a dump, or once more.
 */
void
ms_ddl_make_references(MsDdlApply *ddl, const TablePlan *plan,
					   List **statements, List **notes)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, ms_relmap_plans(ddl->apply->relmap))
	{
		TablePlan  *child = lfirst(lc);
		MsSourceTable *recorded;
		MsSourceTable there;

		if (!child->sub->created || get_rel_name(child->sub->relid) == NULL ||
			(child != plan && child->sub->state != MS_TABLE_READY))
			continue;
		recorded = ms_ddl_recorded(child);
		ms_options_bind_columns(recorded->columns, child->sub->columns,
								ddl->apply->options);
		there = *recorded;
		there.foreign_keys = NIL;
		foreach(lc2, recorded->foreign_keys)
		{
			MsSourceForeignKey *fk = lfirst(lc2);

			if ((child != plan &&
				 !ms_source_refers_to(fk, plan->sub->source_db, plan->sub->source_table)) ||
				OidIsValid(get_relation_constraint_oid(child->sub->relid,
													   ms_typemap_constraint_name(fk), true)))
				there.foreign_keys = lappend(there.foreign_keys, fk);
		}
		if (list_length(there.foreign_keys) < list_length(recorded->foreign_keys))
			ms_ddl_foreign_keys(ddl, child, &there, recorded, statements, notes);
	}
}

/* ------------------------------------------------------------------------
 * Those of recorded schemas
 * ------------------------------------------------------------------------
 */

static void
record(MsDdlApply *ddl, TablePlan *plan, const MsSourceTable *table)
{
	ms_relmap_set_schema(ddl->apply->relmap, plan,
						 ms_source_table_to_jsonb(table));
	ms_catalog_set_source_schema(plan->sub);
}

/*
 * Foreign keys of a table that is being copied are of the moment at which its
 * schema was read, which may be before or after what the stream tells now.
 */
static void
record_change(MsDdlApply *ddl, TablePlan *plan, const MsSourceTable *table)
{
	if (plan->sub->state == MS_TABLE_READY ||
		plan->sub->state == MS_TABLE_DISABLED)
		record(ddl, plan, table);
	else if (!ms_ddl_is_contained(ddl->apply, plan))
		ms_ddl_refresh(ddl, plan,
					   "what its foreign key refers to was renamed while it was copied");
}

/*
 * The first pair is the key's: what its parent is called now may be what
 * another table was called.
 */
static bool
follow_pairs(MsSourceForeignKey *fk, const List *pairs)
{
	for (int i = 0; i + 1 < list_length(pairs); i += 2)
	{
		const MsTableName *from = list_nth(pairs, i);
		const MsTableName *to = list_nth(pairs, i + 1);

		if (!ms_source_refers_to(fk, from->db, from->table))
			continue;
		fk->ref_db = to->db;
		fk->ref_table = to->table;
		return true;
	}
	return false;
}

/*
 * Foreign keys follow tables to their new names, as MariaDB's do.  pairs are
 * MsTableName, of before and after the statement in turn.
 */
void
ms_ddl_rename_references(MsDdlApply *ddl, const List *pairs)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, ms_relmap_plans(ddl->apply->relmap))
	{
		TablePlan  *plan = lfirst(lc);
		MsSourceTable *table = ms_ddl_recorded(plan);
		bool		changed = false;

		foreach(lc2, table->foreign_keys)
			changed |= follow_pairs(lfirst(lc2), pairs);
		if (changed)
			record_change(ddl, plan, table);
	}
}

/*
 * A table was altered and got another name in one statement: whether foreign
 * keys to it follow depends on how MariaDB did that.
 */
void
ms_ddl_refresh_referring(MsDdlApply *ddl, const MsTableName *parent)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, ms_relmap_plans(ddl->apply->relmap))
	{
		TablePlan  *plan = lfirst(lc);
		bool		refers = false;

		if (plan->sub->state == MS_TABLE_DISABLED ||
			(plan->sub->state != MS_TABLE_READY &&
			 ms_ddl_is_contained(ddl->apply, plan)) ||
			(strcmp(plan->sub->source_db, parent->db) == 0 &&
			 strcmp(plan->sub->source_table, parent->table) == 0))
			continue;
		foreach(lc2, ms_ddl_recorded(plan)->foreign_keys)
			refers |= ms_source_refers_to(lfirst(lc2), parent->db, parent->table);
		if (refers)
			ms_ddl_refresh(ddl, plan,
						   psprintf("its foreign key may not have followed to \"%s.%s\"",
									parent->db, parent->table));
	}
}

/*
 * What MariaDB has named after the table is named after it again when it gets
 * another name: a later statement drops it by that.
 */
void
ms_ddl_rename_own_keys(MsDdlApply *ddl, TablePlan *plan, const char *old_name,
					   List **statements)
{
	MsSourceTable *table = ms_ddl_recorded(plan);
	char	   *prefix = psprintf("%s_ibfk_", old_name);
	bool		changed = false;
	ListCell   *lc;

	foreach(lc, table->foreign_keys)
	{
		MsSourceForeignKey *fk = lfirst(lc);
		char	   *old = ms_typemap_constraint_name(fk);
		TableStatement statement = {plan->sub->relid, NULL};
		char	   *error;

		if (strncmp(fk->name, prefix, strlen(prefix)) != 0)
			continue;
		fk->name = psprintf("%s_ibfk_%s", table->name, fk->name + strlen(prefix));
		changed = true;
		if (!plan->sub->created ||
			!OidIsValid(get_relation_constraint_oid(plan->sub->relid, old, true)))
			continue;
		statement.sql = psprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s",
								 quote_qualified_identifier(get_namespace_name(get_rel_namespace(plan->sub->relid)),
															get_rel_name(plan->sub->relid)),
								 quote_identifier(old),
								 quote_identifier(ms_typemap_constraint_name(fk)));
		if (ms_ddl_try(ddl, run_statement, &statement, &error))
			*statements = lappend(*statements, unconstify(char *, statement.sql));
	}
	if (changed)
		record(ddl, plan, table);
}

/* Foreign keys of a new model name columns of other tables as those do. */
void
ms_ddl_name_references(MsDdlApply *ddl, MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, table->foreign_keys)
	{
		MsSourceForeignKey *fk = lfirst(lc);
		TablePlan  *parent = ms_relmap_find_name(ddl->apply->relmap,
												 fk->ref_db, fk->ref_table);

		if (parent && !ms_source_refers_to(fk, table->db, table->name))
			ms_model_name_references(table, ms_ddl_recorded(parent));
	}
}

/* Foreign keys of other tables follow the columns that they refer to. */
void
ms_ddl_follow_references(MsDdlApply *ddl, const TablePlan *parent,
						 const MsSourceTable *new)
{
	ListCell   *lc;
	ListCell   *lc2;
	ListCell   *lc3;
	ListCell   *lc4;

	foreach(lc, ms_relmap_plans(ddl->apply->relmap))
	{
		TablePlan  *plan = lfirst(lc);
		MsSourceTable *table;
		bool		changed = false;

		if (plan == parent)
			continue;
		table = ms_ddl_recorded(plan);
		foreach(lc2, table->foreign_keys)
		{
			MsSourceForeignKey *fk = lfirst(lc2);

			if (!ms_source_refers_to(fk, parent->sub->source_db, parent->sub->source_table))
				continue;
			foreach(lc3, fk->ref_columns)
				foreach(lc4, new->columns)
			{
				const MsSourceColumn *col = lfirst(lc4);

				if (col->was == NULL || strcmp(col->was->name, col->name) == 0 ||
					pg_strcasecmp(col->was->name, lfirst(lc3)) != 0)
					continue;
				lfirst(lc3) = col->name;
				changed = true;
				break;
			}
		}
		if (changed)
			record_change(ddl, plan, table);
	}
}
