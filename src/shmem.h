/*
 * shmem.h - the shared-memory slots: who runs, in which state, the counters.
 */
#ifndef MS_SHMEM_H
#define MS_SHMEM_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/latch.h"

#define MS_GTID_TEXT_MAX	2048
#define MS_ERROR_TEXT_MAX	1024
#define MS_FILE_NAME_MAX	256
#define MS_MAX_SNAPSHOT_WORKERS 16
#define MS_MAX_APPLY_WORKERS 32

/* The states of a subscription, see the drawing in src/README.md. */
typedef enum MsSubState
{
	MS_SUB_STOPPED,
	MS_SUB_STARTING,
	MS_SUB_SNAPSHOT,
	MS_SUB_CATCHUP,
	MS_SUB_STREAMING,
	MS_SUB_RETRYING,
	MS_SUB_ERROR
} MsSubState;

/* The counters of a subscription; their order is that of the stat table. */
typedef enum MsCounter
{
	MS_CNT_TRANSACTIONS,
	MS_CNT_INSERTS,
	MS_CNT_UPDATES,
	MS_CNT_DELETES,
	MS_CNT_TRUNCATES,
	MS_CNT_DDL,
	MS_CNT_BYTES_RECEIVED,
	MS_CNT_RECONNECTS,
	MS_CNT_APPLY_ERRORS,
	MS_CNT_SYNC_ERRORS,
	MS_CNT_CONFL_INSERT_EXISTS,
	MS_CNT_CONFL_UPDATE_MISSING,
	MS_CNT_CONFL_DELETE_MISSING,
	MS_CNT_VALUES_CHANGED,
	MS_NUM_COUNTERS
} MsCounter;

/* A copy of what a slot says, taken under the lock. */
/* Parts of a source transaction that it undid by ROLLBACK TO SAVEPOINT. */
#define MS_MAX_UNDONE	32

typedef struct MsUndone
{
	char		gtid[MS_GTID_TEXT_MAX];
	int			nranges;
	struct
	{
		uint32		first;		/* rows events by number, from 0 */
		uint32		end;
	}			ranges[MS_MAX_UNDONE];
} MsUndone;

typedef struct MsSlotView
{
	Oid			dboid;
	int32		subid;
	pid_t		pid;			/* 0 = no worker */
	MsSubState	state;
	bool		counters_valid; /* counters below were loaded by a worker */
	bool		idle;			/* everything received is applied, and the
								 * source had nothing more to send */
	char		received_gtid[MS_GTID_TEXT_MAX];
	char		applied_gtid[MS_GTID_TEXT_MAX];
	char		source_gtid[MS_GTID_TEXT_MAX];
	char		binlog_file[MS_FILE_NAME_MAX];
	uint64		binlog_pos;
	char		binlog_oldest[MS_FILE_NAME_MAX];	/* that the source keeps */
	int			binlog_reserve; /* files before binlog_file; -1 = unknown */
	TimestampTz last_msg_receipt_time;	/* 0 = never */
	TimestampTz last_commit_time;	/* 0 = never */
	TimestampTz applying_source_time;	/* when the source committed what is
										 * being applied, in our clock; 0 =
										 * unknown */
	TimestampTz started_at;		/* 0 = not running */
	uint64		counters[MS_NUM_COUNTERS];
	char		last_error[MS_ERROR_TEXT_MAX];
	char		last_error_gtid[MS_GTID_TEXT_MAX];
	TimestampTz last_error_time;	/* 0 = none */
	double		pause;			/* milliseconds that the stream stood still
								 * for the last verify() */
	TimestampTz pause_time;		/* 0 = never */
} MsSlotView;

/* What a snapshot worker is asked to do, and how far it is. */
typedef enum MsCopyState
{
	MS_COPY_FREE,				/* no worker */
	MS_COPY_STARTING,			/* worker registered, task set */
	MS_COPY_RUNNING,
	MS_COPY_DONE,				/* the worker waits for its next task */
	MS_COPY_FAILED,				/* leader has yet to look */
	MS_COPY_DISMISSED			/* the worker is to end */
} MsCopyState;

