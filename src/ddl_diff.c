/*
 * ddl_diff.c - the difference of two schemas in PostgreSQL's words.
 *
 * Old model and new model of one source table, and the target as it is, make
 * the statements that bring the target from one to the other: in as few
 * ALTER TABLE as possible, without a rewrite where the type stays the same.
 * The order of columns has no meaning in the target.
 *
 * Whether the rows come along is decided here too: when a column's values are
 * not certain to be what they were, the reason is given, and the caller
 * empties the table, asks again for statements that need no rows, and has it
 * copied.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "compat.h"
#include "ddl_diff.h"
#include "ddl_model.h"
#include "sql.h"
#include "typemap.h"

typedef struct Diff
{
	const MsSourceTable *old;
	const MsSourceTable *new;
	Oid			relid;
	char	   *schema;
	char	   *relname;
	char	   *target;			/* both, quoted */
	bool		will_be_empty;
	const MsSubscriptionOptions *options;
	MsModelDiff *result;
	List	   *types_taken;
	StringInfoData types;		/* CREATE TYPE, ALTER TYPE */
	StringInfoData actions;		/* of ALTER TABLE, columns */
	StringInfoData afterwards;	/* of a second one */
} Diff;

static void
add_statement(Diff *diff, char *statement)
{
	diff->result->statements = lappend(diff->result->statements, statement);
}

static void
			add_action(StringInfo actions, const char *fmt,...) pg_attribute_printf(2, 3);

static void
add_action(StringInfo actions, const char *fmt,...)
{
	int			needed = 0;

	if (actions->len > 0)
		appendStringInfoString(actions, ", ");
	do
	{
		va_list		args;

		if (needed > 0)
			enlargeStringInfo(actions, needed);
		va_start(args, fmt);
		needed = appendStringInfoVA(actions, fmt, args);
		va_end(args);
	} while (needed > 0);
}

static void
end_actions(Diff *diff, StringInfo actions)
{
	if (actions->len > 0)
		add_statement(diff, psprintf("ALTER TABLE %s %s", diff->target,
									 actions->data));
	resetStringInfo(actions);
}

static void
needs_copy(Diff *diff, char *reason)
{
	if (diff->result->copy_reason == NULL)
		diff->result->copy_reason = reason;
}

static void
add_note(Diff *diff, char *note)
{
	diff->result->notes = lappend(diff->result->notes, note);
}

static const MsSourceColumn *
follow_column(const MsSourceTable *new, const MsSourceColumn *old)
{
	ListCell   *lc;

	foreach(lc, new->columns)
	{
		MsSourceColumn *col = lfirst(lc);

		if (col->was == old)
			return col;
	}
	return NULL;
}

/* ------------------------------------------------------------------------
 * Keys
 * ------------------------------------------------------------------------
 */

/* A key of the target, as its model has it. */
typedef struct TargetKey
{
	const MsSourceIndex *index;
	bool		is_key;			/* the one that the table was created with */
	List	   *columns;		/* names in the target, of the new table */
} TargetKey;

/*
 * The keys of a model.  For the old one, columns are named as they will be;
 * a key that lost a column went with it.
 */
static List *
list_keys(const Diff *diff, const MsSourceTable *table)
{
	const MsSourceIndex *key = ms_typemap_table_key(table);
	List	   *keys = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, table->indexes)
	{
		const MsSourceIndex *index = lfirst(lc);
		TargetKey  *target;
		bool		whole = true;

		if (!ms_typemap_is_portable_index(table, index))
			continue;
		target = palloc0(sizeof(TargetKey));
		target->index = index;
		target->is_key = index == key;
		foreach(lc2, index->columns)
		{
			const MsSourceColumn *col = ms_source_find_column(table->columns,
															  lfirst(lc2));

			if (col && table == diff->old)
				col = follow_column(diff->new, col);
			if (col && ms_typemap_target_name(col))
				target->columns = lappend(target->columns,
										  (char *) ms_typemap_target_name(col));
			else
				whole = false;
		}
		if (whole)
			keys = lappend(keys, target);
	}
	return keys;
}

static bool
same_names(List *a, List *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(la, a, lb, b)
		if (strcmp(lfirst(la), lfirst(lb)) != 0)
		return false;
	return true;
}

