/*
 * apply_parallel.c - source transactions applied by several processes.
 *
 * The apply worker leads.  As long as it keeps up with the source it applies
 * everything itself: nothing is faster than that for a single transaction.
 * When the stream does not run dry for a while it hands transactions to its
 * parallel workers (apply_member.c):
 *
 *   alone --backlog--> together --idle, or a transaction to do alone--> alone
 *
 * Together, events are only looked at: a transaction's are gathered as they
 * came, with the keys that its rows touch (apply_keys.c), and sent to the
 * worker that has the group at hand.  A group is a PostgreSQL transaction with
 * a run of complete source transactions.  Groups are committed in their order,
 * each with its position, so that at any moment the target is what the source
 * was at the position, and readers see no transaction without those before
 * it.  What depends on a group in flight, by touching the same key, is sent
 * with that group's number, and the worker waits for its commit first.
 *
 * Done alone, with nothing else in flight: structure changes and all other
 * statements, XA, rows that foreign keys cascade from, sequences, tables
 * without a key or that are written through SQL, large transactions, and
 * everything while tables are being copied.
 *
 * A worker never decides anything: at an error or a conflict all groups in
 * flight are undone, by starting over at the last commit, and the apply worker
 * does them one by one.  So errors, policies and counters are what they would
 * have been without workers.
 *
 * Memory: a gathered transaction, a queue for each worker and the window of
 * keys, all of fixed size.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "replication/origin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "apply_keys.h"
#include "apply_parallel_internal.h"
#include "cascade.h"
#include "clock.h"
#include "snapshot.h"
#include "worker.h"

/* so many transactions without a pause of the stream are a backlog */
#define BACKLOG_TRANSACTIONS	50

/* a group is not larger than this, that there is one for every worker */
#define MAX_GROUP_BYTES			(32 * 1024)

/* a worker that sleeps is woken for so much */
#define FLUSH_BYTES				(8 * 1024)

/* keys that are remembered: some 2 MB */
#define WINDOW_KEYS				(128 * 1024)

/* after so many together, work in parallel has proved itself */
#define TRUSTED_TRANSACTIONS	10000

/* less than this between two that go alone does not pay */
#define WORTHWHILE_TRANSACTIONS 200

/* workers that could not be had are asked for again, in milliseconds */
#define START_AGAIN_INTERVAL	60000

/* groups whose worker is remembered */
#define OWNERS					4096

typedef struct Member
{
	BackgroundWorkerHandle *handle;
	shm_mq_handle *queue;
	uint64		last_group;
	uint64		counted[MS_NUM_COUNTERS];	/* of its counters, in ours */
} Member;

struct MsParallel
{
	MemoryContext cxt;

	/* the workers */
	dsm_segment *segment;		/* NULL = not started */
	MsParallelShared *shared;
	int			nmembers;
	Member	   *members;
	bool		ready;
	TimestampTz not_before;		/* to be started, after a failure */
	uint64		signature;		/* of the tables as they know them */
	uint32		format;			/* the format they know, by its serial */

	/* whether to use them */
	bool		on;
	int64		backlog;		/* transactions since the stream was dry */
	int64		alone;			/* transactions that we do before we try */
	int64		together;		/* since we do */
	uint64		first_group;	/* of those */
	int64		dependent;		/* transactions that were not independent of
								 * all in flight */
	int64		proved;			/* in this process' life */
	int			interruptions;	/* too short a time one after the other */
	RepOriginId origin;

	/* the group at hand */
	MsWindow   *window;
	uint64		group;			/* the last number given out */
	bool		group_open;
	int			member;			/* -1 = not chosen yet */
	int			transactions;
	int64		rows;
	Size		bytes;
	Size		unflushed;
	TimestampTz group_started;
	uint8		owners[OWNERS];

	/* the source transaction at hand */
	bool		gathering;
	StringInfoData events;		/* each after its length */
	uint64		after;			/* what it depends on */
};

/* What becomes of an event. */
typedef enum Verdict
{
	EVENT_KEPT,
	EVENT_DROPPED,				/* nobody needs it */
	EVENT_ENDS,					/* the transaction is complete */
	EVENT_ALONE					/* the transaction is not for workers */
} Verdict;

