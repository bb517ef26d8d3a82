/*
 * mapping.h - the target table of each source table.
 */
#ifndef MS_MAPPING_H
#define MS_MAPPING_H

#include "nodes/pg_list.h"

#include "catalog.h"
#include "options.h"
#include "remote_schema.h"

typedef struct MsMapping
{
	MsSourceTable *source;
	char	   *schema;			/* of the target */
	char	   *relname;
	Oid			relid;
	Jsonb	   *columns;		/* options of single columns, or NULL */
	bool		created;		/* by us, so its indexes are ours to make */
	bool		foreign_keys_wait;	/* until all tables are ready */
} MsMapping;

extern List *ms_mapping_make(List *tables,
							 const MsSubscriptionOptions *options);

extern MsMapping *ms_mapping_make_one(MsSourceTable *table, Oid target,
									  Jsonb *columns,
									  const MsSubscriptionOptions *options);
extern MsMapping *ms_mapping_make_joining(MsSourceTable *table, List *taken,
										  const MsSubscriptionOptions *options);
extern MsMapping *ms_mapping_make_failed(MsSourceTable *table, List *taken,
										 const MsSubscriptionOptions *options);
extern void ms_mapping_finish(List *mappings,
							  const MsSubscriptionOptions *options);
extern void ms_mapping_record(int32 subid, const MsMapping *mapping,
							  MsTableState state);

#endif							/* MS_MAPPING_H */
