/*
 * worker.h - the apply worker's process.
 */
#ifndef MS_WORKER_H
#define MS_WORKER_H

#include "postmaster/bgworker.h"

extern void ms_worker_disable_timeouts(void);
extern void ms_worker_init_process(void);
extern void ms_worker_handle_sigterm(SIGNAL_ARGS);
extern void ms_worker_init_session(bool synchronous_commit);
extern void ms_worker_init_apply_session(bool synchronous_commit);
typedef void (*MsWorkerStep) (void *arg);

extern bool ms_worker_try(MsWorkerStep step, void *arg, char **error);
extern bool ms_worker_is_transient(int sqlerrcode);
extern char *ms_worker_error_text(const ErrorData *edata);
extern void ms_worker_fill(BackgroundWorker *worker, const char *function,
						   const char *name, Datum arg);

extern PGDLLEXPORT void ms_apply_worker_main(Datum arg);
extern PGDLLEXPORT void ms_launcher_main(Datum arg);
extern PGDLLEXPORT void ms_scout_main(Datum arg);

#endif							/* MS_WORKER_H */