static bool
is_primary(const TargetKey *key)
{
	return strcmp(key->index->name, "PRIMARY") == 0;
}

static TargetKey *
find_key(List *keys, const TargetKey *like)
{
	ListCell   *lc;

	foreach(lc, keys)
	{
		TargetKey  *key = lfirst(lc);

		if (key->index->unique == like->index->unique &&
			key->is_key == like->is_key && is_primary(key) == is_primary(like) &&
			same_names(key->columns, like->columns))
			return key;
	}
	return NULL;
}

/*
 * The target's index with the columns of one of the source's table, whose
 * names are those of the target now.
 */
static Oid
find_target_index(Oid relid, const MsSourceTable *table,
				  const MsSourceIndex *source)
{
	Relation	rel = table_open(relid, AccessShareLock);
	Oid			result = InvalidOid;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;
		bool		same = form->indisunique == source->unique &&
		form->indisprimary == (strcmp(source->name, "PRIMARY") == 0) &&
		form->indnkeyatts == list_length(source->columns) &&
		form->indnatts == form->indnkeyatts &&
		RelationGetIndexPredicate(index) == NIL;

		for (int i = 0; same && i < form->indnkeyatts; i++)
		{
			const MsSourceColumn *col = ms_source_find_column(table->columns,
															  list_nth(source->columns, i));
			char	   *name = form->indkey.values[i] > 0 ?
			get_attname(relid, form->indkey.values[i], true) : NULL;

			same = name && col && ms_typemap_target_name(col) &&
				strcmp(name, ms_typemap_target_name(col)) == 0;
		}
		index_close(index, NoLock);
		if (same)
		{
			result = lfirst_oid(lc);
			break;
		}
	}
	table_close(rel, NoLock);
	return result;
}

static void
drop_keys(Diff *diff, List *old_keys, List *new_keys)
{
	List	   *gone = NIL;
	ListCell   *lc;

	foreach(lc, old_keys)
	{
		TargetKey  *key = lfirst(lc);
		Oid			index;
		Oid			constraint;

		if (find_key(new_keys, key))
			continue;
		index = find_target_index(diff->relid, diff->old, key->index);
		if (!OidIsValid(index) || list_member_oid(gone, index))
			continue;
		gone = lappend_oid(gone, index);
		constraint = get_index_constraint(index);
		if (OidIsValid(constraint))
			add_action(&diff->actions, "DROP CONSTRAINT %s",
					   quote_identifier(get_constraint_name(constraint)));
		else
			add_statement(diff, psprintf("DROP INDEX %s",
										 quote_qualified_identifier(diff->schema,
																	get_rel_name(index))));
	}
	end_actions(diff, &diff->actions);
	diff->result->dropped_indexes = gone;
}

/*
 * Has the user made the key already, of columns that stay as they are?  Not
 * if an old one with these columns is about to go.
 */
static bool
has_been_made(const Diff *diff, List *old_keys, const TargetKey *key)
{
	ListCell   *lc;

	foreach(lc, old_keys)
		if (same_names(((TargetKey *) lfirst(lc))->columns, key->columns))
		return false;
	foreach(lc, key->index->columns)
	{
		MsSourceColumn *col = ms_source_find_column(diff->new->columns, lfirst(lc));

		if (col && col->was && strcmp(col->was->name, col->name) != 0)
			return false;
	}
	return OidIsValid(find_target_index(diff->relid, diff->new, key->index));
}

static void
add_keys(Diff *diff, List *old_keys, List *new_keys)
{
	List	   *taken = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, new_keys)
	{
		TargetKey  *key = lfirst(lc);

		if (find_key(old_keys, key) || has_been_made(diff, old_keys, key))
			continue;
		diff->result->adds_keys |= key->index->unique;
		if (key->is_key)
		{
			StringInfoData names;

			initStringInfo(&names);
			foreach(lc2, key->columns)
				appendStringInfo(&names, "%s%s",
								 foreach_current_index(lc2) ? ", " : "",
								 quote_identifier(lfirst(lc2)));
			add_statement(diff, psprintf("ALTER TABLE %s ADD %s (%s)",
										 diff->target,
										 is_primary(key) ? "PRIMARY KEY" : "UNIQUE",
										 names.data));
		}
		else
			add_statement(diff, ms_typemap_create_index(diff->new, key->index,
														diff->schema,
														diff->relname, &taken));
	}
}

