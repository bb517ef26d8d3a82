/*
 * commands.h - what the functions of a user's session share.
 */
#ifndef MS_COMMANDS_H
#define MS_COMMANDS_H

#include "storage/lockdefs.h"
#include "utils/array.h"

#include "catalog.h"
#include "options.h"

extern void ms_check_preloaded(void);
extern List *ms_patterns_from_array(ArrayType *array);
extern void ms_load_server(const char *name, Oid userid,
						   MsServerOptions *options);
extern MsSubscription *ms_find_visible_subscription(const char *name);
extern void ms_check_may_write(const char *function);
extern MsSubscription *ms_lock_own_subscription(const char *name,
												LOCKMODE mode,
												bool missing_ok);
extern void ms_notify_at_commit(int32 subid);
extern void ms_restart_failed_at_commit(int32 subid);
extern bool ms_start_is_pending(int32 subid);

#endif							/* MS_COMMANDS_H */
