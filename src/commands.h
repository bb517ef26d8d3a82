/*
 * commands.h - what the functions of a user's session share.
 */
#ifndef MS_COMMANDS_H
#define MS_COMMANDS_H

#include "utils/array.h"

#include "catalog.h"
#include "options.h"

extern void ms_check_preloaded(void);
extern List *ms_patterns_from_array(ArrayType *array);
extern void ms_load_server(const char *name, Oid userid,
						   MsServerOptions *options);
extern MsSubscription *ms_find_visible_subscription(const char *name);
extern bool ms_start_is_pending(int32 subid);

#endif							/* MS_COMMANDS_H */