MsParallel *
ms_parallel_create(MsApply *apply)
{
	MsParallel *p = palloc0(sizeof(MsParallel));
	uint32		distrust = ms_shmem_parallel_distrust();

	p->cxt = CurrentMemoryContext;
	initStringInfo(&p->events);
	p->window = ms_window_create(WINDOW_KEYS);
	if (distrust > 0)
		p->alone = INT64CONST(500) << Min(distrust, 10);
	return p;
}

bool
ms_parallel_is_on(const MsParallel *p)
{
	return p != NULL && p->on;
}

/* Within a source transaction? */
bool
ms_parallel_is_gathering(const MsParallel *p)
{
	return p != NULL && p->gathering;
}

/* ------------------------------------------------------------------------
 * The workers
 * ------------------------------------------------------------------------
 */

/* Try again later; until then everything is done alone. */
static void
let_workers_go(MsParallel *p)
{
	if (p->segment)
		dsm_detach(p->segment);
	p->segment = NULL;
	p->ready = false;
	p->not_before = TimestampTzPlusMilliseconds(ms_clock_now(),
												START_AGAIN_INTERVAL);
}

static void
no_worker_free(MsApply *apply, int nstarted)
{
	char	   *text = psprintf("%d of %d parallel apply workers could be started\nHINT: Raise max_worker_processes and restart the server, or lower option \"apply_workers\" of the subscription.",
								nstarted, apply->options->apply_workers);

	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("only %d of %d parallel apply workers of subscription \"%s\" could be started",
					nstarted, apply->options->apply_workers,
					apply->sub->name),
			 errhint("Raise max_worker_processes and restart the server, or lower option \"apply_workers\" of the subscription.")));
	ms_shmem_report_error(text, NULL);
	pfree(text);
}

static bool
start_worker(MsApply *apply, int i)
{
	MsParallel *p = apply->parallel;
	BackgroundWorker bgw;
	MsMemberExtra extra;
	shm_mq	   *queue = shm_mq_create(ms_parallel_queue(p->shared, i),
									  MS_QUEUE_SIZE);

	shm_mq_set_sender(queue, MyProc);
	p->members[i].queue = shm_mq_attach(queue, p->segment, NULL);
	ms_worker_fill(&bgw, "ms_parallel_worker_main",
				   psprintf("mariadb_sync parallel apply worker %u/%d",
							MyDatabaseId, apply->sub->subid),
				   Int32GetDatum(ms_shmem_my_slot() * MS_MAX_APPLY_WORKERS + i));
	extra.segment = dsm_segment_handle(p->segment);
	extra.leader = MyProcPid;
	memcpy(bgw.bgw_extra, &extra, sizeof(extra));
	return RegisterDynamicBackgroundWorker(&bgw, &p->members[i].handle);
}

/*
 * Without the memory we do without workers: that is no reason to stop.
 * Outside of a transaction, or the segment would be the transaction's.
 */
static dsm_segment *
make_segment(MsApply *apply, Size size)
{
	dsm_segment *volatile segment = NULL;
	MemoryContext oldcxt = CurrentMemoryContext;

	PG_TRY();
	{
		segment = dsm_create(size, 0);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(oldcxt);
		edata = CopyErrorData();
		FlushErrorState();
		ereport(WARNING,
				(errcode(edata->sqlerrcode),
				 errmsg("subscription \"%s\" applies without parallel workers: %s",
						apply->sub->name, edata->message)));
		ms_shmem_report_error(edata->message, NULL);
		FreeErrorData(edata);
	}
	PG_END_TRY();
	return segment;
}

