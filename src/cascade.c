/*
 * cascade.c - what foreign keys change without a word in the binlog.
 *
 * InnoDB carries out ON DELETE and ON UPDATE CASCADE and SET NULL below the
 * layer that writes the binary log: of a cascade there is only the parent's
 * row event.  A MariaDB replica makes the same changes in its own InnoDB.
 * Here they are made by this room, right after the parent's row, as InnoDB
 * does: whatever the source does to the children later in the transaction
 * meets the rows that it met there.  Triggers of children do not fire, as in
 * InnoDB; nothing happens when the event says that its session had
 * foreign_key_checks off.
 *
 * It works from the source's foreign keys as they are recorded with the
 * tables of the subscription.  The target's own foreign keys do not matter:
 * they do not act in a session that applies changes.
 *
 * A MsCascade belongs to a source table that others refer to, and lists its
 * dependants, a foreign key each.  The parent need not be in the subscription:
 * a table that is not is *watched*, its rows events are read for the columns
 * that are referred to.  Tables without dependants have no MsCascade.
 *
 * Rows of the child are found by a prepared query and changed by the same
 * functions as those of the stream.  Values are equal when MariaDB holds them
 * for equal: text by its collation, see cascade_text.c.
 *
 * The history of a system-versioned parent is of no consequence: what the
 * stream has as an update of its period's end is a delete.  But DELETE HISTORY
 * from a table that InnoDB stores by a hidden key deletes, and makes NULL, what
 * refers to such values.
 *
 * While the child is being copied, its copy decides, not the parent's: see
 * the rules at the top of snapshot.c.  A row of a chunk that was copied after
 * the transaction began is as the cascade left it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "cascade_internal.h"
#include "snapshot.h"

/* rows of a child that are fetched at a time */
#define FETCH_ROWS	100

/*
 * A row of the parent that was deleted, or whose key was updated: from the
 * row event, or from the target when a cascade has changed it.
 */
typedef struct ParentRow
{
	const MsCascade *cascade;
	const Dependant *by;		/* the cascade that changed it, or NULL */
	bool		update;
	const Datum *old_datums;	/* by attribute index; NULL = row event */
	const bool *old_isnull;
	const Datum *new_datums;
	const bool *new_isnull;
	const bool *new_present;	/* attributes that new_datums has */
} ParentRow;

static void run_dependants(MsApply *apply, const ParentRow *row);

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

static bool
is_present(const uint8 *present, int field)
{
	return (present[field / 8] & (1 << field % 8)) != 0;
}

static bool
same_value(MsKind kind, const MsValue *a, const MsValue *b)
{
	switch (kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
		case MS_KIND_YEAR:
		case MS_KIND_TIMESTAMP:
		case MS_KIND_ENUM:
		case MS_KIND_SET:
			return a->u == b->u;
		case MS_KIND_FLOAT:
		case MS_KIND_DOUBLE:
			return memcmp(&a->d, &b->d, sizeof(a->d)) == 0;
		case MS_KIND_DATE:
		case MS_KIND_DATETIME:
		case MS_KIND_TIME:
			return a->t.year == b->t.year && a->t.month == b->t.month &&
				a->t.day == b->t.day && a->t.hour == b->t.hour &&
				a->t.minute == b->t.minute && a->t.second == b->t.second &&
				a->t.usec == b->t.usec && a->t.neg == b->t.neg;
		default:
			return a->s.len == b->s.len &&
				memcmp(a->s.data, b->s.data, a->s.len) == 0;
	}
}

/* The type of a child's column, from the value of its parent's. */
static Datum
convert(Datum value, Oid from, const MsColumn *to)
{
	Oid			out_func;
	Oid			in_func;
	Oid			typioparam;
	bool		is_varlena;

	if (getBaseType(from) == getBaseType(to->typid))
		return value;
	getTypeOutputInfo(from, &out_func, &is_varlena);
	getTypeInputInfo(to->typid, &in_func, &typioparam);
	return OidInputFunctionCall(in_func, OidOutputFunctionCall(out_func, value),
								typioparam, to->typmod);
}

/*
 * InnoDB hands the bytes of a CHAR, blanks included, to a VARCHAR that refers
 * to it.
 */
