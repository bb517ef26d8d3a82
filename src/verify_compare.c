/*
 * verify_compare.c - comparing a table, part by part.
 *
 * A table whose key begins with a column that both servers order in the same
 * way, as numbers, dates and bytes, is cut into ranges of it; each is a part
 * whose sums are compared by themselves.  Of any other table both sides are
 * read in pieces of their own choice, as the two servers need not agree on an
 * order of texts, and the sums are compared at the end.  If they differ, that
 * is done once more with the rows dealt into buckets by their key's text, which
 * tells where to look.
 *
 * The pieces of the source are asked for on several connections at a time, and
 * workers scan the target's (verify_pool.c).  All that is found to differ is
 * looked at when the sums of a table are done.
 */
#include "postgres.h"

#include <limits.h>

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "subtransaction.h"
#include "verify_run.h"

/* rows of a part, and of one when the rate is limited */
#define PART_ROWS		20000
#define SLOW_PART_ROWS	1000
/* rows of a bucket, and how many buckets there can be */
#define BUCKET_ROWS		10000
#define MAX_BUCKETS		10000
/* blocks of the target in a piece */
#define PIECE_BLOCKS	1024
/* rows whose keys are compared at a time where parts are buckets */
#define MAX_KEY_ROWS	1000000

/* One side of a part, or a piece of one side of the table. */
typedef struct Job
{
	char	   *condition;
	MsVerifySum *sums;			/* where to add them */
	struct Pair *pair;			/* of a range; else NULL */
} Job;

/* Both sides of a range. */
typedef struct Pair
{
	MsVerifyPart *part;
	MsVerifySum source;
	MsVerifySum target;
	int			done;			/* sides */
	bool		plain;			/* the source was asked without regard to
								 * policies */
	bool		asked;			/* once before */
} Pair;

typedef struct Comparison
{
	Verify	   *v;
	TableCheck *check;
	MsVerifyTable *table;
	int			part_rows;
	bool		plain;			/* the source is asked without regard to
								 * policies first */
	List	   *source_jobs;	/* of Job * */
	List	   *target_jobs;
	List	   *again;			/* of Job *: ranges whose source is asked for
								 * once more */
	int			next_source;
	int			next_target;
	int			done;			/* jobs */
	int			finished;		/* ranges */
	int			limit;			/* jobs of each side that may be begun */
	Job		  **asked;			/* by wire: what it is asked for */
	char	  **queries;
	MsVerifySum *source_sums;	/* of buckets */
	MsVerifySum *target_sums;
	List	   *differing;		/* of Pair * */
	List	   *changed;		/* of Pair *: a policy changes values */
	TimestampTz started;		/* see clock.h */
	MsVerifyProgress progress;
} Comparison;

/* ------------------------------------------------------------------------
 * Cutting
 * ------------------------------------------------------------------------
 */

static Job *
add_job(List **jobs, char *condition, MsVerifySum *sums, Pair *pair)
{
	Job		   *job = palloc0(sizeof(Job));

	job->condition = condition;
	job->sums = sums;
	job->pair = pair;
	*jobs = lappend(*jobs, job);
	return job;
}

/* From lower (NULL = the beginning) up to, but not, upper (NULL = the end). */
static char *
range_condition(const char *name, const char *lower, const char *upper)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "(1 = 1");
	if (lower)
		appendStringInfo(&buf, " AND %s >= %s", name, lower);
	if (upper)
		appendStringInfo(&buf, " AND %s < %s", name, upper);
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/* What tells a bound's text: as PostgreSQL writes it. */
static char *
bound_sql(const MsVerifyTable *table)
{
	switch (table->range_key->kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
			/* whatever ZEROFILL would show */
			return psprintf("%s + 0", table->range_source);
		case MS_KIND_BYTES:
			return psprintf("CONCAT('\\\\x', LOWER(HEX(%s)))", table->range_source);
		default:
			return psprintf("CAST(%s AS CHAR)", table->range_source);
	}
}