/*
 * An index that has another name there gets it here, if it has the one that
 * we gave it.
 */
static void
rename_indexes(Diff *diff, List *old_keys, List *new_keys)
{
	List	   *taken = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, new_keys)
	{
		TargetKey  *key = lfirst(lc);

		if (key->is_key || ms_source_find_index(diff->old, key->index->name))
			continue;
		foreach(lc2, old_keys)
		{
			TargetKey  *old = lfirst(lc2);
			Oid			index;
			char	   *name;

			if (old->index->unique != key->index->unique || old->is_key ||
				ms_source_find_index(diff->new, old->index->name) ||
				!same_names(old->columns, key->columns))
				continue;
			index = find_target_index(diff->relid, diff->old, old->index);
			if (!OidIsValid(index) ||
				!ms_typemap_is_index_name(diff->relname, old->index->name,
										  get_rel_name(index)))
				continue;
			name = ms_typemap_index_name(diff->schema, diff->relname,
										 key->index->name, taken);
			taken = lappend(taken, name);
			add_statement(diff, psprintf("ALTER INDEX %s RENAME TO %s",
										 quote_qualified_identifier(diff->schema,
																	get_rel_name(index)),
										 quote_identifier(name)));
			break;
		}
	}
}

/* What the new table has and PostgreSQL has not. */
static void
note_lost_keys(Diff *diff)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, diff->new->indexes)
	{
		MsSourceIndex *index = lfirst(lc);
		MsSourceIndex *old = ms_source_find_index(diff->old, index->name);

		if (!ms_typemap_is_portable_index(diff->new, index) &&
			(old == NULL || ms_typemap_is_portable_index(diff->old, old)))
			add_note(diff, psprintf("index \"%s\" has no counterpart", index->name));
	}
	foreach(lc, diff->new->checks)
	{
		MsSourceCheck *check = lfirst(lc);
		bool		is_old = false;

		foreach(lc2, diff->old->checks)
			is_old |= strcmp(((MsSourceCheck *) lfirst(lc2))->name, check->name) == 0;
		if (!is_old)
			add_note(diff, psprintf("check \"%s\" is left to the source", check->name));
	}
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

static void
drop_columns(Diff *diff)
{
	ListCell   *lc;

	foreach(lc, diff->old->columns)
	{
		const MsSourceColumn *old = lfirst(lc);
		const char *name = ms_typemap_target_name(old);

		if (follow_column(diff->new, old) == NULL && name &&
			get_attnum(diff->relid, name) != InvalidAttrNumber)
			add_action(&diff->actions, "DROP COLUMN %s", quote_identifier(name));
	}
	end_actions(diff, &diff->actions);
}

/* Is the name that of another column that has yet to get its new one? */
static bool
is_taken(const Diff *diff, const MsSourceColumn *col, const char *name)
{
	ListCell   *lc;

	foreach(lc, diff->new->columns)
	{
		const MsSourceColumn *other = lfirst(lc);

		if (other != col && other->was && ms_typemap_target_name(other->was) &&
			strcmp(ms_typemap_target_name(other->was), name) == 0)
			return true;
	}
	return false;
}

/* Names that are exchanged go by way of another. */
static void
rename_columns(Diff *diff)
{
	List	   *second = NIL;
	int			n = 0;
	ListCell   *lc;

	foreach(lc, diff->new->columns)
	{
		const MsSourceColumn *col = lfirst(lc);
		const char *new_name = ms_typemap_target_name(col);
		const char *old_name = col->was ? ms_typemap_target_name(col->was) : NULL;

		if (old_name == NULL || new_name == NULL || strcmp(old_name, new_name) == 0)
			continue;
		if (is_taken(diff, col, new_name))
		{
			char	   *between = psprintf("mariadb_sync_renamed_%d", ++n);

			second = lappend(second, psprintf("ALTER TABLE %s RENAME COLUMN %s TO %s",
											  diff->target, between,
											  quote_identifier(new_name)));
			new_name = between;
		}
		add_statement(diff, psprintf("ALTER TABLE %s RENAME COLUMN %s TO %s",
									 diff->target, quote_identifier(old_name),
									 quote_identifier(new_name)));
	}
	diff->result->statements = list_concat(diff->result->statements, second);
}