static Datum
pad_value(Datum value, const MsColumn *parent, const MsColumn *child)
{
	text	   *string;
	int			missing;
	text	   *padded;

	if (!parent->is_char || child->is_char || child->kind != MS_KIND_TEXT ||
		(child->typid != TEXTOID && child->typid != VARCHAROID))
		return value;
	string = DatumGetTextPP(value);
	missing = (int) parent->length -
		pg_mbstrlen_with_len(VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
	if (missing <= 0)
		return value;
	padded = palloc(VARHDRSZ + VARSIZE_ANY_EXHDR(string) + missing);
	SET_VARSIZE(padded, VARHDRSZ + VARSIZE_ANY_EXHDR(string) + missing);
	memcpy(VARDATA(padded), VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
	memset(VARDATA(padded) + VARSIZE_ANY_EXHDR(string), ' ', missing);
	return PointerGetDatum(padded);
}

/* The target attribute of a referenced column, for rows of the target. */
static int
parent_att(const ParentRow *row, const Dependant *dep, int i)
{
	const MsCascade *cascade = row->cascade;
	int			field = ms_cascade_find_field(&cascade->plan->format,
											  cascade->refs[dep->refs[i]]);
	int			att = field < 0 ? -1 : cascade->plan->format.columns[field].attidx;

	if (att < 0)
		ms_cascade_column_missing(cascade->plan, cascade->refs[dep->refs[i]], dep->name);
	return att;
}

/* Has the update changed what column i refers to? */
static bool
is_changed(const ParentRow *row, const Dependant *dep, int i)
{
	const MsCascade *cascade = row->cascade;
	int			ref = dep->refs[i];

	if (row->old_datums)
	{
		int			att = parent_att(row, dep, i);
		const MsColumn *col = &cascade->plan->format.columns[ms_cascade_find_field(&cascade->plan->format,
																				   cascade->refs[ref])];

		if (!row->new_present[att])
			return false;
		if (row->old_isnull[att] || row->new_isnull[att])
			return row->old_isnull[att] != row->new_isnull[att];
		return !datum_image_eq(row->old_datums[att], row->new_datums[att],
							   get_typbyval(col->typid), get_typlen(col->typid));
	}
	if (!cascade->old_found[ref] || !cascade->new_found[ref])
		return cascade->old_found[ref] != cascade->new_found[ref];
	return !same_value(cascade->format->columns[cascade->fields[ref]].kind,
					   &cascade->old_values[ref], &cascade->new_values[ref]);
}

/*
 * What the child's column i has (or, with new, is to have) when it refers to
 * the parent's row.
 */
static Datum
child_value(const ParentRow *row, Dependant *dep, int i, bool new, bool *isnull)
{
	const MsCascade *cascade = row->cascade;
	int			ref = dep->refs[i];
	MsColumn   *col = &dep->child->format.columns[dep->fields[i]];
	const MsColumn *parent_col;
	Datum		value;

	if (row->old_datums)
	{
		int			att = parent_att(row, dep, i);

		parent_col = &cascade->plan->format.columns[ms_cascade_find_field(&cascade->plan->format,
																		  cascade->refs[ref])];
		*isnull = new ? row->new_isnull[att] : row->old_isnull[att];
		if (*isnull)
			return (Datum) 0;
		value = convert(new ? row->new_datums[att] : row->old_datums[att],
						parent_col->typid, col);
	}
	else
	{
		parent_col = &cascade->format->columns[cascade->fields[ref]];
		*isnull = new ? !cascade->new_found[ref] : !cascade->old_found[ref];
		if (*isnull)
			return (Datum) 0;
		dep->child->format.current = dep->fields[i];
		value = col->build(col, new ? &cascade->new_values[ref] :
						   &cascade->old_values[ref], isnull);
		if (*isnull)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("a value that foreign key \"%s\" refers to is NULL in the target",
							dep->name),
					 errdetail("A policy changes it, so rows that refer to it cannot be told from others."),
					 errhint("Choose another policy for column \"%s\".",
							 col->name)));
		dep->child->format.current = -1;
	}
	return new ? pad_value(value, parent_col, col) : value;
}

/* ------------------------------------------------------------------------
 * Changing the children
 * ------------------------------------------------------------------------
 */

/* Which row of the child it is, and what becomes of it. */
typedef struct ChildChange
{
	Dependant  *dep;
	bool		delete;
	const Datum *values;		/* of the foreign key's columns */
	const bool *isnull;
	const bool *changed;		/* those that are set */
} ChildChange;