static const char *
source_literal(const MsVerifyTable *table, const char *bound)
{
	if (bound == NULL || strcmp(table->range_type, "numeric") == 0)
		return bound;
	if (table->range_key->kind == MS_KIND_BYTES)
		return psprintf("X'%s'", bound + 2);
	return ms_wire_quote_literal(bound);
}

static const char *
target_literal(const MsVerifyTable *table, const char *bound)
{
	if (bound == NULL || strcmp(table->range_type, "numeric") == 0)
		return bound;
	return psprintf("%s::pg_catalog.%s", quote_literal_cstr(bound), table->range_type);
}

static char *
source_range(const MsVerifyTable *table, const char *lower, const char *upper)
{
	return range_condition(table->range_source, source_literal(table, lower),
						   source_literal(table, upper));
}

static void
add_range(Comparison *c, const char *lower, const char *upper)
{
	const MsVerifyTable *table = c->table;
	Pair	   *pair = palloc0(sizeof(Pair));

	pair->part = palloc0(sizeof(MsVerifyPart));
	pair->part->lower = lower ? pstrdup(lower) : NULL;
	pair->part->upper = upper ? pstrdup(upper) : NULL;
	pair->part->source = source_range(table, lower, upper);
	pair->part->target = range_condition(table->range_target,
										 target_literal(table, lower),
										 target_literal(table, upper));
	add_job(&c->source_jobs, pair->part->source, &pair->source, pair);
	add_job(&c->target_jobs, pair->part->target, &pair->target, pair);
}

/*
 * A key without large gaps, by the statistics: equal steps.  False when it is
 * not one.
 */
static bool
cut_evenly(Comparison *c, const char *lower, const char *upper)
{
	const char *name = c->table->range_source;
	MsResult   *res;
	bool		is_signed = c->table->range_key->kind == MS_KIND_INT;
	uint64		min;
	uint64		max;
	char	   *bound = NULL;

	if (list_length(c->table->key) != 1 ||
		(!is_signed && c->table->range_key->kind != MS_KIND_UINT))
		return false;
	res = ms_wire_query(c->v->wires[0],
						psprintf("SELECT MIN(%s) + 0, MAX(%s) + 0 FROM %s WHERE %s",
								 name, name, c->table->source,
								 source_range(c->table, lower, upper)));
	if (ms_result_cell(res, 0, 0) == NULL)
	{
		add_range(c, lower, upper);
		return true;
	}
	/* signed numbers wrap, differences are right */
	if (is_signed)
	{
		min = (uint64) strtoi64(ms_result_cell(res, 0, 0), NULL, 10);
		max = (uint64) strtoi64(ms_result_cell(res, 0, 1), NULL, 10);
	}
	else
	{
		min = strtou64(ms_result_cell(res, 0, 0), NULL, 10);
		max = strtou64(ms_result_cell(res, 0, 1), NULL, 10);
	}
	if (max - min > 2 * (uint64) c->check->estimate + c->part_rows)
		return false;
	for (uint64 offset = c->part_rows; offset <= max - min; offset += c->part_rows)
	{
		char	   *next = is_signed ? psprintf(INT64_FORMAT, (int64) (min + offset)) :
		psprintf(UINT64_FORMAT, min + offset);

		add_range(c, bound ? bound : lower, next);
		bound = next;
	}
	add_range(c, bound ? bound : lower, upper);
	return true;
}

/* Along the source's index. */
static void
cut_by_walking(Comparison *c, const char *lower, const char *upper)
{
	const MsVerifyTable *table = c->table;
	const char *name = table->range_source;
	const char *bound = bound_sql(table);
	MsWire	   *wire = c->v->wires[0];

	for (;;)
	{
		char	   *next = ms_wire_query_value(wire,
											   psprintf("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT 1 OFFSET %d",
														bound, table->source,
														source_range(table, lower, upper),
														name, c->part_rows));

		/* many rows with one value of the key's first column */
		if (next && lower && strcmp(next, lower) == 0)
			next = ms_wire_query_value(wire,
									   psprintf("SELECT %s FROM %s WHERE %s AND %s > %s ORDER BY %s LIMIT 1",
												bound, table->source,
												source_range(table, lower, upper),
												name, source_literal(table, lower),
												name));
		add_range(c, lower, next ? next : upper);
		if (next == NULL)
			return;
		lower = next;
	}
}

