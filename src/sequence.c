/*
 * sequence.c - the source's SEQUENCE objects as PostgreSQL's.
 *
 * A SEQUENCE of MariaDB is a table of one row that says how the sequence is
 * made and the first value that nobody has taken out of it yet.  It is read
 * when the sequence is mapped and after every statement about sequences; in
 * between it arrives as a row each time the source takes new values out.
 *
 * Its target is set to that value, so it is never behind the rows that have
 * been applied.  PostgreSQL moves a sequence at once, whatever becomes of the
 * transaction; a group that is applied again sets it again.
 *
 * The source's cache is one for all sessions, while PostgreSQL's would be one
 * for each, so it is not taken over.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_sequence.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "remote_schema.h"
#include "role.h"
#include "sequence.h"
#include "sql.h"

#define SEQUENCE_COLUMNS	8

/* The one row of a sequence. */
typedef struct SequenceRow
{
	int64		next;			/* the first value not taken out yet */
	int64		min;
	int64		max;
	int64		start;
	int64		increment;
	int64		cache;
	int64		cycle;
	int64		cycles;
} SequenceRow;

/* in the order of their columns */
static int64 *
row_field(SequenceRow *row, int column)
{
	int64	   *fields[SEQUENCE_COLUMNS] = {
		&row->next, &row->min, &row->max, &row->start, &row->increment,
		&row->cache, &row->cycle, &row->cycles
	};

	return fields[column];
}

/* ------------------------------------------------------------------------
 * PostgreSQL's sequence
 * ------------------------------------------------------------------------
 */

/* "INCREMENT 1 MINVALUE 1 ...", as CREATE and ALTER SEQUENCE have it */
static char *
definition(const SequenceRow *row)
{
	/* 0 is the source's auto_increment_increment */
	return psprintf("INCREMENT " INT64_FORMAT " MINVALUE " INT64_FORMAT
					" MAXVALUE " INT64_FORMAT " START " INT64_FORMAT " %s",
					row->increment ? row->increment : 1, row->min, row->max,
					row->start, row->cycle ? "CYCLE" : "NO CYCLE");
}

static bool
has_definition(Oid relid, const SequenceRow *row)
{
	HeapTuple	tuple = SearchSysCache1(SEQRELID, ObjectIdGetDatum(relid));
	Form_pg_sequence form;
	bool		same;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("sequence with OID %u does not exist", relid)));
	form = (Form_pg_sequence) GETSTRUCT(tuple);
	same = form->seqmin == row->min && form->seqmax == row->max &&
		form->seqstart == row->start &&
		form->seqincrement == (row->increment ? row->increment : 1) &&
		form->seqcycle == (row->cycle != 0);
	ReleaseSysCache(tuple);
	return same;
}

/* Make it hand out row->next next. */
static void
set_value(Oid relid, const SequenceRow *row)
{
	int64		value = row->next;
	bool		exhausted = value > row->max || value < row->min;

	/* the last value is taken: the next one fails, or starts the next cycle */
	if (exhausted)
		value = row->increment < 0 ? row->min : row->max;
	DirectFunctionCall3(setval3_oid, ObjectIdGetDatum(relid),
						Int64GetDatum(value), BoolGetDatum(exhausted));
}

static void
set_sequence(Oid relid, const SequenceRow *row)
{
	if (!has_definition(relid, row))
	{
		int64		value = Min(Max(row->next, row->min), row->max);

		ms_sql_run(psprintf("ALTER SEQUENCE %s %s RESTART " INT64_FORMAT,
							quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
													   get_rel_name(relid)),
							definition(row), value));
		CommandCounterIncrement();
	}
	set_value(relid, row);
}

/* ------------------------------------------------------------------------
 * Mapping
 * ------------------------------------------------------------------------
 */

/* Is it still on the source? */
static bool
exists(MsWire *wire, const MsSourceTable *table)
{
	return ms_wire_query(wire, psprintf("SELECT 1 FROM information_schema.TABLES"
										" WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
										ms_wire_quote_literal(table->db),
										ms_wire_quote_literal(table->name)))->nrows > 0;
}