/* Is the child's row in a chunk whose copy the cascade is not in? */
static bool
row_wanted(MsApply *apply, TablePlan *child, const Datum *values)
{
	MsChunkKey	key;
	MsChunkValues chunk_values;
	int			chunk;

	if (child->sub->state == MS_TABLE_READY ||
		child->verdict != MS_COPY_ASK_CHUNK)
		return true;
	ms_chunk_find_key(&key, child->chunks[0]->key_columns, &child->format);
	for (int i = 0; i < key.ncolumns; i++)
	{
		const MsColumn *col = &child->format.columns[key.columns[i]];

		chunk_values.present[i] = true;
		if (!ms_chunk_reads_target(col) ||
			!ms_chunk_read_target(col, values[col->attidx],
								  &chunk_values.values[i]))
			elog(ERROR, "key column \"%s\" of \"%s\" cannot be read back",
				 col->name, child->name);
	}
	chunk = ms_chunk_of(child->chunks, child->nchunks, &key, &child->format,
						&chunk_values);
	return ms_snapshot_chunk_wanted(child, chunk, apply->current_file,
									apply->start_pos);
}

/* Delete or update one row of the child, then what hangs on it. */
static void
change_row(MsApply *apply, const ChildChange *change, HeapTuple tuple,
		   TupleDesc desc)
{
	const Dependant *dep = change->dep;
	TablePlan  *child = dep->child;
	int			natts = ms_target_natts(child->target);
	ParentRow	below = {0};
	Datum	   *old_values = palloc0(sizeof(Datum) * natts);
	bool	   *old_isnull = palloc(natts);
	Datum	   *new_values = palloc0(sizeof(Datum) * natts);
	bool	   *new_isnull = palloc0(natts);
	bool	   *new_present = palloc0(natts);
	bool		found;
	MsRow		row;

	memset(old_isnull, true, natts);
	for (int i = 0; i < dep->nselected; i++)
		old_values[dep->selected[i]] = SPI_getbinval(tuple, desc, i + 1,
													 &old_isnull[dep->selected[i]]);
	if (!row_wanted(apply, child, old_values))
		return;

	row = ms_target_old_row(child->target);
	memcpy(row.values, old_values, sizeof(Datum) * natts);
	memcpy(row.isnull, old_isnull, natts);
	if (change->delete)
	{
		ms_target_set_image(child->target, NULL, NULL);
		found = ms_target_delete(child->target);
	}
	else
	{
		for (int i = 0; i < dep->ncolumns; i++)
		{
			new_present[dep->atts[i]] = change->changed[i];
			new_values[dep->atts[i]] = change->values[i];
			new_isnull[dep->atts[i]] = change->isnull[i];
		}
		row = ms_target_new_row(child->target);
		memcpy(row.values, new_values, sizeof(Datum) * natts);
		memcpy(row.isnull, new_isnull, natts);
		ms_target_set_image(child->target, NULL, new_present);
		found = ms_target_update(child->target);
	}
	/* somebody else has removed it since it was read */
	if (!found)
		return;

	if (change->delete)
		child->deletes++;
	else
		child->updates++;
	apply->counters[change->delete ? MS_CNT_DELETES : MS_CNT_UPDATES]++;
	child->dirty = true;
	apply->group_rows++;

	if (child->cascade == NULL)
		return;
	below.cascade = child->cascade;
	below.by = dep;
	below.update = !change->delete;
	below.old_datums = old_values;
	below.old_isnull = old_isnull;
	below.new_datums = new_values;
	below.new_isnull = new_isnull;
	below.new_present = new_present;
	run_dependants(apply, &below);
}

/*
 * Change all rows of the child that have the key, which has room for what
 * cascade_text.c adds.
 */