static void
cut_range(Comparison *c, const char *lower, const char *upper)
{
	if (!cut_evenly(c, lower, upper))
		cut_by_walking(c, lower, upper);
}

/* All ranges but those that an interrupted run has found equal. */
static void
cut_ranges(Comparison *c)
{
	char	   *lower = NULL;
	ListCell   *lc;

	if (c->v->resume)
		foreach(lc, ms_catalog_get_verified(c->table->sub, c->table->range_type))
	{
		MsVerifiedRange *range = lfirst(lc);

		if (lower == NULL || strcmp(lower, range->lower) != 0)
			cut_range(c, lower, range->lower);
		lower = range->upper;
		c->check->source_rows += range->rows;
		c->check->target_rows += range->rows;
	}
	cut_range(c, lower, NULL);
}

/* A literal of the source for a key's value. */
static char *
key_literal(const MsVerifyColumn *col, const char *text)
{
	return col->kind == MS_KIND_BYTES ? psprintf("X'%s'", text) :
		ms_wire_quote_literal(text);
}

/* Where pieces of the source of a table with another key begin, if it is long. */
static void
cut_source(Comparison *c)
{
	MsVerifyColumn *col = c->table->key ? linitial(c->table->key) : NULL;
	const char *name = c->check->key_names ?
	ms_wire_quote_identifier(linitial(c->check->key_names)) : NULL;
	char	   *lower = NULL;

	while (col && c->check->estimate > c->part_rows &&
		   (col->kind == MS_KIND_TEXT || col->kind == MS_KIND_BYTES ||
			col->kind == MS_KIND_UUID))
	{
		char	   *next = ms_wire_query_value(c->v->wires[0],
											   psprintf("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT 1 OFFSET %d",
														col->kind == MS_KIND_BYTES ? psprintf("HEX(%s)", name) : name,
														c->table->source,
														range_condition(name, lower, NULL), name,
														c->part_rows));

		next = next ? key_literal(col, next) : NULL;
		if (next == NULL || (lower && strcmp(lower, next) == 0))
			break;
		add_job(&c->source_jobs, range_condition(name, lower, next),
				c->source_sums, NULL);
		lower = next;
	}
	add_job(&c->source_jobs, range_condition(name, lower, NULL), c->source_sums,
			NULL);
}

/* Ranges of blocks, if it is a plain table. */
static void
cut_target(Comparison *c)
{
	Relation	rel = relation_open(c->table->sub->relid, AccessShareLock);
	BlockNumber nblocks = 0;

	if (rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_rel->relam == HEAP_TABLE_AM_OID &&
		!rel->rd_rel->relhassubclass)
		nblocks = RelationGetNumberOfBlocks(rel);
	relation_close(rel, AccessShareLock);
	for (BlockNumber block = 0; block == 0 || block < nblocks; block += PIECE_BLOCKS)
	{
		if (block + PIECE_BLOCKS >= nblocks)
			add_job(&c->target_jobs,
					block == 0 ? "(1 = 1)" : psprintf("(ctid >= '(%u,0)')", block),
					c->target_sums, NULL);
		else
			add_job(&c->target_jobs,
					psprintf("(ctid >= '(%u,0)' AND ctid < '(%u,0)')", block,
							 block + PIECE_BLOCKS),
					c->target_sums, NULL);
	}
}

static void
cut(Comparison *c)
{
	if (c->table->range_key)
	{
		cut_ranges(c);
		return;
	}
	c->source_sums = palloc0(sizeof(MsVerifySum) * c->table->nbuckets);
	c->target_sums = palloc0(sizeof(MsVerifySum) * c->table->nbuckets);
	cut_source(c);
	cut_target(c);
}

