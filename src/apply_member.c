/*
 * apply_member.c - a parallel worker of the apply worker.
 *
 * Gets source transactions from the apply worker (apply_parallel.c) and
 * applies them with the same code, as an apply worker whose stream is a queue
 * in shared memory.  When it is told that its group is complete, it waits for
 * its turn, commits with the group's position and gives the turn to the next.
 *
 * It decides nothing: after an error, or at what could be a conflict with
 * others in flight, it says that it has failed and ends.  Everybody who waits
 * looks for that.
 *
 * Waiting for the turn is no lock, so that the deadlock detector does not see
 * it.  The worker whose turn it is may wait for a row that one of us holds,
 * if it was not known that they touch the same.  Who waits for long looks
 * whether it is in the way itself.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "replication/origin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "apply_parallel_internal.h"
#include "crash_guard.h"
#include "deadlock.h"
#include "worker.h"

struct MsMember
{
	MsParallelShared *shared;
	MsMemberShared *me;
	shm_mq_handle *queue;
	uint64		group;			/* being applied; 0 = none */

	/* made anew when the leader says so */
	MemoryContext cxt;
	MsSubscription *sub;
	MsSubscriptionOptions options;
	MsRelmap   *relmap;
	MsApply    *apply;
	uint64		counters[MS_NUM_COUNTERS];
};

static MsMember member;
static Oid	my_dboid;
static int32 my_subid;

Size
ms_parallel_segment_size(int nmembers)
{
	Size		size = offsetof(MsParallelShared, members);

	size = add_size(size, mul_size(nmembers, sizeof(MsMemberShared)));
	return add_size(MAXALIGN(size), mul_size(nmembers, MS_QUEUE_SIZE));
}

shm_mq *
ms_parallel_queue(MsParallelShared *shared, int i)
{
	/* queues are at the end: everybody counts from what was asked for */
	return (shm_mq *) ((char *) shared +
					   ms_parallel_segment_size(shared->nslots) -
					   (shared->nslots - i) * MS_QUEUE_SIZE);
}

/*
 * Something has been committed, or has failed: wake those who wait for it.
 */
void
ms_parallel_wake(MsParallelShared *shared)
{
	bool		failed = pg_atomic_read_u32(&shared->failed) != 0;
	uint64		committed = pg_atomic_read_u64(&shared->committed);
	uint64		waits_for;

	pg_memory_barrier();
	for (int i = 0; i < shared->nmembers; i++)
	{
		MsMemberShared *other = &shared->members[i];

		if (pg_atomic_read_u32(&other->state) != MS_MEMBER_READY)
			continue;
		waits_for = pg_atomic_read_u64(&other->waits_for);
		if (failed || (waits_for != 0 && waits_for <= committed))
			SetLatch(other->latch);
	}
	waits_for = pg_atomic_read_u64(&shared->leader_waits_for);
	if (failed || (waits_for != 0 && waits_for <= committed))
		SetLatch(shared->leader_latch);
}

/* Nothing more is committed. */
static void
give_up(void)
{
	pg_atomic_write_u32(&member.shared->failed, 1);
	ms_parallel_wake(member.shared);
}

/* What is in the way of one is in the way of all. */
static void
end_if_failed(void)
{
	if (pg_atomic_read_u32(&member.shared->failed) != 0)
		proc_exit(0);
}

/*
 * The transaction is to be repeated by the apply worker, alone.
 */
void
ms_member_hand_back(const MsApply *apply, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("transaction %s has to be applied alone: %s",
					apply->gtid_text, why)));
}

/* ------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------
 */

/* The process whose group is next, or 0. */
static int
whose_turn(void)
{
	uint64		next = pg_atomic_read_u64(&member.shared->committed) + 1;

	for (int i = 0; i < member.shared->nmembers; i++)
	{
		MsMemberShared *other = &member.shared->members[i];

		if (pg_atomic_read_u64(&other->group) == next)
			return other->pid;
	}
	return 0;
}

/* Wait until this group is committed; counts the times that we sleep. */
static void
await_commit(uint64 group, uint64 *sleeps)
{
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = wait_event_compat("MariadbSyncCommitOrder");
	for (;;)
	{
		int			rc;
		int			pid;

		end_if_failed();
		pg_atomic_write_u64(&member.me->waits_for, group);
		pg_memory_barrier();
		if (pg_atomic_read_u64(&member.shared->committed) >= group)
			break;
		(*sleeps)++;
		rc = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					   DeadlockTimeout, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if ((rc & WL_TIMEOUT) && (pid = whose_turn()) != 0 &&
			pid != MyProcPid && ms_waits_for_me(pid))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_DEADLOCK_DETECTED),
					 errmsg("deadlock between parallel apply workers"),
					 errdetail("Process %d is to commit first and waits for process %d, which waits for its turn.",
							   pid, MyProcPid)));
	}
	pg_atomic_write_u64(&member.me->waits_for, 0);
}