static void
change_rows(MsApply *apply, const ChildChange *change, Datum *key)
{
	Dependant  *dep = change->dep;
	const TablePlan *plan = apply->plan;
	const uint8 *row = apply->row;
	MemoryContext row_cxt;
	SPIPlanPtr	find = dep->find;
	Portal		portal;
	MsRole		before;

	/* what is batched is found too */
	ms_target_flush(dep->child->target);
	if (dep->ntexts > 0 && ms_cascade_find_texts(apply, dep, key))
		find = dep->find_texts;
	/* an error is about the child, and the row at hand is none of it */
	apply->plan = dep->child;
	apply->row = NULL;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	row_cxt = AllocSetContextCreate(CurrentMemoryContext,
									"mariadb_sync cascade",
									ALLOCSET_DEFAULT_SIZES);
	ms_target_enter(dep->child->target, &before);
	portal = SPI_cursor_open(NULL, find, key, NULL, false);
	ms_target_leave(dep->child->target, &before);
	for (;;)
	{
		SPITupleTable *rows;
		uint64		nrows;

		ms_target_enter(dep->child->target, &before);
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		ms_target_leave(dep->child->target, &before);
		rows = SPI_tuptable;
		nrows = SPI_processed;
		for (uint64 i = 0; i < nrows; i++)
		{
			MemoryContext oldcxt = MemoryContextSwitchTo(row_cxt);

			change_row(apply, change, rows->vals[i], rows->tupdesc);
			MemoryContextSwitchTo(oldcxt);
			MemoryContextReset(row_cxt);
			CHECK_FOR_INTERRUPTS();
		}
		SPI_freetuptable(rows);
		if (nrows < FETCH_ROWS)
			break;
	}
	SPI_cursor_close(portal);
	SPI_finish();
	apply->plan = plan;
	apply->row = row;
}

/* Copy a table again, since rows of it cannot be found any more. */
static void
copy_again(MsApply *apply, TablePlan *plan, const char *name)
{
	ereport(LOG,
			(errmsg("source table \"%s\" is copied again", plan->name),
			 errdetail("GTID %s: foreign key \"%s\" changes rows by a cascade, through rows that are being copied.",
					   apply->gtid_text, name)));
	if (plan->opened)
		ms_target_flush(plan->target);
	ms_snapshot_restart_table(plan);
	plan->verdict = MS_COPY_DROP;
	plan->verdict_serial = apply->serial;
	apply->wrote = true;
}

/* The copy has found out that it cannot decide, see snapshot.c. */
static void
copy_void_again(MsApply *apply, const Dependant *dep)
{
	if (unlikely(dep->child->copy_void))
		copy_again(apply, dep->child, dep->name);
}

/* Does the dependant's update move rows between the chunks of its table? */
static bool
moves_chunks(const Dependant *dep)
{
	const TablePlan *child = dep->child;
	ListCell   *lc;

	if (child->nchunks < 2 || dep->on_update != CASCADE_FOLLOW)
		return false;
	foreach(lc, child->chunks[0]->key_columns)
		for (int i = 0; i < dep->ncolumns; i++)
		if (strcmp(lfirst(lc), dep->columns[i]) == 0)
			return true;
	return false;
}

/*
 * Before a cascade into a table that is being copied: rows of chunks that the
 * cascade has reached on the source before they were copied are not here as
 * they were.  Tables that hang on such rows and were copied earlier cannot be
 * put right, nor can rows that it has moved into a chunk copied earlier.
 */
static void
check_copies(MsApply *apply, const Dependant *dep, bool delete)
{
	TablePlan  *child = dep->child;
	ListCell   *lc;

	if (child->sub->state == MS_TABLE_DISABLED ||
		ms_snapshot_is_copied_at(child, apply->current_file, apply->start_pos, true))
		return;
	if (!delete && moves_chunks(dep) &&
		ms_snapshot_is_copied_at(child, apply->current_file, apply->start_pos, false))
	{
		/* or the next key that is changed would do the same again */
		child->one_chunk = true;
		copy_again(apply, child, dep->name);
	}
	foreach(lc, child->cascade ? child->cascade->dependants : NIL)
	{
		const Dependant *below = lfirst(lc);

		if ((delete ? below->on_delete : below->on_update) != CASCADE_NOTHING &&
			ms_snapshot_is_copied_at(below->child, apply->current_file,
									 apply->start_pos, false))
			copy_again(apply, below->child, below->name);
	}
}