/* ------------------------------------------------------------------------
 * Adding up
 * ------------------------------------------------------------------------
 */

static void
report(Comparison *c)
{
	c->progress.rows_done = c->check->target_rows;
	c->progress.rows_total = Max(c->progress.rows_total, c->progress.rows_done);
	ms_shmem_verify_report(&c->progress);
}

static bool
same_sums(const MsVerifySum *source, const MsVerifySum *target)
{
	return source->rows == target->rows && source->hashes == target->hashes;
}

/* For a run that goes on where this one may be interrupted. */
static void
record_equal(Comparison *c, const MsVerifyPart *part, int64 rows)
{
	if (c->v->pool)
		ms_verify_pool_record(c->v->pool, c->check, part, rows, c->v->gtid);
}

/* Both sides of a range are known. */
static void
finish_pair(Comparison *c, Pair *pair)
{
	bool		same = same_sums(&pair->source, &pair->target);

	if (!same && pair->plain)
	{
		/* it may be a policy's doing */
		pair->plain = false;
		pair->done = 1;
		memset(&pair->source, 0, sizeof(pair->source));
		add_job(&c->again, pair->part->source, &pair->source, pair);
		return;
	}
	c->finished++;
	/* then it is, and may be again */
	if (pair->source.policies > 0)
		c->plain = false;
	c->check->source_rows += pair->source.rows;
	c->check->target_rows += pair->target.rows;
	if (!same)
		c->differing = lappend(c->differing, pair);
	if (pair->source.policies > 0)
		c->changed = lappend(c->changed, pair);
	/* what an open range holds is never over */
	else if (same && pair->part->lower && pair->part->upper)
		record_equal(c, pair->part, pair->source.rows);
}

static void
finish_job(Comparison *c, Job *job)
{
	c->done++;
	c->progress.chunks_done = c->done / 2;
	if (job->pair && ++job->pair->done == 2)
		finish_pair(c, job->pair);
	report(c);
}

/* May the source be asked for one more part?  Else, in how many milliseconds. */
static long
rate_delay(const Comparison *c)
{
	TimestampTz due;

	if (c->v->max_rate == 0)
		return 0;
	due = c->started + (int64) ((double) c->next_source * c->part_rows *
								USECS_PER_SEC / c->v->max_rate);
	return TimestampDifferenceMilliseconds(ms_clock_now(), due);
}

/* May a policy's work be left out of what the source is asked? */
static bool
ask_plainly(const Comparison *c, Pair *pair)
{
	if (pair == NULL)
		return c->plain;
	pair->plain = c->plain && !pair->asked;
	pair->asked = true;
	return pair->plain;
}

/* What the source is to be asked for next, or NULL. */
static Job *
next_source_job(Comparison *c)
{
	Job		   *job;

	if (c->again)
	{
		job = linitial(c->again);
		c->again = list_delete_first(c->again);
		return job;
	}
	if (c->next_source >= Min(c->limit, list_length(c->source_jobs)) ||
		rate_delay(c) > 0)
		return NULL;
	return list_nth(c->source_jobs, c->next_source++);
}

/* Give every connection that has nothing to do a job. */
static void
ask_source(Comparison *c)
{
	for (int i = 0; i < c->v->nwires; i++)
	{
		Job		   *job;

		if (c->asked[i] || (job = next_source_job(c)) == NULL)
			continue;
		if (c->table->fetches)
		{
			/* read row by row, which is our own work */
			ms_verify_source_scan_sums(c->v->wires[0], c->table, job->condition,
									   job->sums);
			finish_job(c, job);
			continue;
		}
		c->asked[i] = job;
		c->queries[i] = ms_verify_source_sums_sql(c->table, job->condition,
												  ask_plainly(c, job->pair));
		ms_wire_query_begin(c->v->wires[i], c->queries[i]);
	}
}

