/*
 * cascade_text.c - texts that MariaDB holds for equal.
 *
 * Part of the cascade room.  A foreign key over text compares by a collation.
 * As long as it is a matter of the case of ASCII letters and of trailing
 * blanks, the query of a dependant finds the rows by itself, by an index.
 * Beyond ASCII only MariaDB's own tables know what is equal to what: accents,
 * case, ligatures, what is ignored, control characters among it.  So the
 * source is asked, about those values of the child that could be equal:
 * whether two texts are equal under a collation does not depend on when it is
 * asked.
 *
 *   the parent's value is         values of the child that are not; an index
 *   printable ASCII               over nothing but those finds them
 *   it is not                     all values of the child
 *   a collation with rules of its own for ASCII letters, as Turkish or Czech
 *                                 all values of the child
 */
#include "postgres.h"

#include "catalog/pg_class_d.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "cascade_internal.h"
#include "encoding.h"
#include "remote_schema.h"
#include "typemap.h"

/* about how many values the source is asked about at a time */
#define TEXTS_PER_QUESTION	500

/* A text column of a foreign key whose collation is not by bytes. */
struct EqualTexts
{
	int			column;			/* of the foreign key */
	char	   *collation;
	char	   *charset;
	bool		own_rules;		/* for ASCII letters */
	SPIPlanPtr	all;			/* the child's values ... */
	SPIPlanPtr	beyond_ascii;	/* ... and those that are not ASCII */
};

/*
 * Does the collation hold ASCII letters for equal as their case says, and
 * nothing else?
 */
static bool
has_own_rules(const char *collation)
{
	static const char *const plain[] = {
		"_general_", "_unicode_", "_swedish_", "_german", "uca1400_a",
		"_0900_a", "ascii_"
	};

	for (int i = 0; i < (int) lengthof(plain); i++)
		if (strstr(collation, plain[i]))
			return false;
	return true;
}

/* The condition that the column, an expression, has one of the texts $n. */
static void
append_any(StringInfo buf, const char *column, int n)
{
	appendStringInfo(buf, "(%s)::text COLLATE \"C\" = ANY ($%d)", column, n);
}

