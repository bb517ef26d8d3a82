/*
 * verify.c - the proof that both sides are equal, while changes keep flowing.
 *
 * verify() runs in the user's session.  It opens a read view on the source,
 * lets the apply worker come to exactly the view's GTID position and stand
 * still there (fence.c) just long enough to take a snapshot here, and then
 * compares both at leisure: chunk by chunk by a sum of hashes that does not
 * depend on the order, and by key where a chunk differs.  The texts that are
 * hashed are made by SQL on either side (verify_text.c).
 *
 * Chunks are ranges of a whole-number key; rows with other keys are dealt out
 * by a hash of the key's text, as the two servers need not agree on an order
 * of texts.  Rows of a table without a key are their own key, and counted.
 *
 * What differs is written anew by verify_repair.c.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "commands.h"
#include "fence.h"
#include "mariadb_sync.h"
#include "remote_schema.h"
#include "verify.h"
#include "wire.h"

PG_FUNCTION_INFO_V1(ms_verify);

/* rows of a chunk */
#define CHUNK_ROWS		10000
/* how long the source's read view may need to show what we have applied */
#define VIEW_TIMEOUT_MS	10000

#define MD5_LEN			32

/* A key in a chunk that differs. */
typedef struct KeyEntry
{
	char		key[MD5_LEN];	/* hash key */
	int64		source_count;
	int64		target_count;
	char		source_hash[MD5_LEN];
	char		target_hash[MD5_LEN];
} KeyEntry;

/* ------------------------------------------------------------------------
 * Asking both sides
 * ------------------------------------------------------------------------
 */

/* Rows of a query under the snapshot, as ms_wire_query() gives them. */
static MsResult *
query_target(const Verify *v, const char *sql)
{
	MemoryContext caller = CurrentMemoryContext;
	MsResult   *result = palloc0(sizeof(MsResult));
	SPIPlanPtr	plan;
	int			rc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	plan = SPI_prepare(sql, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	rc = SPI_execute_snapshot(plan, NULL, NULL, v->snapshot, InvalidSnapshot,
							  true, false, 0);
	if (rc != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(rc));
	MemoryContextSwitchTo(caller);
	result->nrows = (int) SPI_processed;
	result->nfields = SPI_tuptable->tupdesc->natts;
	result->cells = palloc0(sizeof(char *) * Max(1, result->nrows * result->nfields));
	for (int i = 0; i < result->nrows; i++)
		for (int j = 0; j < result->nfields; j++)
		{
			char	   *value = SPI_getvalue(SPI_tuptable->vals[i],
											 SPI_tuptable->tupdesc, j + 1);

			ms_result_cell(result, i, j) = value ?
				MemoryContextStrdup(caller, value) : NULL;
		}
	SPI_finish();
	MemoryContextSwitchTo(caller);
	return result;
}

static char *
target_md5(const char *text)
{
	if (GetDatabaseEncoding() == PG_UTF8)
		return psprintf("pg_catalog.md5(%s)", text);
	return psprintf("pg_catalog.md5(pg_catalog.convert_to(%s, 'UTF8'))", text);
}

/* ------------------------------------------------------------------------
 * The two views
 * ------------------------------------------------------------------------
 */

/* Open a read view on the source.  Returns its GTID position. */
static char *
open_source_view(MsWire *wire)
{
	MsResult   *status;
	char	   *file = NULL;
	char	   *pos = NULL;

	ms_wire_exec(wire, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
	status = ms_wire_query(wire, "SHOW STATUS WHERE Variable_name IN"
						   " ('Binlog_snapshot_file', 'Binlog_snapshot_position')");
	for (int i = 0; i < status->nrows; i++)
	{
		if (pg_strcasecmp(ms_result_cell(status, i, 0), "Binlog_snapshot_file") == 0)
			file = ms_result_cell(status, i, 1);
		else
			pos = ms_result_cell(status, i, 1);
	}
	if (file == NULL || pos == NULL || file[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source gives no binlog position for a consistent snapshot"),
				 errhint("Binary logging must be on at the source (log_bin), with its binary logs in files.")));
	return ms_wire_query_value(wire, psprintf("SELECT BINLOG_GTID_POS(%s, %s)",
											  ms_wire_quote_literal(file), pos));
}

/* Where the worker stands still. */
static void
held_position(const Verify *v, MsGtidList *position)
{
	MsSlotView	view;

	ms_gtid_init(position);
	if (ms_shmem_find(MyDatabaseId, v->sub->subid, &view))
		ms_gtid_parse_list_or_error(view.applied_gtid, position);
}

/*
 * Bring the worker to a read view of the source.  It stands there until the
 * fence is released.
 */
void
ms_verify_align_views(Verify *v)
{
	TimestampTz start = GetCurrentTimestamp();

	ms_fence_stop(v->sub->subid, v->sub->name);
	for (;;)
	{
		MsGtidList	held;
		MsGtidList	view;

		v->gtid = open_source_view(v->wire);
		ms_gtid_init(&view);
		if (v->gtid)
			ms_gtid_parse_list_or_error(v->gtid, &view);
		held_position(v, &held);
		/* a transaction is in the binlog before a read view shows it */
		if (v->gtid && ms_gtid_reached(&view, &held) &&
			ms_fence_go_to(v->sub->subid, v->sub->name, v->gtid))
			return;
		ms_wire_exec(v->wire, "ROLLBACK");
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), VIEW_TIMEOUT_MS))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("the source's read view does not reach what subscription \"%s\" has applied",
							v->sub->name),
					 errhint("Try again.")));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 1, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Take both views, at one position. */