static bool
take_from_source(Comparison *c)
{
	bool		any = false;

	for (int i = 0; i < c->v->nwires; i++)
	{
		Job		   *job = c->asked[i];

		if (job == NULL || !ms_wire_is_readable(c->v->wires[i]))
			continue;
		/* an error is an answer, too */
		c->asked[i] = NULL;
		ms_verify_source_add_sums(c->table,
								  ms_wire_query_end(c->v->wires[i], c->queries[i]),
								  job->sums);
		finish_job(c, job);
		any = true;
	}
	return any;
}

static int
count_asked(const Comparison *c)
{
	int			n = 0;

	for (int i = 0; i < c->v->nwires; i++)
		n += c->asked[i] != NULL;
	return n;
}

/* Have the target scanned, or do it. */
static bool
scan_target(Comparison *c)
{
	MsVerifyPool *pool = c->v->pool;
	bool		any = false;
	int			nsums = c->table->nbuckets;
	int			limit = Min(c->limit, list_length(c->target_jobs));
	MsVerifySum *sums;
	int			job;

	if (pool == NULL)
	{
		Job		   *mine;

		if (c->next_target >= limit)
			return false;
		mine = list_nth(c->target_jobs, c->next_target++);
		ms_verify_scan_sums(c->table, mine->condition, c->v->snapshot, mine->sums);
		finish_job(c, mine);
		return true;
	}
	for (int worker = ms_verify_pool_idle(pool);
		 worker >= 0 && c->next_target < limit;
		 worker = ms_verify_pool_idle(pool))
	{
		Job		   *next = list_nth(c->target_jobs, c->next_target);

		/* the target is not to be read further ahead than the source may be */
		if (c->v->max_rate > 0 && c->next_target >= c->next_source + 1 &&
			c->next_source < Min(c->limit, list_length(c->source_jobs)))
			break;
		ms_verify_pool_scan(pool, worker, c->next_target++, next->condition);
	}
	sums = palloc0(sizeof(MsVerifySum) * nsums);
	while (ms_verify_pool_receive(pool, &job, sums, nsums))
	{
		Job		   *done = list_nth(c->target_jobs, job);

		for (int i = 0; i < nsums; i++)
		{
			done->sums[i].rows += sums[i].rows;
			done->sums[i].hashes += sums[i].hashes;
		}
		finish_job(c, done);
		any = true;
	}
	pfree(sums);
	return any;
}

/* ------------------------------------------------------------------------
 * What differs
 * ------------------------------------------------------------------------
 */

static void
look_at_ranges(Comparison *c)
{
	ListCell   *lc;

	foreach(lc, c->differing)
		ms_verify_compare_keys(c->v, c->check, ((Pair *) lfirst(lc))->part);
	foreach(lc, c->changed)
		ms_verify_record_policies(c->v, c->check, ((Pair *) lfirst(lc))->part);
}

/*
 * Ranges need not be compared at one position: go on at a newer one when the
 * views are old, with what has been begun settled.
 */
static void
renew_views(Comparison *c)
{
	if (c->limit == INT_MAX)
	{
		if (!ms_verify_views_are_old(c->v))
			return;
		c->limit = Max(c->next_source, c->next_target);
	}
	if (c->finished < c->limit || c->limit >= list_length(c->source_jobs))
		return;
	look_at_ranges(c);
	c->differing = c->changed = NIL;
	ms_verify_renew_views(c->v);
	if (c->v->pool)
		ms_verify_pool_describe(c->v->pool, c->check);
	c->limit = INT_MAX;
}

static bool
is_added_up(const Comparison *c)
{
	if (c->table->range_key)
		return c->finished == list_length(c->source_jobs);
	return c->done == list_length(c->source_jobs) + list_length(c->target_jobs);
}

static void
add_up(Comparison *c)
{
	c->progress.chunks_total = (list_length(c->source_jobs) +
								list_length(c->target_jobs)) / 2;
	report(c);
	while (!is_added_up(c))
	{
		bool		any;
		long		delay;

		if (c->table->range_key)
			renew_views(c);
		ask_source(c);
		any = scan_target(c);
		any |= take_from_source(c);
		CHECK_FOR_INTERRUPTS();
		if (any)
			continue;
		delay = c->next_source < Min(c->limit, list_length(c->source_jobs)) &&
			count_asked(c) < c->v->nwires ? Max(1, rate_delay(c)) : 1000;
		ms_wire_wait_any(c->v->wires, (const void *const *) c->asked,
						 c->v->nwires, delay);
	}
}