/* One foreign key, for one row of the parent. */
static void
run_dependant(MsApply *apply, const ParentRow *row, Dependant *dep)
{
	CascadeAction action = row->update ? dep->on_update : dep->on_delete;
	bool		delete = !row->update && action == CASCADE_FOLLOW;
	ChildChange change = {0};
	Datum		key[2 * MS_MAX_FOREIGN_KEY_COLUMNS];
	Datum		values[MS_MAX_FOREIGN_KEY_COLUMNS] = {0};
	bool		isnull[MS_MAX_FOREIGN_KEY_COLUMNS];
	bool		changed[MS_MAX_FOREIGN_KEY_COLUMNS];
	bool		any = !row->update;

	if (action == CASCADE_NOTHING ||
		(apply->options->publish & (delete ? MS_PUBLISH_DELETE : MS_PUBLISH_UPDATE)) == 0 ||
		(delete && dep->deletes_once && row->by == dep))
		return;
	for (int i = 0; row->update && i < dep->ncolumns; i++)
		any |= is_changed(row, dep, i);
	if (!any)
		return;
	if (dep->child->sub->state != MS_TABLE_READY)
		check_copies(apply, dep, delete);
	if (!ms_apply_rows_wanted(apply, dep->child))
	{
		copy_void_again(apply, dep);
		return;
	}

	ms_relmap_open(apply->relmap, dep->child, NULL);
	ms_cascade_bind_dependant(dep);
	for (int i = 0; i < dep->ncolumns; i++)
	{
		bool		null;

		/* nothing refers to a key with a NULL */
		key[i] = child_value(row, dep, i, false, &null);
		if (null)
			return;
		isnull[i] = changed[i] = true;
		if (action == CASCADE_FOLLOW && row->update)
		{
			changed[i] = is_changed(row, dep, i);
			values[i] = child_value(row, dep, i, true, &isnull[i]);
		}
	}
	change.dep = dep;
	change.delete = delete;
	change.values = values;
	change.isnull = isnull;
	change.changed = changed;
	change_rows(apply, &change, key);
	copy_void_again(apply, dep);
}

/* All that hangs on one row of the parent. */
static void
run_dependants(MsApply *apply, const ParentRow *row)
{
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, row->cascade->dependants)
		run_dependant(apply, row, lfirst(lc));
}

/* ------------------------------------------------------------------------
 * For the apply room
 * ------------------------------------------------------------------------
 */

/* Can these rows have consequences? */
bool
ms_cascade_concerns(const MsCascade *cascade, const MsRowsEvent *rows)
{
	return cascade != NULL && rows->op != MS_ROW_INSERT &&
		(rows->flags & MS_ROWS_NO_FOREIGN_KEYS) == 0;
}

static void
prepare_child(MsApply *apply, TablePlan *child, List **seen)
{
	ListCell   *lc;

	if (list_member_ptr(*seen, child))
		return;
	*seen = lappend(*seen, child);
	if (ms_apply_rows_wanted(apply, child) &&
		child->sub->state != MS_TABLE_READY &&
		child->verdict == MS_COPY_ASK_CHUNK)
	{
		ms_apply_let_go(apply);
		ms_snapshot_wait_for_chunks(child, apply->current_file,
									apply->start_pos);
		ms_apply_begin(apply);
	}
	foreach(lc, child->cascade ? child->cascade->dependants : NIL)
		prepare_child(apply, ((Dependant *) lfirst(lc))->child, seen);
}

/*
 * A column that the foreign key refers to, is needed to follow it, and is not
 * in the event's images; NULL = there is none.  What neither image has, an
 * update has not changed.
 */
static const char *
missing_reference(const MsCascade *cascade, const Dependant *dep,
				  const MsRowsEvent *rows)
{
	bool		deletes = rows->op == MS_ROW_DELETE ||
	cascade->nfields > cascade->nrefs;
	bool		changes = false;

	for (int i = 0; rows->op == MS_ROW_UPDATE && i < dep->ncolumns; i++)
		changes |= is_present(rows->present_after,
							  cascade->fields[dep->refs[i]]);
	if (!(deletes && dep->on_delete != CASCADE_NOTHING) &&
		!(changes && dep->on_update != CASCADE_NOTHING))
		return NULL;
	for (int i = 0; i < dep->ncolumns; i++)
		if (!is_present(rows->present, cascade->fields[dep->refs[i]]))
			return cascade->refs[dep->refs[i]];
	return NULL;
}

/*
 * Before the rows of an event: know where the columns are that are referred
 * to.  Those that are needed must be in the image.
 */
void
ms_cascade_begin(MsApply *apply, MsCascade *cascade, const MapEntry *entry,
				 const MsRowsEvent *rows)
{
	ListCell   *lc;

	ms_cascade_bind_parent(apply, cascade, entry);
	if ((int) rows->ncolumns != cascade->format->ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("rows event has %u columns, its table map %d",
						rows->ncolumns, cascade->format->ncolumns)));
	foreach(lc, cascade->dependants)
	{
		const Dependant *dep = lfirst(lc);
		const char *missing = missing_reference(cascade, dep, rows);

		if (missing)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("row image of source table \"%s\" at GTID %s is not complete",
							cascade->name, apply->gtid_text),
					 errdetail("Column \"%s\" is needed to find the rows that refer to it by foreign key \"%s\".",
							   missing, dep->name),
					 errhint("Set binlog_row_image = FULL on the source, for all sessions.")));
	}
}

