/*
 * sequence.h - the source's SEQUENCE objects as PostgreSQL's.
 */
#ifndef MS_SEQUENCE_H
#define MS_SEQUENCE_H

#include "catalog.h"
#include "event.h"
#include "options.h"
#include "wire.h"

extern bool ms_sequence_map(int32 subid, List *tables,
							const MsSubscriptionOptions *options,
							MsWire *wire);
extern bool ms_sequence_refresh(const MsSubscription *sub, List *tables,
								const MsSubscriptionOptions *options,
								MsWire *wire);
extern void ms_sequence_apply(const MsSequence *sequence,
							  const MsTableMapEvent *map,
							  const MsRowsEvent *rows);
extern int	ms_sequence_move_identities(Oid relid, bool by_index);
extern bool ms_sequence_is_statement(const char *sql, size_t len);

#endif							/* MS_SEQUENCE_H */