static void
start_workers(MsApply *apply)
{
	MsParallel *p = apply->parallel;
	MemoryContext oldcxt = MemoryContextSwitchTo(p->cxt);
	int			wanted = apply->options->apply_workers;

	p->segment = make_segment(apply, ms_parallel_segment_size(wanted));
	if (p->segment == NULL)
	{
		MemoryContextSwitchTo(oldcxt);
		let_workers_go(p);
		return;
	}
	p->shared = dsm_segment_address(p->segment);
	memset(p->shared, 0, ms_parallel_segment_size(wanted));
	p->shared->nslots = wanted;
	p->shared->leader_latch = MyLatch;
	pg_atomic_init_u64(&p->shared->leader_waits_for, 0);
	pg_atomic_init_u64(&p->shared->committed, p->group);
	pg_atomic_init_u32(&p->shared->failed, 0);
	for (int i = 0; i < wanted; i++)
	{
		MsMemberShared *member = &p->shared->members[i];

		pg_atomic_init_u32(&member->state, MS_MEMBER_STARTING);
		pg_atomic_init_u64(&member->group, 0);
		pg_atomic_init_u64(&member->waits_for, 0);
	}

	p->signature = 0;
	p->members = palloc0(sizeof(Member) * wanted);
	p->nmembers = 0;
	while (p->nmembers < wanted && start_worker(apply, p->nmembers))
		p->nmembers++;
	p->shared->nmembers = p->nmembers;
	MemoryContextSwitchTo(oldcxt);
	if (p->nmembers < wanted)
		no_worker_free(apply, p->nmembers);
	if (p->nmembers == 0)
		let_workers_go(p);
}

/* Are all workers there?  They are started at the first time. */
static bool
workers_are_ready(MsApply *apply)
{
	MsParallel *p = apply->parallel;

	if (p->segment && pg_atomic_read_u32(&p->shared->failed))
		let_workers_go(p);
	if (p->ready)
		return true;
	if (p->segment == NULL)
	{
		if (p->not_before != 0 && ms_clock_now() < p->not_before)
			return false;
		ms_apply_commit(apply);
		start_workers(apply);
		return false;
	}
	for (int i = 0; i < p->nmembers; i++)
	{
		pid_t		pid;

		if (pg_atomic_read_u32(&p->shared->members[i].state) == MS_MEMBER_READY)
			continue;
		if (GetBackgroundWorkerPid(p->members[i].handle, &pid) == BGWH_STOPPED)
			let_workers_go(p);
		return false;
	}
	p->ready = true;
	ereport(LOG,
			(errmsg("subscription \"%s\" has %d parallel apply workers",
					apply->sub->name, p->nmembers)));
	return true;
}

/* Take over what they have counted. */
static void
add_counters(MsApply *apply)
{
	MsParallel *p = apply->parallel;

	for (int i = 0; i < p->nmembers; i++)
	{
		Member	   *member = &p->members[i];

		for (int j = 0; j < MS_NUM_COUNTERS; j++)
		{
			uint64		now = p->shared->members[i].counters[j];

			if (now == member->counted[j])
				continue;
			apply->counters[j] += now - member->counted[j];
			member->counted[j] = now;
			apply->stats_dirty = true;
		}
	}
}

/*
 * A worker has given up: nothing in flight will be committed.  We start over,
 * and apply one by one up to the last transaction we have seen.
 */
pg_noreturn_compat static void
work_is_lost(MsApply *apply)
{
	add_counters(apply);
	ms_shmem_report(NULL, NULL, NULL, NULL, 0, 0, apply->counters, false);
	ms_shmem_parallel_set_distrust(ms_shmem_parallel_distrust() + 1);
	ms_apply_start_over(apply, "a parallel apply worker has ended");
	pg_unreachable();
}

/* Do they all still work? */
void
ms_parallel_check(MsApply *apply)
{
	MsParallel *p = apply->parallel;

	if (ms_parallel_is_on(p) &&
		unlikely(pg_atomic_read_u32(&p->shared->failed) != 0))
		work_is_lost(apply);
}

static void
send_message(MsApply *apply, int member, const MsMessage *message,
			 const void *first, Size first_len, const void *second,
			 Size second_len, bool flush)
{
	MsParallel *p = apply->parallel;
	shm_mq_iovec parts[3] = {
		{(const char *) message, sizeof(MsMessage)},
		{first, first_len},
		{second, second_len},
	};

	if (shm_mq_sendv(p->members[member].queue, parts,
					 second_len > 0 ? 3 : first_len > 0 ? 2 : 1,
					 false, flush) != SHM_MQ_SUCCESS)
		work_is_lost(apply);
}