static const char *
empty_if_null(const char *text)
{
	return text ? text : "";
}

/* An ENUM whose target is one of PostgreSQL's gets the labels that it lacks. */
static void
extend_enum(Diff *diff, const MsSourceColumn *col, Oid typid)
{
	ListCell   *lc;

	foreach(lc, col->labels)
		if (((char *) lfirst(lc))[0] != '\0')
		add_statement(diff, psprintf("ALTER TYPE %s ADD VALUE IF NOT EXISTS %s",
									 format_type_be_qualified(typid),
									 quote_literal_cstr(lfirst(lc))));
}

/*
 * Is the target column of the type that we would have given it?  One that the
 * user chose stays: whether it still fits is found out when it is bound.
 */
static bool
has_type(const Diff *diff, AttrNumber attnum, const char *type)
{
	Oid			typid;
	int32		typmod;
	Oid			collation;
	Oid			default_typid;
	int32		default_typmod;

	get_atttypetypmodcoll(diff->relid, attnum, &typid, &typmod, &collation);
	parse_type_string_compat(type, &default_typid, &default_typmod);
	return typid == default_typid && typmod == default_typmod;
}

static void
change_type(Diff *diff, const MsSourceColumn *col, const char *old_type,
			const char *type, const char *old_default)
{
	const char *name = quote_identifier(ms_typemap_target_name(col));

	if (old_default)
		add_action(&diff->actions, "ALTER COLUMN %s DROP DEFAULT", name);
	if (ms_typemap_is_identity(col->was, old_type) &&
		!ms_typemap_is_identity(col, type))
		/* before: together with TYPE the new one would be the sequence's too */
		add_statement(diff, psprintf("ALTER TABLE %s ALTER COLUMN %s DROP IDENTITY IF EXISTS",
									 diff->target, name));
	if (diff->will_be_empty)
		add_action(&diff->actions, "ALTER COLUMN %s TYPE %s USING NULL", name, type);
	else
		add_action(&diff->actions, "ALTER COLUMN %s TYPE %s", name, type);
}

/*
 * Is the literal a label that the column's ENUM has only now?  PostgreSQL's
 * must not be used before they are committed.
 */
static bool
is_new_label(const MsSourceColumn *col, const char *literal)
{
	ListCell   *lc;

	foreach(lc, col->was->labels)
		if (strcmp(quote_literal_cstr(lfirst(lc)), literal) == 0)
		return false;
	foreach(lc, col->labels)
		if (strcmp(quote_literal_cstr(lfirst(lc)), literal) == 0)
		return true;
	return false;
}

/* is_enum: the target's type is one of PostgreSQL's enums. */
static void
change_default(Diff *diff, const MsSourceColumn *col, const char *type,
			   const char *old_default, bool type_changed, bool is_enum)
{
	const char *name = quote_identifier(ms_typemap_target_name(col));
	bool		lost;
	char	   *text = ms_typemap_default(col, type, diff->options, &lost);

	if (lost && strcmp(empty_if_null(col->default_text),
					   empty_if_null(col->was->default_text)) != 0)
		add_note(diff, psprintf("default %s of column \"%s\" has no counterpart",
								col->default_text, col->name));
	if (strcmp(empty_if_null(text), empty_if_null(old_default)) == 0 &&
		!(type_changed && text))
		return;
	if (text && is_enum && is_new_label(col, text))
		text = psprintf("(%s::text)::%s", text, type);	/* when it is used */
	if (text)
		add_action(&diff->afterwards, "ALTER COLUMN %s SET DEFAULT %s", name, text);
	else if (!type_changed)
		add_action(&diff->afterwards, "ALTER COLUMN %s DROP DEFAULT", name);
}

