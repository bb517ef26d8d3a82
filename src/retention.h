/*
 * retention.h - does the source still keep the binlogs that we need?
 */
#ifndef MS_RETENTION_H
#define MS_RETENTION_H

#include "catalog.h"
#include "wire.h"

extern void ms_retention_check(MsWire *wire, const MsSubscription *sub,
							   const char *needed);

#endif							/* MS_RETENTION_H */