typedef enum MsCopyKind
{
	MS_COPY_KIND_PLAN,			/* cut the table into chunks */
	MS_COPY_KIND_CHUNK,			/* load one */
	MS_COPY_KIND_FINISH,		/* indexes, statistics; the table is ready */
	MS_COPY_KIND_HELP,			/* with the indexes */
	MS_COPY_KIND_CONSTRAINTS	/* foreign keys */
} MsCopyKind;

typedef enum MsCopyPhase
{
	MS_COPY_PHASE_STARTING,
	MS_COPY_PHASE_PLANNING,
	MS_COPY_PHASE_COPYING,
	MS_COPY_PHASE_INDEXING,
	MS_COPY_PHASE_CONSTRAINTS
} MsCopyPhase;

#define MS_NAME_MAX			256

typedef struct MsCopyTask
{
	MsCopyState state;
	MsCopyKind	kind;
	MsCopyPhase phase;
	pid_t		pid;
	int			chunk;			/* kind CHUNK */
	bool		one_chunk;		/* kind PLAN: do not cut */
	char		db[MS_NAME_MAX];
	char		table[MS_NAME_MAX];
	/* the snapshot must not be older than this position of the stream */
	char		floor_file[MS_FILE_NAME_MAX];
	uint64		floor_pos;
	char		floor_gtid[MS_GTID_TEXT_MAX];
	uint32		source_server_id;	/* the stream's server */
	int64		rows_done;
	int64		bytes_done;
	int			helpers;		/* kind FINISH: so many could help */
	uint64		values_changed; /* DONE */
	bool		collected;		/* DONE, and the leader knows */
	int			sqlerrcode;		/* FAILED */
	char		error[MS_ERROR_TEXT_MAX];	/* FAILED */
} MsCopyTask;

/* A copy of a running task, for the views. */
typedef struct MsCopyView
{
	int32		subid;
	MsCopyTask	task;
} MsCopyView;

/* How far verify() is with a table. */
typedef struct MsVerifyProgress
{
	Oid			dboid;
	int32		subid;
	pid_t		pid;			/* the session's; 0 = none */
	char		db[MS_NAME_MAX];
	char		table[MS_NAME_MAX];
	int64		rows_total;		/* an estimate */
	int64		rows_done;
	int64		chunks_total;
	int64		chunks_done;
	TimestampTz started_at;		/* with this table */
} MsVerifyProgress;

/* Why a worker ends, told before it does. */
typedef enum MsWorkerExit
{
	MS_EXIT_FAILED,				/* start again after the back-off */
	MS_EXIT_PARKED,				/* do not start again until asked to */
	MS_EXIT_RESTART				/* start again at once */
} MsWorkerExit;

extern void ms_shmem_init(void);	/* hooks, from _PG_init */
extern bool ms_shmem_available(void);
extern const char *ms_sub_state_name(MsSubState state);

/* Any session. */
extern bool ms_shmem_find(Oid dboid, int32 subid, MsSlotView *view);
extern List *ms_shmem_list(Oid dboid);	/* of MsSlotView *, palloc'd */
extern List *ms_shmem_list_copies(Oid dboid);	/* of MsCopyView * */
extern List *ms_shmem_list_verifies(Oid dboid); /* of MsVerifyProgress * */
extern void ms_shmem_verify_report(const MsVerifyProgress *progress);
extern void ms_shmem_verify_end(void);
extern void ms_shmem_report_pause(Oid dboid, int32 subid, double pause);
extern void ms_shmem_reserve(Oid dboid, int32 subid);
extern void ms_shmem_request_start(Oid dboid, int32 subid);
extern void ms_shmem_request_stop(Oid dboid, int32 subid);
extern void ms_shmem_notify_changed(Oid dboid, int32 subid);
extern bool ms_shmem_take_changed(void);
extern void ms_shmem_wait_stopped(Oid dboid, int32 subid);
extern void ms_shmem_reset_counters(Oid dboid, int32 subid);
extern void ms_shmem_forget(Oid dboid, int32 subid);
extern void ms_shmem_wait_progress(Oid dboid, int32 subid, uint64 *ticket,
								   long timeout_ms);