static void
change_column(Diff *diff, const MsSourceColumn *col)
{
	const MsSourceColumn *old = col->was;
	const char *name = quote_identifier(ms_typemap_target_name(col));
	AttrNumber	attnum = get_attnum(diff->relid, ms_typemap_target_name(old));
	char	   *reason = ms_typemap_value_change(old, col);
	char	   *old_type;
	char	   *type;
	char	   *old_default;
	bool		was_required;
	bool		required;
	bool		type_changed;
	bool		is_enum = false;
	bool		lost;
	Oid			typid;

	if (reason)
		needs_copy(diff, reason);
	if (attnum == InvalidAttrNumber)
		return;
	typid = get_atttype(diff->relid, attnum);
	old_type = ms_typemap_default_type(old, diff->options);
	old_default = ms_typemap_default(old, old_type, diff->options, &lost);
	type = ms_typemap_default_type(col, diff->options);
	if (get_typtype(typid) == TYPTYPE_ENUM)
	{
		if (strcmp(col->data_type, "enum") == 0)
		{
			is_enum = true;
			type = old_type = format_type_be_qualified(typid);
			if (strcmp(old->column_type, col->column_type) != 0)
				extend_enum(diff, col, typid);
		}
		type_changed = strcmp(col->data_type, "enum") != 0;
	}
	else
		type_changed = strcmp(old_type, type) != 0 &&
			has_type(diff, attnum, old_type);
	if (type_changed)
		change_type(diff, col, old_type, type, old_default);
	change_default(diff, col, type, old_default, type_changed, is_enum);

	was_required = ms_typemap_wants_not_null(diff->old, old, diff->options);
	required = ms_typemap_wants_not_null(diff->new, col, diff->options);
	if (required && !was_required)
		add_action(&diff->afterwards, "ALTER COLUMN %s SET NOT NULL", name);
	if (ms_typemap_is_identity(col, type) && !ms_typemap_is_identity(old, old_type))
	{
		add_action(&diff->afterwards, "ALTER COLUMN %s ADD GENERATED BY DEFAULT AS IDENTITY", name);
		/* rows with 0 get a number */
		if (!diff->will_be_empty &&
			ms_sql_has_rows(psprintf("SELECT FROM %s WHERE %s = 0 LIMIT 1",
									 diff->target,
									 quote_identifier(ms_typemap_target_name(old)))))
			needs_copy(diff, psprintf("column \"%s\" became AUTO_INCREMENT", col->name));
	}
	else if (!type_changed && ms_typemap_is_identity(old, old_type) &&
			 !ms_typemap_is_identity(col, type))
		add_action(&diff->afterwards, "ALTER COLUMN %s DROP IDENTITY IF EXISTS", name);
	if (was_required && !required)
		add_action(&diff->afterwards, "ALTER COLUMN %s DROP NOT NULL", name);

	if (strcmp(empty_if_null(old->comment), empty_if_null(col->comment)) != 0)
		add_statement(diff, psprintf("COMMENT ON COLUMN %s.%s IS %s", diff->target,
									 name, quote_literal_cstr(empty_if_null(col->comment))));
}

static void
add_column(Diff *diff, const MsSourceColumn *col, StringInfo comments)
{
	const char *target_name = ms_typemap_target_name(col);
	const char *name = quote_identifier(target_name);
	char	   *type;
	char	   *value;
	char	   *default_text;
	bool		known;
	bool		lost;
	bool		required = ms_typemap_wants_not_null(diff->new, col, diff->options);
	StringInfoData buf;

	type = ms_typemap_column_type(&diff->types, col, diff->schema,
								  diff->relname, &diff->types_taken,
								  diff->options);
	value = ms_typemap_added_value(col, type, &known);
	default_text = ms_typemap_default(col, type, diff->options, &lost);
	if (!known)
		needs_copy(diff, psprintf("the values of new column \"%s\" are known to the source alone",
								  col->name));
	if (lost)
		add_note(diff, psprintf("default %s of column \"%s\" has no counterpart",
								col->default_text, col->name));
	if (known && value == NULL && required)
		needs_copy(diff, psprintf("new column \"%s\" is part of the key", col->name));
	initStringInfo(&buf);
	appendStringInfo(&buf, "ADD COLUMN %s %s", name, type);
	if (diff->will_be_empty)
		value = default_text;
	if (value)
		appendStringInfo(&buf, " DEFAULT %s", value);
	if (required)
		appendStringInfoString(&buf, " NOT NULL");
	if (ms_typemap_is_identity(col, type))
		appendStringInfoString(&buf, " GENERATED BY DEFAULT AS IDENTITY");
	add_action(&diff->actions, "%s", buf.data);
	if (value && default_text == NULL)
		add_action(&diff->afterwards, "ALTER COLUMN %s DROP DEFAULT", name);
	if (col->comment && col->comment[0])
		appendStringInfo(comments, "%sCOMMENT ON COLUMN %s.%s IS %s",
						 comments->len ? ";\n" : "", diff->target, name,
						 quote_literal_cstr(col->comment));
}