/* False when it has just been dropped. */
static bool
read_row(MsWire *wire, const MsSourceTable *table, SequenceRow *row)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	MsResult   *volatile res = NULL;

	/* no catalog or lock is touched in there, so no subtransaction */
	PG_TRY();
	{
		res = ms_wire_query(wire, psprintf("SELECT * FROM %s.%s",
										   ms_wire_quote_identifier(table->db),
										   ms_wire_quote_identifier(table->name)));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(oldcxt);
		error = CopyErrorData();
		FlushErrorState();
		CHECK_FOR_INTERRUPTS();
		if (exists(wire, table))
			ReThrowError(error);
	}
	PG_END_TRY();

	if (res == NULL)
		return false;
	if (res->nrows != 1 || res->nfields != SEQUENCE_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("sequence \"%s.%s\" of the source is not understood",
						table->db, table->name)));
	for (int i = 0; i < SEQUENCE_COLUMNS; i++)
	{
		char	   *cell = ms_result_cell(res, 0, i);

		errno = 0;
		*row_field(row, i) = strtoi64(cell ? cell : "0", NULL, 10);
		if (errno != 0)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("sequence \"%s.%s\" of the source goes beyond PostgreSQL's bigint",
							table->db, table->name),
					 errdetail("Its value is %s.", cell),
					 errhint("Give it a smaller MAXVALUE on the source, or leave it out with the pattern \"!%s.%s\".",
							 table->db, table->name)));
	}
	return true;
}

static Oid
create_sequence(const MsSourceTable *table, const char *schema,
				const SequenceRow *row, const MsSubscriptionOptions *options)
{
	char	   *name = quote_qualified_identifier(schema, table->name);

	if (!options->create_tables)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("target sequence %s does not exist", name),
				 errhint("Create the sequence, or leave \"create_tables\" at true.")));
	if (strlen(table->name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name of sequence \"%s\" is too long for PostgreSQL",
						table->name)));
	if (!OidIsValid(get_namespace_oid(schema, true)))
		ms_sql_run(psprintf("CREATE SCHEMA %s", quote_identifier(schema)));
	ms_sql_run(psprintf("CREATE SEQUENCE %s AS bigint %s", name,
						definition(row)));
	CommandCounterIncrement();
	return get_relname_relid(table->name, get_namespace_oid(schema, false));
}

static void
map_sequence(int32 subid, const MsSourceTable *table, const SequenceRow *row,
			 const MsSubscriptionOptions *options)
{
	const char *schema = ms_options_schema(options, table->db);
	Oid			namespace = get_namespace_oid(schema, true);
	MsSequence	sequence = {0};

	sequence.db = table->db;
	sequence.name = table->name;
	sequence.relid = OidIsValid(namespace) ?
		get_relname_relid(table->name, namespace) : InvalidOid;
	if (!OidIsValid(sequence.relid))
	{
		sequence.relid = create_sequence(table, schema, row, options);
		sequence.created = true;
	}
	else if (get_rel_relkind(sequence.relid) != RELKIND_SEQUENCE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot replicate sequence \"%s.%s\" into \"%s\"",
						table->db, table->name, table->name),
				 errdetail("It is not a sequence.")));
	if (pg_class_aclcheck(sequence.relid, GetUserId(),
						  ACL_UPDATE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_SEQUENCE, table->name);
	set_sequence(sequence.relid, row);
	ms_catalog_insert_sequence(subid, &sequence);
}

static const MsSequence *
find_sequence(List *sequences, const MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, sequences)
	{
		const MsSequence *sequence = lfirst(lc);

		if (strcmp(sequence->name, table->name) == 0 &&
			strcmp(sequence->db, table->db) == 0)
			return sequence;
	}
	return NULL;
}

/*
 * Map the sequences among tables that are not yet mapped, and set all of them
 * to what the source has now.  Works as the current user; returns whether a
 * sequence is new.
 */
bool
ms_sequence_map(int32 subid, List *tables,
				const MsSubscriptionOptions *options, MsWire *wire)
{
	List	   *known = ms_catalog_get_sequences(subid);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, tables)
	{
		const MsSourceTable *table = lfirst(lc);
		const MsSequence *sequence;
		SequenceRow row;

		if (strcmp(table->table_type, "SEQUENCE") != 0 ||
			!read_row(wire, table, &row))
			continue;
		sequence = find_sequence(known, table);
		if (sequence)
			set_sequence(sequence->relid, &row);
		else
		{
			map_sequence(subid, table, &row, options);
			found = true;
		}
	}
	return found;
}

/* Sequences that the source has no more; what depends on one keeps it. */
static bool
drop_sequences(const MsSubscription *sub, List *tables)
{
	bool		dropped = false;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, ms_catalog_get_sequences(sub->subid))
	{
		MsSequence *sequence = lfirst(lc);
		bool		exists = false;

		foreach(lc2, tables)
		{
			const MsSourceTable *table = lfirst(lc2);

			exists |= strcmp(table->table_type, "SEQUENCE") == 0 &&
				strcmp(sequence->name, table->name) == 0 &&
				strcmp(sequence->db, table->db) == 0;
		}
		if (exists)
			continue;
		ms_catalog_delete_sequence(sub->subid, sequence);
		dropped = true;
		if (!sequence->created || get_rel_name(sequence->relid) == NULL ||
			ms_sql_has_rows(psprintf("SELECT FROM pg_catalog.pg_depend"
									 " WHERE refobjid = %u AND deptype = 'n'",
									 sequence->relid)))
			continue;
		ms_sql_run(psprintf("DROP SEQUENCE %s",
							quote_qualified_identifier(get_namespace_name(get_rel_namespace(sequence->relid)),
													   get_rel_name(sequence->relid))));
	}
	return dropped;
}

