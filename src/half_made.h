/*
 * half_made.h - indexes that were left half made.
 */
#ifndef MS_HALF_MADE_H
#define MS_HALF_MADE_H

#include "catalog.h"

extern List *ms_half_made_indexes(const MsSubTable *table);
extern void ms_half_made_drop(const MsSubscription *sub,
							  const MsSubTable *table, bool run_as_owner);

#endif							/* MS_HALF_MADE_H */
