/*
 * join.h - tables that appear while the subscription runs.
 */
#ifndef MS_JOIN_H
#define MS_JOIN_H

#include "catalog.h"
#include "options.h"
#include "wire.h"

extern bool ms_join_new_tables(const MsSubscription *sub,
							   const MsSubscriptionOptions *options,
							   MsWire *wire);

#endif							/* MS_JOIN_H */