/*
 * After a statement about sequences: do as the source has it now.  Works as
 * the current user; returns whether the list has changed.
 */
bool
ms_sequence_refresh(const MsSubscription *sub, List *tables,
					const MsSubscriptionOptions *options, MsWire *wire)
{
	bool		dropped = drop_sequences(sub, tables);

	return ms_sequence_map(sub->subid, tables, options, wire) || dropped;
}

/* ------------------------------------------------------------------------
 * The stream
 * ------------------------------------------------------------------------
 */

/* How many bytes an integer type has in a row; 0 = it is no integer. */
static int
integer_width(uint8 type)
{
	switch (type)
	{
		case 1:					/* TINY */
			return 1;
		case 2:					/* SHORT */
			return 2;
		case 9:					/* INT24 */
			return 3;
		case 3:					/* LONG */
			return 4;
		case 8:					/* LONGLONG */
			return 8;
		default:
			return 0;
	}
}

static int64
read_integer(const uint8 *p, int width, bool is_unsigned)
{
	uint64		value = 0;

	for (int i = width - 1; i >= 0; i--)
		value = value << 8 | p[i];
	if (width < 8 && !is_unsigned && (p[width - 1] & 0x80))
		value |= ~UINT64CONST(0) << (width * 8);
	return (int64) value;
}

/*
 * Rows of a sequence, each of which overwrites it, that came under map.
 */
void
ms_sequence_apply(const MsSequence *sequence, const MsTableMapEvent *map,
				  const MsRowsEvent *rows)
{
	MsTableMap	columns;
	SequenceRow row;
	const uint8 *p = rows->rows;

	ms_event_read_table_map(map, &columns);
	if (rows->ncolumns != SEQUENCE_COLUMNS ||
		columns.ncolumns != SEQUENCE_COLUMNS || p == rows->end)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("row of sequence \"%s.%s\" has %u columns",
						sequence->db, sequence->name, rows->ncolumns)));
	while (p < rows->end)
	{
		/* none of them can be NULL */
		p++;
		for (int i = 0; i < SEQUENCE_COLUMNS; i++)
		{
			int			width = integer_width(columns.columns[i].type);

			if (width == 0 || rows->end - p < width)
				ereport(ERROR,
						(errcode(ERRCODE_PROTOCOL_VIOLATION),
						 errmsg("row of sequence \"%s.%s\" is malformed",
								sequence->db, sequence->name)));
			*row_field(&row, i) = read_integer(p, width,
											   columns.columns[i].is_unsigned);
			p += width;
		}
	}
	set_sequence(sequence->relid, &row);
}

/* Is the statement about sequences?  It may be asked once too often. */
bool
ms_sequence_is_statement(const char *sql, size_t len)
{
	static const char word[] = "sequence";
	size_t		word_len = strlen(word);

	for (size_t i = 0; i + word_len <= len; i++)
		if (pg_strncasecmp(sql + i, word, word_len) == 0)
			return true;
	return false;
}

/* ------------------------------------------------------------------------
 * Identity columns
 * ------------------------------------------------------------------------
 */

/*
 * The next value of an identity or serial column is behind the largest there
 * is.  With by_index only of those where an index tells it.  Works as the
 * current user, or as the table's owner; returns how many sequences were
 * moved.
 */
int
ms_sequence_move_identities(Oid relid, bool by_index)
{
	MsRole		before;
	int			moved;

	ms_role_enter_table(relid, &before);
	moved = ms_sql_run_generated(psprintf("SELECT pg_catalog.format('SELECT pg_catalog.setval(%%1$L, GREATEST(LEAST(pg_catalog.max(%%2$I), 9223372036854775807)::pg_catalog.int8,"
										  " pg_catalog.pg_sequence_last_value(%%1$L::pg_catalog.regclass)))"
										  " FROM %%3$s HAVING pg_catalog.max(%%2$I) > 0',"
										  " s, attname, attrelid::pg_catalog.regclass)"
										  " FROM pg_catalog.pg_attribute,"
										  " pg_catalog.pg_get_serial_sequence(attrelid::pg_catalog.regclass::pg_catalog.text, attname) AS s"
										  " WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped AND s IS NOT NULL%s",
										  relid,
										  by_index ?
										  " AND EXISTS (SELECT FROM pg_catalog.pg_index"
										  " WHERE indrelid = attrelid AND indkey[0] = attnum"
										  " AND indisvalid AND indpred IS NULL)" : ""));
	ms_role_return(&before);
	return moved;
}