static void
open_views(Verify *v)
{
	double		pause;

	ms_verify_align_views(v);
	v->snapshot = RegisterSnapshot(GetLatestSnapshot());
	pause = ms_fence_release();
	ereport(LOG,
			(errmsg("subscription \"%s\" is verified at GTID position \"%s\"; streaming paused for %.1f ms",
					v->sub->name, v->gtid, pause)));
	ms_catalog_add_history(v->sub->subid, "verify", v->gtid, NULL, NULL,
						   psprintf("streaming paused for %.1f ms", pause));
}

/* ------------------------------------------------------------------------
 * What to compare
 * ------------------------------------------------------------------------
 */

static void
describe_columns(Verify *v, TableCheck *check)
{
	Relation	rel = table_open(check->sub->relid, AccessShareLock);
	StringInfoData policy;
	ListCell   *lc;

	initStringInfo(&policy);
	foreach(lc, ms_source_columns_from_jsonb(check->sub->source_schema))
	{
		MsSourceColumn *source = lfirst(lc);
		AttrNumber	attnum = get_attnum(check->sub->relid, source->name);
		Form_pg_attribute att;
		MsVerifyColumn *col;

		if (attnum <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("target of table \"%s\" has no column \"%s\"",
							check->name, source->name)));
		att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
		col = ms_verify_column(source, att->atttypid, att->atttypmod,
							   &v->options.columns.policies);
		if (col->skipped)
			ereport(WARNING,
					(errmsg("column \"%s\" of table \"%s\" is not compared",
							source->name, check->name),
					 errdetail("Type %s of the target does not keep the source's text.",
							   format_type_be(att->atttypid))));
		if (col->policy)
			appendStringInfo(&policy, "%s(%s)", policy.len ? " OR " : "",
							 col->policy);
		check->columns = lappend(check->columns, col);
	}
	if (policy.len > 0)
		check->policy = policy.data;
	check->target = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
											   RelationGetRelationName(rel));
	table_close(rel, NoLock);
}

static MsVerifyColumn *
find_column(const TableCheck *check, const char *name)
{
	ListCell   *lc;

	foreach(lc, check->columns)
	{
		MsVerifyColumn *col = lfirst(lc);

		if (strcmp(col->name, name) == 0)
			return col;
	}
	return NULL;
}

static void
describe_key(TableCheck *check, const MsSourceTable *table)
{
	MsSourceIndex *index = ms_source_table_key(table);
	ListCell   *lc;

	foreach(lc, index ? index->columns : NIL)
	{
		MsVerifyColumn *col = find_column(check, lfirst(lc));

		/* a policy could make two keys of the source one */
		if (col == NULL || col->skipped || col->policy)
		{
			check->key = NIL;
			return;
		}
		check->key = lappend(check->key, col);
	}
	if (check->key == NIL)
		return;
	foreach(lc, table->columns)
	{
		MsSourceColumn *source = lfirst(lc);
		Oid			typid = get_atttype(check->sub->relid,
										get_attnum(check->sub->relid, source->name));

		if (strcmp(source->name, linitial(index->columns)) == 0 &&
			strstr(source->data_type, "int") && !strstr(source->data_type, "point") &&
			(typid == INT2OID || typid == INT4OID || typid == INT8OID ||
			 typid == NUMERICOID))
			check->int_key = source->name;
	}
}