/* Has the user made the column already? */
static bool
has_column(const Diff *diff, const MsSourceColumn *col)
{
	const char *name = ms_typemap_target_name(col);
	ListCell   *lc;

	foreach(lc, diff->old->columns)
	{
		const char *old = ms_typemap_target_name(lfirst(lc));

		if (old && strcmp(old, name) == 0)
			return false;
	}
	return get_attnum(diff->relid, name) != InvalidAttrNumber;
}

static void
change_columns(Diff *diff)
{
	StringInfoData comments;
	ListCell   *lc;

	initStringInfo(&comments);
	foreach(lc, diff->new->columns)
	{
		const MsSourceColumn *col = lfirst(lc);

		if (ms_typemap_target_name(col) == NULL)
			continue;
		if (col->was)
			change_column(diff, col);
		else if (!has_column(diff, col))
			add_column(diff, col, &comments);
	}
	if (diff->types.len > 0)
		add_statement(diff, diff->types.data);
	end_actions(diff, &diff->actions);
	end_actions(diff, &diff->afterwards);
	if (comments.len > 0)
		add_statement(diff, comments.data);
	if (strcmp(empty_if_null(diff->old->comment), empty_if_null(diff->new->comment)) != 0)
		add_statement(diff, psprintf("COMMENT ON TABLE %s IS %s", diff->target,
									 quote_literal_cstr(empty_if_null(diff->new->comment))));
}

/*
 * The statements that make of the target of old one of new, whose columns
 * know which ones of old they were.  will_be_empty says that the table has no
 * rows by then.  Needs a transaction and a lock on the target.
 */
void
ms_model_diff(const MsSourceTable *old, const MsSourceTable *new, Oid relid,
			  bool will_be_empty, const MsSubscriptionOptions *options,
			  MsModelDiff *result)
{
	Diff		diff = {0};
	List	   *old_keys;
	List	   *new_keys;

	memset(result, 0, sizeof(*result));
	diff.old = old;
	diff.new = new;
	diff.relid = relid;
	diff.schema = get_namespace_name(get_rel_namespace(relid));
	diff.relname = get_rel_name(relid);
	diff.target = quote_qualified_identifier(diff.schema, diff.relname);
	diff.will_be_empty = will_be_empty;
	diff.options = options;
	diff.result = result;
	initStringInfo(&diff.types);
	initStringInfo(&diff.actions);
	initStringInfo(&diff.afterwards);
	old_keys = list_keys(&diff, old);
	new_keys = list_keys(&diff, new);

	drop_keys(&diff, old_keys, new_keys);
	drop_columns(&diff);
	rename_columns(&diff);
	change_columns(&diff);
	add_keys(&diff, old_keys, new_keys);
	rename_indexes(&diff, old_keys, new_keys);
	note_lost_keys(&diff);
}

/*
 * CREATE INDEX statements for the indexes of the source's table that its
 * target does not have.
 */
List *
ms_model_missing_indexes(const MsSourceTable *table, Oid relid)
{
	char	   *schema = get_namespace_name(get_rel_namespace(relid));
	char	   *relname = get_rel_name(relid);
	MsSourceIndex *key = ms_typemap_table_key(table);
	List	   *statements = NIL;
	List	   *taken = NIL;
	ListCell   *lc;

	foreach(lc, table->indexes)
	{
		MsSourceIndex *index = lfirst(lc);

		if (index != key && ms_typemap_is_portable_index(table, index) &&
			!OidIsValid(find_target_index(relid, table, index)))
			statements = lappend(statements,
								 ms_typemap_create_index(table, index, schema,
														 relname, &taken));
	}
	return statements;
}