static uint64
last_committed(const MsParallel *p)
{
	return pg_atomic_read_u64(&p->shared->committed);
}

/*
 * The latch is to be set when this group is committed.  True when it is
 * already.
 */
static bool
ask_for_wakeup(MsParallel *p, uint64 group)
{
	pg_atomic_write_u64(&p->shared->leader_waits_for, group);
	pg_memory_barrier();
	if (last_committed(p) < group)
		return false;
	pg_atomic_write_u64(&p->shared->leader_waits_for, 0);
	return true;
}

static void
await_commit(MsApply *apply, uint64 group)
{
	static uint32 wait_event = 0;
	MsParallel *p = apply->parallel;

	if (wait_event == 0)
		wait_event = wait_event_compat("MariadbSyncParallelApply");
	for (;;)
	{
		ms_parallel_check(apply);
		if (ask_for_wakeup(p, group))
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
						 wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ------------------------------------------------------------------------
 * The group
 * ------------------------------------------------------------------------
 */

/*
 * Who gets the group that begins with the transaction at hand?  Whoever has
 * what it would wait for, if that was handed out just now; or else whoever
 * will be free first.
 */
static int
choose_member(const MsParallel *p)
{
	int			best = 0;

	if (p->after > last_committed(p) &&
		p->after + p->nmembers >= p->group)
		return p->owners[p->after % OWNERS];
	for (int i = 1; i < p->nmembers; i++)
		if (p->members[i].last_group < p->members[best].last_group)
			best = i;
	return best;
}

static void
open_group(MsParallel *p)
{
	p->group++;
	p->group_open = true;
	p->member = -1;
	p->transactions = 0;
	p->rows = 0;
	p->bytes = p->unflushed = 0;
	p->group_started = ms_clock_now();
}

/* Nothing will be added: its worker may commit it. */
static void
close_group(MsApply *apply)
{
	MsParallel *p = apply->parallel;
	MsMessage	message = {.kind = MS_MESSAGE_COMMIT};
	MsCommitMessage commit;
	char	   *gtid;

	p->group_open = false;
	if (p->member < 0)
	{
		/* no worker has heard of it */
		p->group--;
		return;
	}
	gtid = ms_gtid_format_list(&apply->position.gtid);
	memset(&commit, 0, sizeof(commit));
	commit.source_time = apply->source_time;
	commit.pos = apply->position.pos;
	strlcpy(commit.file, apply->position.file, MS_FILE_NAME_MAX);
	message.group = p->group;
	send_message(apply, p->member, &message, &commit, sizeof(commit), gtid,
				 strlen(gtid) + 1, true);
	add_counters(apply);
	ms_shmem_report(gtid, NULL, NULL, NULL, 0, 0, apply->counters, false);
	pfree(gtid);
	(void) ms_apply_flush_stats(apply);
}

static bool
group_is_full(const MsApply *apply)
{
	const MsParallel *p = apply->parallel;

	return p->transactions >= apply->options->commit_max_transactions ||
		p->rows >= apply->options->commit_max_rows ||
		p->bytes >= MAX_GROUP_BYTES ||
		TimestampDifferenceExceeds(p->group_started, ms_clock_now(),
								   apply->options->commit_max_delay);
}

/* The transaction at hand is complete: its worker gets it. */
static void
send_transaction(MsApply *apply, const MsEvent *event)
{
	MsParallel *p = apply->parallel;
	MsMessage	message = {.kind = MS_MESSAGE_TRANSACTION};
	bool		flush;

	p->gathering = false;
	ms_gtid_update(&apply->position.gtid, &apply->gtid.gtid);
	strlcpy(apply->position.file, apply->current_file, MS_FILE_NAME_MAX);
	apply->position.pos = event->next_pos;

	if (p->member < 0)
	{
		p->member = choose_member(p);
		p->members[p->member].last_group = p->group;
		p->owners[p->group % OWNERS] = p->member;
	}
	p->unflushed += p->events.len;
	flush = p->unflushed >= FLUSH_BYTES;
	message.group = p->group;
	message.after = p->after;
	p->dependent += p->after > last_committed(p);
	send_message(apply, p->member, &message, p->events.data, p->events.len,
				 NULL, 0, flush);
	if (flush)
		p->unflushed = 0;
	p->bytes += p->events.len;
	p->transactions++;
	p->together++;
	p->backlog++;
	if (group_is_full(apply))
		close_group(apply);
}

/* ------------------------------------------------------------------------
 * To and fro
 * ------------------------------------------------------------------------
 */

/*
 * A source transaction has been applied alone.  Is it time to call for the
 * others?
 */
bool
ms_parallel_is_wanted(MsApply *apply)
{
	MsParallel *p = apply->parallel;

	p->backlog++;
	if (p->alone > 0)
	{
		p->alone--;
		return false;
	}
	return p->backlog >= BACKLOG_TRANSACTIONS && !apply->single &&
		!apply->careful && apply->careful_gtid[0] == '\0' &&
		ms_snapshot_settled() && workers_are_ready(apply);
}

/* From here on together.  Nothing may be open. */
void
ms_parallel_enter(MsApply *apply)
{
	MsParallel *p = apply->parallel;
	uint64		signature = ms_relmap_signature(apply->relmap);
	bool		reload = signature != p->signature;

	Assert(!p->on && !apply->group_open && !apply->in_transaction);
	p->origin = replorigin_session_origin;
	replorigin_session_reset();
	replorigin_session_origin = InvalidRepOriginId;
	p->shared->origin = p->origin;
	p->shared->position_row = ms_catalog_position_row();
	p->on = true;
	p->together = p->dependent = 0;
	p->first_group = p->group + 1;
	p->gathering = p->group_open = false;

	for (int i = 0; i < p->nmembers; i++)
	{
		MsMessage	message = {.kind = MS_MESSAGE_RELOAD};

		if (reload)
			send_message(apply, i, &message, NULL, 0, NULL, 0, false);
		message.kind = MS_MESSAGE_FORMAT;
		if (reload || p->format != apply->format_serial)
			send_message(apply, i, &message, apply->current_file,
						 MS_FILE_NAME_MAX, apply->format.data,
						 apply->format.len, false);
	}
	p->signature = signature;
	p->format = apply->format_serial;
}

/* For those who want to know what it was good for. */
static void
tell_what_was_done(const MsApply *apply)
{
	const MsParallel *p = apply->parallel;
	uint64		key_waits = 0;
	uint64		turn_waits = 0;

	for (int i = 0; i < p->nmembers; i++)
	{
		key_waits += p->shared->members[i].key_waits;
		turn_waits += p->shared->members[i].turn_waits;
	}
	ereport(DEBUG1,
			(errmsg_internal("subscription \"%s\" has applied " INT64_FORMAT " transactions in parallel",
							 apply->sub->name, p->together),
			 errdetail_internal("In " UINT64_FORMAT " groups; " INT64_FORMAT " depended on groups in flight; since their start workers have slept " UINT64_FORMAT " times for a key and " UINT64_FORMAT " times for their turn.",
								p->group + 1 - p->first_group, p->dependent,
								key_waits, turn_waits)));
}

/* Wait until all is committed; from here on alone. */
void
ms_parallel_leave(MsApply *apply)
{
	MsParallel *p = apply->parallel;
	MsPositionRow row;

	Assert(!p->gathering);
	if (p->group_open)
		close_group(apply);
	await_commit(apply, p->group);
	p->on = false;
	row = p->shared->position_row;
	ms_catalog_set_position_row(&row);
	replorigin_session_setup_compat(p->origin);
	replorigin_session_origin = p->origin;
	add_counters(apply);
	apply->gtid_text[0] = '\0';
	p->proved += p->together;
	if (p->proved >= TRUSTED_TRANSACTIONS && ms_shmem_parallel_distrust() > 0)
		ms_shmem_parallel_set_distrust(0);
	tell_what_was_done(apply);
}

/*
 * The stream has run dry between transactions.  True when nothing is in
 * flight any more; otherwise the latch will be set.
 */
bool
ms_parallel_rest(MsApply *apply)
{
	MsParallel *p = apply->parallel;
	uint64		committed;

	if (!p->on)
	{
		p->backlog = 0;
		return true;
	}
	ms_parallel_check(apply);
	committed = last_committed(p);
	/* while all have something to do, more may come for the group */
	if (p->group_open && p->group - 1 - committed < (uint64) p->nmembers)
		close_group(apply);
	if (p->group_open || !ask_for_wakeup(p, p->group))
	{
		if (!p->group_open || !ask_for_wakeup(p, committed + 1))
			return false;
		/* something was committed meanwhile: look again */
		return ms_parallel_rest(apply);
	}
	ms_parallel_leave(apply);
	p->backlog = 0;
	return true;
}

/*
 * The transaction at hand is not for workers: let them finish, then do it
 * alone from its first event on.  data is the event that said so.
 */
static void
step_aside(MsApply *apply, const uint8 *data, size_t len)
{
	MsParallel *p = apply->parallel;
	bool		gathered = p->gathering;

	p->gathering = false;
	ms_parallel_leave(apply);
	if (p->together >= WORTHWHILE_TRANSACTIONS)
		p->interruptions = 0;
	else
	{
		p->alone = INT64CONST(50) << p->interruptions;
		p->interruptions = Min(p->interruptions + 1, 8);
	}
	for (int at = 0; gathered && at < p->events.len;)
	{
		uint32		size;

		memcpy(&size, p->events.data + at, sizeof(size));
		at += sizeof(size);
		/* it is counted again */
		apply->counters[MS_CNT_BYTES_RECEIVED] -= size;
		ms_apply_event_alone(apply, (uint8 *) p->events.data + at, size);
		at += size;
	}
	ms_apply_event_alone(apply, data, len);
}

/* ------------------------------------------------------------------------
 * Events
 * ------------------------------------------------------------------------
 */

static Verdict
begin_transaction(MsApply *apply, const MsEvent *event)
{
	MsParallel *p = apply->parallel;

	if (p->gathering ||
		(event->gtid.flags2 & (MS_GTID_STANDALONE | MS_GTID_DDL |
							   MS_GTID_PREPARED_XA | MS_GTID_COMPLETED_XA)))
		return EVENT_ALONE;
	apply->gtid = event->gtid;
	ms_gtid_format(&apply->gtid.gtid, apply->gtid_text);
	if (apply->sub->skip_gtid &&
		strcmp(apply->sub->skip_gtid, apply->gtid_text) == 0)
		return EVENT_ALONE;
	if (event->timestamp != 0)
		apply->source_time = time_t_to_timestamptz((pg_time_t) event->timestamp) +
			apply->clock_offset;
	if (!p->group_open)
		open_group(p);
	p->gathering = true;
	p->after = 0;
	resetStringInfo(&p->events);
	return EVENT_KEPT;
}

static Verdict
look_at_rows(MsApply *apply, const MsRowsEvent *rows)
{
	MsParallel *p = apply->parallel;
	MapEntry   *entry;
	TablePlan  *plan;

	if (rows->table_id == MS_DUMMY_TABLE_ID ||
		rows->table_id == MS_DUMMY_TABLE_ID_SHORT)
		return EVENT_DROPPED;
	entry = ms_relmap_find(apply->relmap, rows->table_id);
	plan = entry->plan;
	if (entry->sequence || entry->matches ||
		ms_cascade_concerns(plan ? plan->cascade : entry->watched, rows))
		return EVENT_ALONE;
	if (plan == NULL || plan->sub->state == MS_TABLE_DISABLED)
		return EVENT_DROPPED;
	if (plan->sub->state != MS_TABLE_READY ||
		ms_keys_bind(apply->relmap, plan, entry) == MS_TOGETHER_NEVER ||
		(int) rows->ncolumns != plan->format.ncolumns)
		return EVENT_ALONE;
	p->rows += ms_keys_touch(plan, rows, p->window, p->group, &p->after);
	return EVENT_KEPT;
}

/*
 * Of statements within a transaction, its end if there is no XID event, and
 * savepoints: those that are gone back to tell so later.
 */
static Verdict
look_at_query(const MsQueryEvent *query)
{
	static const char savepoint[] = "SAVEPOINT ";
	Size		len = strlen(savepoint);

	if (query->sql_len == strlen("COMMIT") &&
		memcmp(query->sql, "COMMIT", query->sql_len) == 0)
		return EVENT_ENDS;
	return query->sql_len > len && memcmp(query->sql, savepoint, len) == 0 ?
		EVENT_KEPT : EVENT_ALONE;
}

static Verdict
look_at_event(MsApply *apply, const MsEvent *event)
{
	if (event->type == MS_EVENT_GTID)
		return begin_transaction(apply, event);
	switch ((MsEventType) event->type)
	{
		case MS_EVENT_ANNOTATE_ROWS:
		case MS_EVENT_GTID_LIST:
		case MS_EVENT_BINLOG_CHECKPOINT:
			return EVENT_DROPPED;
		default:
			break;
	}
	if (!apply->parallel->gathering)
		return EVENT_ALONE;
	switch ((MsEventType) event->type)
	{
		case MS_EVENT_TABLE_MAP:
			if (!ms_relmap_is_linked(apply->relmap))
				ms_cascade_link(apply->relmap);
			ms_relmap_table_map(apply->relmap, &event->table_map);
			return ms_relmap_find(apply->relmap,
								  event->table_map.table_id)->plan ?
				EVENT_KEPT : EVENT_DROPPED;
		case MS_EVENT_WRITE_ROWS:
		case MS_EVENT_UPDATE_ROWS:
		case MS_EVENT_DELETE_ROWS:
		case MS_EVENT_WRITE_ROWS_COMPRESSED:
		case MS_EVENT_UPDATE_ROWS_COMPRESSED:
		case MS_EVENT_DELETE_ROWS_COMPRESSED:
			return look_at_rows(apply, &event->rows);
		case MS_EVENT_QUERY:
			return look_at_query(&event->query);
		case MS_EVENT_XID:
			return EVENT_ENDS;
		default:
			return EVENT_ALONE;
	}
}

/*
 * The same without an error: whatever is wrong is found again, and told, when
 * the transaction is done alone.
 */
static Verdict
look_at_bytes(MsApply *apply, const uint8 *data, size_t len, MsEvent *event)
{
	volatile Verdict verdict = EVENT_ALONE;

	PG_TRY();
	{
		ms_event_parse(&apply->parser, data, len, event);
		verdict = look_at_event(apply, event);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(apply->event_cxt);
		ereport(DEBUG1,
				(errmsg_internal("subscription \"%s\" applies transaction %s alone after an error",
								 apply->sub->name, apply->gtid_text)));
		FlushErrorState();
		if (IsTransactionState())
			AbortCurrentTransaction();
		ms_relmap_abort(apply->relmap);
		ms_value_changes.ignore = false;
		MemoryContextSwitchTo(apply->event_cxt);
	}
	PG_END_TRY();
	return verdict;
}

/*
 * Take one event from the stream.  False when it is to be applied here and
 * now, by the caller.
 */
bool
ms_parallel_take(MsApply *apply, const uint8 *data, size_t len)
{
	MsParallel *p = apply->parallel;
	MsEvent		event;
	uint32		size = len;
	Verdict		verdict;

	if (!p->on)
		return false;
	ms_parallel_check(apply);
	MemoryContextSwitchTo(apply->event_cxt);
	verdict = look_at_bytes(apply, data, len, &event);
	if (verdict != EVENT_ALONE && verdict != EVENT_DROPPED &&
		p->events.len + len > MS_MAX_GATHERED)
		verdict = EVENT_ALONE;
	if (verdict == EVENT_ALONE)
	{
		step_aside(apply, data, len);
		return true;
	}
	apply->counters[MS_CNT_BYTES_RECEIVED] += len;
	if (verdict != EVENT_DROPPED)
	{
		appendBinaryStringInfo(&p->events, (char *) &size, sizeof(size));
		appendBinaryStringInfo(&p->events, (const char *) data, len);
	}
	if (verdict == EVENT_ENDS)
		send_transaction(apply, &event);
	MemoryContextReset(apply->event_cxt);
	return true;
}