/*
 * All is written; now nobody commits before us.  The position row and the
 * replication origin go with the turn.
 */
void
ms_member_await_turn(MsMember *m)
{
	MsPositionRow row;

	await_commit(m->group - 1, &m->me->turn_waits);
	row = m->shared->position_row;
	ms_catalog_set_position_row(&row);
	replorigin_session_setup_compat(m->shared->origin);
	replorigin_session_origin = m->shared->origin;
}

/* The group is committed: tell, and pass the turn on. */
void
ms_member_committed(MsMember *m, const MsApply *apply, TimestampTz now)
{
	char	   *gtid = ms_gtid_format_list(&apply->position.gtid);

	replorigin_session_reset();
	replorigin_session_origin = InvalidRepOriginId;
	m->shared->position_row = ms_catalog_position_row();
	memcpy(m->me->counters, m->counters, sizeof(m->counters));
	ms_shmem_parallel_report(gtid, apply->position.file, apply->position.pos,
							 now, apply->source_time);
	pfree(gtid);
	pg_memory_barrier();
	pg_atomic_write_u64(&m->shared->committed, m->group);
	pg_memory_barrier();
	ms_parallel_wake(m->shared);
	m->group = 0;
	pg_atomic_write_u64(&m->me->group, 0);
	ms_crash_guard_progress();
}

/* ------------------------------------------------------------------------
 * Messages
 * ------------------------------------------------------------------------
 */

/* The catalog has changed, or is not known yet. */
static void
reload(void)
{
	List	   *tables;
	ListCell   *lc;

	if (member.apply)
	{
		ms_apply_save_stats(member.apply);
		ms_relmap_destroy(member.relmap);
	}
	/* what is current lies in there */
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(member.cxt);
	StartTransactionCommand();
	MemoryContextSwitchTo(member.cxt);
	member.sub = ms_catalog_get_subscription(my_subid);
	if (member.sub == NULL)
		proc_exit(0);
	/* what is asked of single transactions, the leader does */
	member.sub->skip_gtid = NULL;
	ms_options_parse(member.sub->options, &member.options);
	member.options.apply_workers = 0;
	tables = ms_catalog_get_tables(my_subid);
	CommitTransactionCommand();
	MemoryContextSwitchTo(member.cxt);

	ms_worker_init_apply_session(member.options.synchronous_commit);
	member.relmap = ms_relmap_create(member.sub, &member.options,
									 member.sub->owner);
	foreach(lc, tables)
		ms_relmap_add(member.relmap, lfirst(lc));
	member.apply = ms_apply_create_member(member.sub, &member.options,
										  member.relmap, member.counters,
										  &member);
}

static void
apply_transaction(const MsMessage *message, const char *p, const char *end)
{
	if (message->group != member.group)
	{
		member.group = message->group;
		pg_atomic_write_u64(&member.me->group, message->group);

		/*
		 * The rows' WAL must tell that they are not from here.  The origin
		 * itself comes with the turn: until then it is not ours, and the end
		 * of a subtransaction in somebody's function would move it on.
		 */
		replorigin_session_origin = DoNotReplicateId;
	}
	if (message->after > pg_atomic_read_u64(&member.shared->committed))
		await_commit(message->after, &member.me->key_waits);
	while (p < end)
	{
		uint32		size;

		memcpy(&size, p, sizeof(size));
		p += sizeof(size);
		ms_apply_event_alone(member.apply, (const uint8 *) p, size);
		p += size;
		CHECK_FOR_INTERRUPTS();
	}
}

static void
commit(const MsCommitMessage *message, const char *gtid)
{
	MsStreamPosition position;

	MemoryContextSwitchTo(member.cxt);
	ms_gtid_init(&position.gtid);
	ms_gtid_parse_list_or_error(gtid, &position.gtid);
	strlcpy(position.file, message->file, MS_FILE_NAME_MAX);
	position.pos = message->pos;
	ms_apply_commit_at(member.apply, &position, message->source_time);
	pfree(position.gtid.items);
}

static void
act_on_message(const char *data, Size len)
{
	const MsMessage *message = (const MsMessage *) data;
	const char *body = data + sizeof(MsMessage);

	switch (message->kind)
	{
		case MS_MESSAGE_RELOAD:
			reload();
			break;
		case MS_MESSAGE_FORMAT:
			strlcpy(member.apply->current_file, body, MS_FILE_NAME_MAX);
			body += MS_FILE_NAME_MAX;
			ms_apply_event_alone(member.apply, (const uint8 *) body,
								 data + len - body);
			break;
		case MS_MESSAGE_TRANSACTION:
			apply_transaction(message, body, data + len);
			break;
		case MS_MESSAGE_COMMIT:
			commit((const MsCommitMessage *) body,
				   body + sizeof(MsCommitMessage));
			break;
	}
}