static TableCheck *
describe_table(Verify *v, MsSubTable *sub)
{
	TableCheck *check = palloc0(sizeof(TableCheck));
	List	   *tables;
	char	   *text;

	check->sub = sub;
	check->name = psprintf("%s.%s", sub->source_db, sub->source_table);
	check->source = psprintf("%s.%s", ms_wire_quote_identifier(sub->source_db),
							 ms_wire_quote_identifier(sub->source_table));
	if (sub->state != MS_TABLE_READY)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" cannot be verified in state \"%s\"",
						check->name, ms_table_state_name(sub->state)),
				 errhint("Use mariadb_sync.wait_for_catchup() first.")));
	describe_columns(v, check);
	tables = ms_remote_schema_fetch(v->wire, v->sub->patterns, sub->source_db,
									sub->source_table);
	if (tables == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s\" does not exist on the source", check->name)));
	check->estimate = ((MsSourceTable *) linitial(tables))->rows_estimate;
	describe_key(check, linitial(tables));

	text = ms_verify_row_text(check->columns, true);
	check->source_hash = psprintf("MD5(%s)", text);
	check->target_hash = target_md5(ms_verify_row_text(check->columns, false));
	check->source_key = check->source_hash;
	check->target_key = check->target_hash;
	if (check->key)
	{
		check->source_key = psprintf("MD5(%s)", ms_verify_row_text(check->key, true));
		check->target_key = target_md5(ms_verify_row_text(check->key, false));
	}
	return check;
}

/* ------------------------------------------------------------------------
 * Differences
 * ------------------------------------------------------------------------
 */

/* Values of a row as JSON.  With other, only those that differ from it. */
static char *
row_as_json(const TableCheck *check, const MsResult *res, int row,
			const MsResult *other, int other_row)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < list_length(check->columns); i++)
	{
		MsVerifyColumn *col = list_nth(check->columns, i);
		char	   *value = ms_result_cell(res, row, i + 1);
		char	   *theirs = other ? ms_result_cell(other, other_row, i + 1) : NULL;

		if (col->skipped)
			continue;
		if (other && (value == NULL) == (theirs == NULL) &&
			(value == NULL || strcmp(value, theirs) == 0))
			continue;
		appendStringInfoString(&buf, buf.len ? ", " : "{");
		escape_json(&buf, col->name);
		appendStringInfoString(&buf, ": ");
		if (value)
			escape_json(&buf, value);
		else
			appendStringInfoString(&buf, "null");
	}
	appendStringInfoString(&buf, buf.len ? "}" : "{}");
	return buf.data;
}

/* Names of the columns that differ. */
static List *
differing_columns(const TableCheck *check, const MsResult *a, int arow,
				  const MsResult *b, int brow)
{
	List	   *names = NIL;

	for (int i = 0; i < list_length(check->columns); i++)
	{
		MsVerifyColumn *col = list_nth(check->columns, i);
		char	   *x = ms_result_cell(a, arow, i + 1);
		char	   *y = ms_result_cell(b, brow, i + 1);

		if (!col->skipped &&
			((x == NULL) != (y == NULL) || (x && strcmp(x, y) != 0)))
			names = lappend(names, col->name);
	}
	return names;
}

/* The key of a row for people; a row without one is named by its hash. */
static char *
key_text(const TableCheck *check, const MsResult *res, int row)
{
	StringInfoData buf;
	ListCell   *lc;

	if (check->key == NIL)
		return ms_result_cell(res, row, 0);
	initStringInfo(&buf);
	foreach(lc, check->key)
	{
		int			i;
		char	   *value;

		for (i = 0; list_nth(check->columns, i) != lfirst(lc); i++)
			;
		value = ms_result_cell(res, row, i + 1);
		appendStringInfo(&buf, "%s%s", foreach_current_index(lc) ? "," : "",
						 value ? value : "");
	}
	return buf.data;
}