/*
 * Some of the wanted buckets as one part, which takes them out of wanted.
 * NULL when there are none left.
 */
static MsVerifyPart *
take_buckets(Comparison *c, bool *wanted)
{
	MsVerifyPart *part = palloc0(sizeof(MsVerifyPart));
	StringInfoData buf;
	int64		rows = 0;

	part->buckets = palloc0(sizeof(bool) * c->table->nbuckets);
	initStringInfo(&buf);
	for (int i = 0; i < c->table->nbuckets && rows < MAX_KEY_ROWS; i++)
	{
		if (!wanted[i])
			continue;
		wanted[i] = false;
		part->buckets[i] = true;
		rows += Max(c->source_sums[i].rows, c->target_sums[i].rows);
		appendStringInfo(&buf, "%s%d", buf.len ? ", " : "", i);
	}
	if (buf.len == 0)
		return NULL;
	part->source = c->table->fetches && c->table->key == NIL ? "(1 = 1)" :
		psprintf("(%s IN (%s))", c->table->source_bucket, buf.data);
	part->target = "(1 = 1)";
	return part;
}

static void
look_at_buckets(Comparison *c)
{
	bool	   *differing = palloc0(sizeof(bool) * c->table->nbuckets);
	bool	   *changed = palloc0(sizeof(bool) * c->table->nbuckets);
	MsVerifyPart *part;

	for (int i = 0; i < c->table->nbuckets; i++)
	{
		differing[i] = !same_sums(&c->source_sums[i], &c->target_sums[i]);
		changed[i] = c->source_sums[i].policies > 0;
	}
	while ((part = take_buckets(c, differing)) != NULL)
		ms_verify_compare_keys(c->v, c->check, part);
	while ((part = take_buckets(c, changed)) != NULL)
		ms_verify_record_policies(c->v, c->check, part);
}

/* Ask both sides for everything, in nbuckets buckets if not by ranges. */
static void
pass(Comparison *c, int nbuckets)
{
	c->source_jobs = c->target_jobs = NIL;
	c->next_source = c->next_target = c->done = c->finished = 0;
	c->limit = INT_MAX;
	ms_verify_set_buckets(c->table, nbuckets);
	if (c->v->pool)
		ms_verify_pool_describe(c->v->pool, c->check);
	cut(c);
	add_up(c);
}

/* Has an interrupted run found the whole table equal? */
static bool
is_known_equal(Comparison *c)
{
	List	   *known = c->v->resume ?
	ms_catalog_get_verified(c->table->sub, "text") : NIL;

	if (known == NIL)
		return false;
	c->check->source_rows = c->check->target_rows = ((MsVerifiedRange *) linitial(known))->rows;
	return true;
}

static void
compare_in_buckets(Comparison *c)
{
	static const MsVerifyPart whole = {.lower = "",.upper = ""};
	int64		rows;

	if (is_known_equal(c))
		return;
	pass(c, 1);
	c->check->source_rows = c->source_sums[0].rows;
	c->check->target_rows = c->target_sums[0].rows;
	report(c);
	if (same_sums(&c->source_sums[0], &c->target_sums[0]) &&
		c->source_sums[0].policies == 0)
	{
		record_equal(c, &whole, c->check->source_rows);
		return;
	}
	rows = Max(c->check->source_rows, c->check->target_rows);
	if (rows > BUCKET_ROWS || c->plain)
	{
		c->plain = false;
		pass(c, (int) Min(rows / BUCKET_ROWS + 1, MAX_BUCKETS));
	}
	look_at_buckets(c);
}