extern void ms_shmem_wait_progress_end(void);

/* The launcher. */
typedef struct MsDueWorker
{
	int			slot;
	Oid			dboid;
	int32		subid;
	uint32		launch;			/* which registration this is */
} MsDueWorker;

extern void ms_shmem_attach_launcher(void);
extern void ms_shmem_discover(Oid dboid, int32 subid);
extern void ms_shmem_set_scouted(bool scouted);
extern bool ms_shmem_scouted(void);
extern List *ms_shmem_due_workers(TimestampTz now, TimestampTz *next);
extern void ms_shmem_start_failed(int slot, const char *error);
extern void ms_shmem_launch_ended(int slot, uint32 launch);

/* The apply worker, on its own slot. */
extern bool ms_shmem_attach_worker(int slot, Oid *dboid, int32 *subid);
extern void ms_shmem_set_exit(MsWorkerExit kind);
extern void ms_shmem_set_state(MsSubState state);
extern MsSubState ms_shmem_get_state(void);
extern int	ms_shmem_failures(void);
extern void ms_shmem_load_counters(uint64 *counters);
extern void ms_shmem_report(const char *received, const char *applied,
							const char *source, const char *file, uint64 pos,
							TimestampTz commit_time, uint64 *counters,
							bool idle);
extern void ms_shmem_report_receipt(TimestampTz receipt_time,
									TimestampTz source_time);
extern void ms_shmem_report_retention(const char *oldest, int reserve);
extern void ms_shmem_report_error(const char *error, const char *gtid);
extern void ms_shmem_set_single(const char *until_gtid);
extern bool ms_shmem_get_single(char *until_gtid);
extern void ms_shmem_set_careful(const char *gtid);
extern bool ms_shmem_get_careful(char *gtid);
extern void ms_shmem_set_undone(const MsUndone *undone);
extern void ms_shmem_get_undone(MsUndone *undone);

/* The apply worker and its snapshot workers. */
extern bool ms_shmem_copy_assign(int worker, const MsCopyTask *task);
extern bool ms_shmem_copy_busy(int worker);
extern void ms_shmem_copy_dismiss(int worker);
extern bool ms_shmem_copy_next(MsCopyTask *task);
extern void ms_shmem_copy_get(int worker, MsCopyTask *task);
extern void ms_shmem_copy_set_collected(int worker);
extern void ms_shmem_copy_refuse_help(int worker);
extern void ms_shmem_copy_release(int worker);
extern bool ms_shmem_copy_cancel(int worker);
extern void ms_shmem_copy_set_floor(int worker, const char *file, uint64 pos);
extern void ms_shmem_copy_refresh_floor(MsCopyTask *task);
extern int	ms_shmem_my_slot(void);
extern bool ms_shmem_copy_attach(int slot, int worker, Oid *dboid,
								 int32 *subid, MsCopyTask *task);
extern void ms_shmem_copy_progress(MsCopyPhase phase, int64 rows, int64 bytes);
extern void ms_shmem_copy_want_help(int helpers);
extern void ms_shmem_copy_finish(bool ok, uint64 values_changed, int sqlerrcode,
								 const char *error);
extern void ms_shmem_copy_terminate_all(void);
extern bool ms_shmem_copy_is_quiet(const char *file, uint64 pos);
extern void ms_shmem_copy_set_quiet(const char *file, uint64 pos);

/* The apply worker and its parallel workers. */
extern bool ms_shmem_parallel_attach(int slot, int worker, pid_t leader,
									 Oid *dboid, int32 *subid);
extern void ms_shmem_parallel_wait_gone(void);
extern void ms_shmem_parallel_report(const char *applied, const char *file,
									 uint64 pos, TimestampTz commit_time,
									 TimestampTz source_time);
extern void ms_shmem_parallel_set_distrust(uint32 distrust);
extern uint32 ms_shmem_parallel_distrust(void);

#endif							/* MS_SHMEM_H */