/* SELECT the key's hash and all columns as text, of rows with these keys. */
static char *
build_detail_query(const TableCheck *check, const Chunk *chunk, bool on_source,
				   bool raw, const char *condition)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT %s", on_source ? check->source_key : check->target_key);
	foreach(lc, check->columns)
	{
		MsVerifyColumn *col = lfirst(lc);

		appendStringInfo(&buf, ", %s", col->skipped ? "NULL" :
						 !on_source ? col->target : raw ? col->raw : col->source);
	}
	appendStringInfo(&buf, " FROM %s WHERE %s AND %s",
					 on_source ? check->source : check->target,
					 on_source ? chunk->source : chunk->target, condition);
	return buf.data;
}

char *
ms_verify_key_condition(const char *key_expr, List *keys, int from)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s IN (", key_expr);
	for (int i = from; i < Min(from + MS_VERIFY_KEYS, list_length(keys)); i++)
		appendStringInfo(&buf, "%s'%s'", i > from ? ", " : "",
						 (char *) list_nth(keys, i));
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

static int
find_row(const MsResult *res, const char *key)
{
	for (int i = 0; i < res->nrows; i++)
		if (strncmp(ms_result_cell(res, i, 0), key, MD5_LEN) == 0)
			return i;
	return -1;
}

static void
record(const Verify *v, const TableCheck *check, const char *kind,
	   const char *key, List *columns, const char *source, const char *target)
{
	ms_catalog_add_difference(v->sub->name, check->name, check->sub->relid,
							  key, kind, columns, source, target, v->gtid);
}

/* Write down what is different about the keys of a chunk. */
static void
record_keys(Verify *v, TableCheck *check, Chunk *chunk, HTAB *entries)
{
	for (int from = 0; from < list_length(chunk->keys); from += MS_VERIFY_KEYS)
	{
		MsResult   *src = ms_wire_query(v->wire,
										build_detail_query(check, chunk, true, false,
														   ms_verify_key_condition(check->source_key, chunk->keys, from)));
		MsResult   *tgt = query_target(v, build_detail_query(check, chunk, false, false,
															 ms_verify_key_condition(check->target_key, chunk->keys, from)));

		for (int i = from; i < Min(from + MS_VERIFY_KEYS, list_length(chunk->keys)); i++)
		{
			char	   *key = list_nth(chunk->keys, i);
			KeyEntry   *entry = hash_search(entries, key, HASH_FIND, NULL);
			int			s = find_row(src, key);
			int			t = find_row(tgt, key);
			int64		n = entry->source_count - entry->target_count;

			if (s >= 0 && t >= 0 && check->key)
				record(v, check, "different", key_text(check, src, s),
					   differing_columns(check, src, s, tgt, t),
					   row_as_json(check, src, s, tgt, t),
					   row_as_json(check, tgt, t, src, s));
			else
				for (; n != 0; n += n > 0 ? -1 : 1)
					record(v, check, n > 0 ? "missing" : "surplus",
						   s >= 0 ? key_text(check, src, s) : key_text(check, tgt, t),
						   NIL, n > 0 ? row_as_json(check, src, s, NULL, 0) : NULL,
						   n < 0 ? row_as_json(check, tgt, t, NULL, 0) : NULL);
		}
		CHECK_FOR_INTERRUPTS();
	}
}

static void
count_rows(HTAB *entries, const MsResult *res, bool on_source)
{
	for (int i = 0; i < res->nrows; i++)
	{
		bool		found;
		KeyEntry   *entry = hash_search(entries, ms_result_cell(res, i, 0),
										HASH_ENTER, &found);

		if (!found)
		{
			entry->source_count = entry->target_count = 0;
			memset(entry->source_hash, 0, MD5_LEN);
			memset(entry->target_hash, 0, MD5_LEN);
		}
		if (on_source)
			entry->source_count++;
		else
			entry->target_count++;
		memcpy(on_source ? entry->source_hash : entry->target_hash,
			   ms_result_cell(res, i, 1), MD5_LEN);
	}
}

/* A chunk differs: find the keys. */
static void
compare_keys(Verify *v, TableCheck *check, Chunk *chunk)
{
	HASHCTL		ctl = {0};
	HTAB	   *entries;
	HASH_SEQ_STATUS seq;
	KeyEntry   *entry;

	ctl.keysize = MD5_LEN;
	ctl.entrysize = sizeof(KeyEntry);
	ctl.hcxt = CurrentMemoryContext;
	entries = hash_create("mariadb_sync keys of a chunk", 1024, &ctl,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	count_rows(entries, ms_wire_query(v->wire, psprintf("SELECT %s, %s FROM %s WHERE %s",
														check->source_key, check->source_hash,
														check->source, chunk->source)), true);
	count_rows(entries, query_target(v, psprintf("SELECT %s, %s FROM %s WHERE %s",
												 check->target_key, check->target_hash,
												 check->target, chunk->target)), false);
	hash_seq_init(&seq, entries);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		int64		n = entry->source_count - entry->target_count;

		if (n == 0 && memcmp(entry->source_hash, entry->target_hash, MD5_LEN) == 0)
			continue;
		if (check->key && entry->source_count > 0 && entry->target_count > 0)
			check->different++;
		else if (n > 0)
			check->missing += n;
		else
			check->surplus -= n;
		chunk->keys = lappend(chunk->keys, pnstrdup(entry->key, MD5_LEN));
	}
	if (chunk->keys == NIL)
		return;
	check->chunks = lappend(check->chunks, chunk);
	record_keys(v, check, chunk, entries);
}

/* Values that a policy has changed: known, and shown. */
static void
record_policies(Verify *v, TableCheck *check, Chunk *chunk)
{
	MsResult   *raw = ms_wire_query(v->wire,
									build_detail_query(check, chunk, true, true,
													   psprintf("(%s)", check->policy)));
	MsResult   *res = ms_wire_query(v->wire,
									build_detail_query(check, chunk, true, false,
													   psprintf("(%s)", check->policy)));

	for (int i = 0; i < raw->nrows; i++)
	{
		int			j = find_row(res, ms_result_cell(raw, i, 0));

		if (j >= 0)
			record(v, check, "policy", key_text(check, res, j),
				   differing_columns(check, raw, i, res, j),
				   row_as_json(check, raw, i, res, j),
				   row_as_json(check, res, j, raw, i));
	}
}

/* ------------------------------------------------------------------------
 * Chunks
 * ------------------------------------------------------------------------
 */

#define SOURCE_SUM "CAST(COALESCE(SUM(CAST(CONV(LEFT(%s, 15), 16, 10) AS UNSIGNED)), 0) AS CHAR)"
#define TARGET_SUM "coalesce(pg_catalog.sum(('x0' || pg_catalog.left(%s, 15))::pg_catalog.bit(64)::pg_catalog.int8), 0)::pg_catalog.text"

/* What is summed up of a group of rows: count, hashes, policy's changes. */
static char *
source_sums(const TableCheck *check)
{
	return psprintf("COUNT(*), " SOURCE_SUM ", %s%s%s", check->source_hash,
					check->policy ? "SUM(" : "0", check->policy ? check->policy : "",
					check->policy ? ")" : "");
}

static char *
target_sums(const TableCheck *check)
{
	return psprintf("pg_catalog.count(*), " TARGET_SUM, check->target_hash);
}

/*
 * Compare the sums of a chunk, which are in columns first and on.  t is -1
 * when the target has no rows there, s when the source has none.
 */
static void
compare_sums(Verify *v, TableCheck *check, Chunk *chunk, const MsResult *src,
			 int s, const MsResult *tgt, int t, int first)
{
	char	   *policies = s >= 0 ? ms_result_cell(src, s, first + 2) : NULL;

	if (s >= 0)
		check->source_rows += strtoi64(ms_result_cell(src, s, first), NULL, 10);
	if (t >= 0)
		check->target_rows += strtoi64(ms_result_cell(tgt, t, first), NULL, 10);
	if (s < 0 || t < 0 ||
		strcmp(ms_result_cell(src, s, first), ms_result_cell(tgt, t, first)) != 0 ||
		strcmp(ms_result_cell(src, s, first + 1), ms_result_cell(tgt, t, first + 1)) != 0)
		compare_keys(v, check, chunk);
	if (policies && strcmp(policies, "0") != 0)
		record_policies(v, check, chunk);
	CHECK_FOR_INTERRUPTS();
}

/* From lower (NULL = the beginning) up to, but not, upper (NULL = the end). */
static Chunk *
make_range(const TableCheck *check, const char *lower, const char *upper)
{
	Chunk	   *chunk = palloc0(sizeof(Chunk));
	const char *names[2] = {ms_wire_quote_identifier(check->int_key),
	quote_identifier(check->int_key)};

	for (int i = 0; i < 2; i++)
	{
		StringInfoData buf;

		initStringInfo(&buf);
		appendStringInfoString(&buf, "(1 = 1");
		if (lower)
			appendStringInfo(&buf, " AND %s >= %s", names[i], lower);
		if (upper)
			appendStringInfo(&buf, " AND %s < %s", names[i], upper);
		appendStringInfoChar(&buf, ')');
		*(i == 0 ? &chunk->source : &chunk->target) = buf.data;
	}
	return chunk;
}

static void
compare_ranges(Verify *v, TableCheck *check)
{
	char	   *key = ms_wire_quote_identifier(check->int_key);
	char	   *lower = NULL;

	for (;;)
	{
		MsResult   *next = ms_wire_query(v->wire,
										 psprintf("SELECT %s + 0 FROM %s WHERE %s ORDER BY %s LIMIT 1 OFFSET %d",
												  key, check->source,
												  lower ? psprintf("%s >= %s", key, lower) : "1 = 1",
												  key, CHUNK_ROWS));
		char	   *upper = next->nrows > 0 ? ms_result_cell(next, 0, 0) : NULL;
		Chunk	   *chunk;
		char	   *sql;
		MsResult   *tgt;

		/* many rows with one value of the key's first column */
		if (upper && lower && strcmp(upper, lower) == 0)
			upper = ms_wire_query_value(v->wire,
										psprintf("SELECT MIN(%s) + 0 FROM %s WHERE %s > %s",
												 key, check->source, key, lower));
		chunk = make_range(check, lower, upper);
		sql = psprintf("SELECT %s FROM %s WHERE %s", source_sums(check),
					   check->source, chunk->source);
		ms_wire_query_begin(v->wire, sql);
		tgt = query_target(v, psprintf("SELECT %s FROM %s WHERE %s",
									   target_sums(check), check->target,
									   chunk->target));
		compare_sums(v, check, chunk, ms_wire_query_end(v->wire, sql), 0,
					 tgt, 0, 0);
		if (upper == NULL)
			break;
		lower = upper;
	}
}

static int
find_bucket(const MsResult *res, int bucket)
{
	for (int i = 0; i < res->nrows; i++)
		if (atoi(ms_result_cell(res, i, 0)) == bucket)
			return i;
	return -1;
}

static void
compare_buckets(Verify *v, TableCheck *check)
{
	int			n = (int) Min(Max(1, check->estimate / CHUNK_ROWS), 10000);
	char	   *source = psprintf("CAST(CONV(LEFT(%s, 7), 16, 10) AS SIGNED) MOD %d",
								  check->source_key, n);
	char	   *target = psprintf("(('x0' || pg_catalog.left(%s, 7))::pg_catalog.bit(32)::pg_catalog.int4 %% %d)",
								  check->target_key, n);
	char	   *sql = psprintf("SELECT %s, %s FROM %s GROUP BY 1", source,
							   source_sums(check), check->source);
	MsResult   *src;
	MsResult   *tgt;

	ms_wire_query_begin(v->wire, sql);
	tgt = query_target(v, psprintf("SELECT %s, %s FROM %s GROUP BY 1", target,
								   target_sums(check), check->target));
	src = ms_wire_query_end(v->wire, sql);
	for (int i = 0; i < n; i++)
	{
		Chunk	   *chunk = palloc0(sizeof(Chunk));
		int			s = find_bucket(src, i);
		int			t = find_bucket(tgt, i);

		chunk->source = psprintf("(%s = %d)", source, i);
		chunk->target = psprintf("(%s = %d)", target, i);
		if (s >= 0 || t >= 0)
			compare_sums(v, check, chunk, src, s, tgt, t, 1);
	}
}

static void
compare_table(Verify *v, TableCheck *check)
{
	ms_catalog_clear_differences(v->sub->name, check->name);
	if (check->int_key)
		compare_ranges(v, check);
	else
		compare_buckets(v, check);
}

/* ------------------------------------------------------------------------
 * verify
 * ------------------------------------------------------------------------
 */

static void
set_guc(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/* Texts come out one way only, and nothing of the user's is called. */
static void
set_session(void)
{
	set_guc("search_path", "pg_catalog");
	set_guc("TimeZone", "UTC");
	set_guc("DateStyle", "ISO, YMD");
	set_guc("extra_float_digits", "1");
	set_guc("session_replication_role", "replica");
	set_guc("row_security", "off");
}

static void
put_result(ReturnSetInfo *rsinfo, const Verify *v, const TableCheck *check)
{
	Datum		values[9];
	bool		nulls[9] = {false};

	values[0] = CStringGetTextDatum(check->name);
	values[1] = ObjectIdGetDatum(check->sub->relid);
	values[2] = Int64GetDatum(check->source_rows);
	values[3] = Int64GetDatum(check->target_rows);
	values[4] = Int64GetDatum(check->missing);
	values[5] = Int64GetDatum(check->surplus);
	values[6] = Int64GetDatum(check->different);
	values[7] = Int64GetDatum(check->repaired);
	values[8] = CStringGetTextDatum(v->gtid);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static List *
describe_tables(Verify *v, const char *source)
{
	List	   *checks = NIL;
	ListCell   *lc;

	foreach(lc, ms_catalog_get_tables(v->sub->subid))
	{
		MsSubTable *sub = lfirst(lc);

		if (source &&
			strcmp(source, psprintf("%s.%s", sub->source_db, sub->source_table)) != 0)
			continue;
		checks = lappend(checks, describe_table(v, sub));
	}
	if (checks == NIL && source)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("subscription \"%s\" has no table \"%s\"", v->sub->name, source),
				 errhint("Name it as database.table, as mariadb_sync.pg_stat_mariadb_sync_tables does.")));
	return checks;
}

static void
run(Verify *v, const char *source, bool wants_repair, ReturnSetInfo *rsinfo)
{
	MsServerOptions server;
	List	   *checks;
	ListCell   *lc;

	ms_load_server(v->sub->server, v->sub->owner, &server);
	v->wire = ms_wire_connect(&server);
	ms_wire_exec(v->wire, "SET NAMES utf8mb4");
	ms_wire_exec(v->wire, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
	checks = describe_tables(v, source);
	open_views(v);
	foreach(lc, checks)
		compare_table(v, lfirst(lc));
	UnregisterSnapshot(v->snapshot);
	if (wants_repair)
		ms_verify_repair(v, checks);
	ms_wire_close(v->wire);
	foreach(lc, checks)
		put_result(rsinfo, v, lfirst(lc));
}

Datum
ms_verify(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Verify		v = {0};
	char	   *source = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool		wants_repair = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	Oid			save_userid;
	int			save_sec_context;
	int			save_nestlevel;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	ms_check_preloaded();
	PreventCommandDuringRecovery("verify()");
	v.sub = ms_catalog_find_subscription(NameStr(*PG_GETARG_NAME(0)), false);
	if (!has_privs_of_role(GetUserId(), v.sub->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of subscription \"%s\"", v.sub->name)));
	if (wants_repair && (IsTransactionBlock() || IsolationUsesXactSnapshot()))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("verify() with repair cannot run inside a transaction block"),
				 errdetail("Streaming waits until the transaction that repairs has ended.")));
	ms_options_parse(v.sub->options, &v.options);

	GetUserIdAndSecContext(&save_userid, &save_sec_context);
	SetUserIdAndSecContext(v.sub->owner,
						   save_sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	save_nestlevel = NewGUCNestLevel();
	set_session();
	PG_TRY();
	{
		run(&v, source, wants_repair, rsinfo);
	}
	PG_FINALLY();
	{
		AtEOXact_GUC(false, save_nestlevel);
		SetUserIdAndSecContext(save_userid, save_sec_context);
	}
	PG_END_TRY();
	return (Datum) 0;
}