static void
compare(Comparison *c)
{
	ms_catalog_clear_differences(c->v->sub->name, c->table->name);
	if (c->v->pool && !c->v->resume)
		ms_verify_pool_forget(c->v->pool, c->check);
	if (c->table->range_key)
	{
		pass(c, 1);
		look_at_ranges(c);
	}
	else
		compare_in_buckets(c);
	report(c);
	c->check->gtid = c->v->gtid;
	if (ms_verify_is_altered(c->table))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("structure or storage of \"%s\" have changed", c->table->target)));
}

/* ------------------------------------------------------------------------
 * Giving up
 * ------------------------------------------------------------------------
 */

/* May the error be about the table's structure having changed? */
static bool
is_about_structure(const Comparison *c, const ErrorData *edata)
{
	int			category = ERRCODE_TO_CATEGORY(edata->sqlerrcode);

	/* the views see a structure that is no longer there */
	if (edata->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		edata->sqlerrcode == ERRCODE_UNDEFINED_TABLE ||
		edata->sqlerrcode == ERRCODE_UNDEFINED_COLUMN)
		return true;
	return category != ERRCODE_OPERATOR_INTERVENTION &&
		category != ERRCODE_INSUFFICIENT_RESOURCES &&
		category != ERRCODE_CONNECTION_EXCEPTION &&
		ms_verify_is_altered(c->table);
}

/* Take what was asked for and nobody is interested in any more. */
static void
settle(Comparison *c)
{
	MemoryContext cxt = CurrentMemoryContext;

	for (int i = 0; i < c->v->nwires; i++)
	{
		MsWire	   *wire = c->v->wires[i];
		bool		asked = c->asked[i] != NULL;

		c->asked[i] = NULL;
		PG_TRY();
		{
			if (asked)
				(void) ms_wire_query_end(wire, c->queries[i]);
		}
		PG_CATCH();
		{
			ErrorData  *edata;

			MemoryContextSwitchTo(cxt);
			edata = CopyErrorData();
			if (!is_about_structure(c, edata))
				PG_RE_THROW();
			FlushErrorState();
		}
		PG_END_TRY();
	}
	if (c->v->pool)
		ms_verify_pool_settle(c->v->pool);
}

/*
 * Compare, and leave no trace when the table turns out to be altered: who
 * does that does not wait for us.
 */
static void
compare_or_give_up(Comparison *c)
{
	MsSubtransaction sub;
	ErrorData  *volatile error = NULL;

	ms_subtransaction_begin(&sub);
	PG_TRY();
	{
		compare(c);
		ms_subtransaction_commit(&sub);
	}
	PG_CATCH();
	{
		error = ms_subtransaction_abort(&sub);
	}
	PG_END_TRY();
	if (error == NULL)
		return;
	if (!is_about_structure(c, error))
		ReThrowError(error);
	settle(c);
	c->check->altered = true;
	c->check->parts = NIL;
	ms_catalog_clear_differences(c->v->sub->name, c->table->name);
	ereport(WARNING,
			(errmsg("table \"%s\" was altered while it was verified", c->table->name),
			 errdetail_internal("%s", error->detail ? error->detail : error->message),
			 errhint("Its counts are null. Call mariadb_sync.verify() for it again.")));
}

void
ms_verify_compare(Verify *v, TableCheck *check)
{
	Comparison	c = {0};

	c.v = v;
	c.check = check;
	c.table = check->table;
	c.plain = check->table->policy != NULL && !check->table->fetches;
	c.part_rows = v->max_rate > 0 ? SLOW_PART_ROWS : PART_ROWS;
	c.asked = palloc0(sizeof(Job *) * v->nworkers);
	c.queries = palloc0(sizeof(char *) * v->nworkers);
	c.started = ms_clock_now();
	c.progress.dboid = MyDatabaseId;
	c.progress.subid = v->sub->subid;
	strlcpy(c.progress.db, check->table->sub->source_db, MS_NAME_MAX);
	strlcpy(c.progress.table, check->table->sub->source_table, MS_NAME_MAX);
	c.progress.rows_total = check->estimate;
	c.progress.started_at = GetCurrentTimestamp();

	compare_or_give_up(&c);
}