static SPIPlanPtr
prepare_query(const char *from, const char *column, const char *condition)
{
	char	   *sql = psprintf("SELECT DISTINCT (%s)::text COLLATE \"C\" FROM %s WHERE %s IS NOT NULL AND %s",
							   column, from, column, condition);
	SPIPlanPtr	plan = SPI_prepare(sql, 0, NULL);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare of \"%s\" failed: %s", sql,
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

/*
 * Make what finds equal texts in the child's target: called when the
 * dependant is bound, with SPI connected.  columns are the
 * names of the foreign key's columns in the target, conditions what holds for
 * each of them in dep->find.
 */
void
ms_cascade_bind_texts(Dependant *dep, const char *from, char **columns,
					  char **conditions, const char *select, Oid *types)
{
	List	   *sources = ms_source_columns_from_jsonb(dep->child->sub->source_schema);
	Oid			all_types[2 * MS_MAX_FOREIGN_KEY_COLUMNS];
	MemoryContext oldcxt = MemoryContextSwitchTo(dep->cxt);
	StringInfoData buf;
	int			nparams = dep->ncolumns;

	dep->ntexts = 0;
	dep->texts = palloc0(sizeof(EqualTexts) * dep->ncolumns);
	memcpy(all_types, types, sizeof(Oid) * dep->ncolumns);
	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT %s FROM %s WHERE ", select, from);
	for (int i = 0; i < dep->ncolumns; i++)
	{
		const MsSourceColumn *source = list_nth(sources, dep->fields[i]);
		EqualTexts *texts = &dep->texts[dep->ntexts];

		appendStringInfoString(&buf, i > 0 ? " AND (" : "(");
		if (!ms_typemap_compares_characters(source) ||
			!ms_cascade_is_text(&dep->child->format.columns[dep->fields[i]]))
		{
			appendStringInfo(&buf, "%s)", conditions[i]);
			continue;
		}
		dep->ntexts++;
		texts->column = i;
		texts->collation = pstrdup(source->collation);
		texts->charset = pstrdup(source->charset);
		texts->own_rules = has_own_rules(source->collation);
		texts->all = prepare_query(from, columns[i], "true");
		texts->beyond_ascii = prepare_query(from, columns[i],
											ms_typemap_beyond_ascii(columns[i]));
		if (!texts->own_rules)
			appendStringInfo(&buf, "%s OR ", conditions[i]);
		all_types[nparams++] = TEXTARRAYOID;
		append_any(&buf, columns[i], nparams);
		appendStringInfoChar(&buf, ')');
	}
	if (dep->ntexts > 0)
	{
		dep->find_texts = SPI_prepare(buf.data, nparams, all_types);
		if (dep->find_texts == NULL)
			elog(ERROR, "SPI_prepare of \"%s\" failed: %s", buf.data,
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(dep->find_texts);
	}
	MemoryContextSwitchTo(oldcxt);
}

/* Prepared statements do not go with a memory context by themselves. */
void
ms_cascade_release_texts(Dependant *dep)
{
	for (int i = 0; i < dep->ntexts; i++)
	{
		if (dep->texts[i].all)
			SPI_freeplan(dep->texts[i].all);
		if (dep->texts[i].beyond_ascii)
			SPI_freeplan(dep->texts[i].beyond_ascii);
	}
	dep->ntexts = 0;
	if (dep->find_texts)
		SPI_freeplan(dep->find_texts);
	dep->find_texts = NULL;
}

/* As ms_typemap_beyond_ascii() has it. */
static bool
is_printable_ascii(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* As a literal of the source's. */
static void
append_text(StringInfo buf, const char *text)
{
	appendStringInfoString(buf, "_utf8mb4 X'");
	for (const char *p = ms_server_to_utf8(text); *p; p++)
		appendStringInfo(buf, "%02X", (unsigned char) *p);
	appendStringInfoChar(buf, '\'');
}

/* Ask which of the fetched rows' texts are equal to value; n is in the answer. */
static MsResult *
ask_source(MsWire *wire, const EqualTexts *texts, const char *value)
{
	char	   *compare = psprintf("USING %s) COLLATE %s",
								   ms_wire_quote_identifier(texts->charset),
								   ms_wire_quote_identifier(texts->collation));
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT n FROM (");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		appendStringInfo(&sql, "%sSELECT %d AS n, ", i > 0 ? " UNION ALL " : "",
						 (int) i);
		append_text(&sql, SPI_getvalue(SPI_tuptable->vals[i],
									   SPI_tuptable->tupdesc, 1));
		appendStringInfoString(&sql, " AS v");
	}
	appendStringInfo(&sql, ") AS c WHERE CONVERT(v %s = CONVERT(", compare);
	append_text(&sql, value);
	appendStringInfo(&sql, " %s", compare);
	return ms_wire_query(wire, sql.data);
}

/*
 * The child's values that are equal to the parent's, by the source's word: a
 * List of char *.
 */
static List *
find_equal(MsWire *wire, const MsTarget *target, const EqualTexts *texts,
		   const char *value)
{
	MemoryContext cxt = CurrentMemoryContext;
	SPIPlanPtr	plan = texts->own_rules || !is_printable_ascii(value) ? texts->all :
	texts->beyond_ascii;
	MemoryContext batch_cxt;
	List	   *equal = NIL;
	Portal		portal;
	MsRole		before;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	batch_cxt = AllocSetContextCreate(CurrentMemoryContext,
									  "mariadb_sync equal texts",
									  ALLOCSET_DEFAULT_SIZES);
	ms_target_enter(target, &before);
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	ms_target_leave(target, &before);
	for (;;)
	{
		MemoryContext oldcxt;
		MsResult   *answer;
		bool		last;

		CHECK_FOR_INTERRUPTS();
		ms_target_enter(target, &before);
		SPI_cursor_fetch(portal, true, TEXTS_PER_QUESTION);
		ms_target_leave(target, &before);
		last = SPI_processed < TEXTS_PER_QUESTION;
		if (SPI_processed > 0)
		{
			oldcxt = MemoryContextSwitchTo(batch_cxt);
			answer = ask_source(wire, texts, value);
			for (int row = 0; row < answer->nrows; row++)
			{
				char	   *text = SPI_getvalue(SPI_tuptable->vals[atoi(ms_result_cell(answer, row, 0))],
												SPI_tuptable->tupdesc, 1);

				MemoryContextSwitchTo(cxt);
				equal = lappend(equal, pstrdup(text));
				MemoryContextSwitchTo(batch_cxt);
			}
			MemoryContextSwitchTo(oldcxt);
			MemoryContextReset(batch_cxt);
		}
		SPI_freetuptable(SPI_tuptable);
		if (last)
			break;
	}
	SPI_cursor_close(portal);
	SPI_finish();
	return equal;
}

static Datum
make_array(const List *texts)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(1, list_length(texts)));
	ListCell   *lc;

	foreach(lc, texts)
		elements[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(elements, list_length(texts), TEXTOID,
										   -1, false, TYPALIGN_INT));
}

/*
 * Does the child have texts that are equal to the key's, and that dep->find
 * does not find?  Then dep->find_texts is to be used, with the arrays that are
 * added to the key.  What is batched for the child has been written.
 */
bool
ms_cascade_find_texts(MsApply *apply, const Dependant *dep, Datum *key)
{
	bool		found = false;

	for (int i = 0; i < dep->ntexts; i++)
	{
		const EqualTexts *texts = &dep->texts[i];
		const MsColumn *col = &dep->child->format.columns[dep->fields[texts->column]];
		Oid			out_func;
		bool		is_varlena;
		List	   *equal;

		getTypeOutputInfo(col->typid, &out_func, &is_varlena);
		equal = find_equal(apply->control, dep->child->target, texts,
						   OidOutputFunctionCall(out_func, key[texts->column]));
		found |= equal != NIL || texts->own_rules;
		key[dep->ncolumns + i] = make_array(equal);
	}
	return found;
}