/* Nothing to do: save what is counted by table, when it is time. */
static void
rest(void)
{
	static uint32 wait_event = 0;
	long		timeout = -1;

	if (wait_event == 0)
		wait_event = wait_event_compat("MariadbSyncParallelIdle");
	end_if_failed();
	if (member.apply && member.group == 0)
		timeout = ms_apply_flush_stats(member.apply);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
					 (timeout >= 0 ? WL_TIMEOUT : 0), timeout,
					 wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* ------------------------------------------------------------------------
 * The process
 * ------------------------------------------------------------------------
 */

/* Callback, before what is open is undone: an abort is no progress. */
static void
forget_origin(int code pg_attribute_unused(), Datum arg pg_attribute_unused())
{
	replorigin_session_origin = InvalidRepOriginId;
}

/* Callback: whatever the reason, what we had in flight is lost. */
static void
tell_of_end(dsm_segment *segment pg_attribute_unused(), Datum arg pg_attribute_unused())
{
	give_up();
	pg_atomic_write_u32(&member.me->state, MS_MEMBER_GONE);
}

static void
attach(dsm_segment *segment, int number)
{
	shm_mq	   *queue;

	member.shared = dsm_segment_address(segment);
	member.me = &member.shared->members[number];
	on_dsm_detach(segment, tell_of_end, (Datum) 0);
	queue = ms_parallel_queue(member.shared, number);
	shm_mq_set_receiver(queue, MyProc);
	member.queue = shm_mq_attach(queue, segment, NULL);
	member.me->latch = MyLatch;
	member.me->pid = MyProcPid;
	pg_memory_barrier();
	pg_atomic_write_u32(&member.me->state, MS_MEMBER_READY);
	SetLatch(member.shared->leader_latch);
}

pg_noreturn_compat static void
main_loop(void)
{
	for (;;)
	{
		Size		len;
		void	   *data;

		switch (shm_mq_receive(member.queue, &len, &data, true))
		{
			case SHM_MQ_SUCCESS:
				act_on_message(data, len);
				break;
			case SHM_MQ_WOULD_BLOCK:
				rest();
				break;
			case SHM_MQ_DETACHED:
				/* the apply worker has ended */
				proc_exit(0);
		}
		CHECK_FOR_INTERRUPTS();
	}
}

/* It is repeated by the apply worker, and told there if it happens again. */
static void
log_failure(const ErrorData *edata)
{
	ereport(LOG,
			(errmsg("a parallel apply worker of subscription \"%s\" has failed: %s",
					member.sub ? member.sub->name : "?", edata->message),
			 edata->detail ? errdetail_internal("%s", edata->detail) : 0,
			 edata->context ? errcontext("%s", edata->context) : 0));
}

/*
 * Entry point.  arg is the slot and the worker's number in it.
 */
void
ms_parallel_worker_main(Datum arg)
{
	int			slot = DatumGetInt32(arg) / MS_MAX_APPLY_WORKERS;
	int			number = DatumGetInt32(arg) % MS_MAX_APPLY_WORKERS;
	MsMemberExtra extra;
	dsm_segment *segment;

	ms_worker_init_process();
	memcpy(&extra, MyBgworkerEntry->bgw_extra, sizeof(extra));
	if (!ms_shmem_parallel_attach(slot, number, extra.leader, &my_dboid,
								  &my_subid))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(my_dboid, InvalidOid, 0);
	before_shmem_exit(forget_origin, (Datum) 0);
	ms_crash_guard_enter(my_dboid, my_subid, MS_GUARD_PARALLEL_WORKER(number));

	segment = dsm_attach(extra.segment);
	if (segment == NULL)
		proc_exit(0);
	dsm_pin_mapping(segment);
	MemoryContextSwitchTo(TopMemoryContext);
	member.cxt = AllocSetContextCreate(TopMemoryContext,
									   "mariadb_sync parallel worker",
									   ALLOCSET_DEFAULT_SIZES);
	attach(segment, number);
	PG_TRY();
	{
		main_loop();
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		replorigin_session_origin = InvalidRepOriginId;
		MemoryContextSwitchTo(TopMemoryContext);
		edata = CopyErrorData();
		FlushErrorState();
		log_failure(edata);
		give_up();
		AbortOutOfAnyTransaction();
	}
	PG_END_TRY();
	proc_exit(0);
}