/* Read what one row of the event refers to; returns the byte after it. */
static const uint8 *
read_row(MsCascade *cascade, const MsRowsEvent *rows, const uint8 *row)
{
	memset(cascade->old_found, false, cascade->nfields);
	row = ms_value_pick_image_row(cascade->format, row, rows->end,
								  rows->present, cascade->fields,
								  cascade->nfields, cascade->old_values,
								  cascade->old_found);
	if (rows->op != MS_ROW_UPDATE)
		return row;
	memset(cascade->new_found, false, cascade->nfields);
	row = ms_value_pick_image_row(cascade->format, row, rows->end,
								  rows->present_after, cascade->fields,
								  cascade->nfields, cascade->new_values,
								  cascade->new_found);
	for (int i = 0; i < cascade->nfields; i++)
	{
		/* what the after image leaves out is as it was */
		if (is_present(rows->present_after, cascade->fields[i]))
			continue;
		cascade->new_found[i] = cascade->old_found[i];
		cascade->new_values[i] = cascade->old_values[i];
	}
	return row;
}

/*
 * What has happened to the parent, by the row that was read: of a versioned
 * one current rows count, and of some history that is deleted.  Returns false
 * when it is nothing.
 */
static bool
read_change(MsCascade *cascade, const MsRowsEvent *rows, ParentRow *parent)
{
	int			row_end = cascade->nrefs;

	parent->cascade = cascade;
	parent->update = rows->op == MS_ROW_UPDATE;
	if (cascade->nfields == cascade->nrefs || !cascade->old_found[row_end])
		return true;
	if (!ms_apply_is_current(&cascade->old_values[row_end]))
		return cascade->history_counts && rows->op == MS_ROW_DELETE;
	if (parent->update && cascade->new_found[row_end])
		parent->update = ms_apply_is_current(&cascade->new_values[row_end]);
	return true;
}

/* Does any row of the event change a key? */
static bool
changes_keys(MsCascade *cascade, const MsRowsEvent *rows)
{
	const uint8 *p = rows->rows;

	while (p < rows->end)
	{
		ParentRow	parent = {0};
		ListCell   *lc;

		p = read_row(cascade, rows, p);
		if (!read_change(cascade, rows, &parent))
			continue;
		if (!parent.update)
			return true;
		foreach(lc, cascade->dependants)
		{
			Dependant  *dep = lfirst(lc);

			for (int i = 0; i < dep->ncolumns; i++)
				if (is_changed(&parent, dep, i))
					return true;
		}
	}
	return false;
}

/*
 * Before the rows of an event: have they consequences?  If so, get the copy's
 * verdict on the children, which may have to wait; what was open is closed.
 */
bool
ms_cascade_prepare(MsApply *apply, MsCascade *cascade, const MapEntry *entry,
				   const MsRowsEvent *rows)
{
	List	   *seen = NIL;
	ListCell   *lc;

	if (rows->op == MS_ROW_UPDATE)
	{
		ms_cascade_begin(apply, cascade, entry, rows);
		if (!changes_keys(cascade, rows))
			return false;
	}
	if (ms_snapshot_settled())
		return true;
	foreach(lc, cascade->dependants)
		prepare_child(apply, ((Dependant *) lfirst(lc))->child, &seen);
	return true;
}

/*
 * Carry out what hangs on one row of the event.  The parent's row has been
 * dealt with.  Returns the byte after the row.
 */
const uint8 *
ms_cascade_row(MsApply *apply, MsCascade *cascade, const MsRowsEvent *rows,
			   const uint8 *row)
{
	ParentRow	parent = {0};

	row = read_row(cascade, rows, row);
	if (read_change(cascade, rows, &parent))
		run_dependants(apply, &parent);
	return row;
}

/*
 * The same for all rows of an event of which the parent's rows themselves
 * are not for us.
 */
void
ms_cascade_rows(MsApply *apply, MsCascade *cascade, const MapEntry *entry,
				const MsRowsEvent *rows)
{
	const uint8 *p = rows->rows;

	ms_cascade_begin(apply, cascade, entry, rows);
	while (p < rows->end)
	{
		MemoryContextSwitchTo(apply->row_cxt);
		p = ms_cascade_row(apply, cascade, rows, p);
		MemoryContextReset(apply->row_cxt);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(apply->event_cxt);
}
