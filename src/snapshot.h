/*
 * snapshot.h - the first copy.
 */
#ifndef MS_SNAPSHOT_H
#define MS_SNAPSHOT_H

#include "apply.h"
#include "wire.h"

extern void ms_snapshot_init(const MsSubscription *sub,
							 const MsSubscriptionOptions *options,
							 MsRelmap *relmap, MsWire *control,
							 uint32 source_server_id, uint64 *counters);
extern void ms_snapshot_lead(MsApply *apply);
extern void ms_snapshot_look_ahead(MsWire *control,
								   const MsStreamPosition *position);
extern bool ms_snapshot_take_over_tables(List *tables);
extern bool ms_snapshot_settled(void);
extern const MsSubTable *ms_snapshot_failed_table(void);
extern bool ms_snapshot_lost_table(void);
extern void ms_snapshot_assist(const char *file, uint64 start_pos);
extern bool ms_snapshot_must_wait(const TablePlan *plan);
extern MsCopyVerdict ms_snapshot_verdict(TablePlan *plan, const char *file,
										 uint64 start_pos);
extern bool ms_snapshot_chunk_wanted(TablePlan *plan, int chunk,
									 const char *file, uint64 start_pos);
extern void ms_snapshot_wait_for_chunks(TablePlan *plan, const char *file,
										uint64 start_pos);
extern void ms_snapshot_xa_begin(const char *xid);
extern void ms_snapshot_xa_end(void);
extern bool ms_snapshot_is_ahead(TablePlan *plan, const char *file,
								 uint64 start_pos);
extern bool ms_snapshot_is_copied_at(const TablePlan *plan, const char *file,
									 uint64 start_pos, bool wholly);
extern bool ms_snapshot_ends_after(const TablePlan *plan, const char *file,
								   uint64 start_pos);
extern void ms_snapshot_restart_table(TablePlan *plan);
extern void ms_snapshot_wait_for_table(TablePlan *plan);
extern bool ms_snapshot_makes_foreign_keys(const TablePlan *plan);
extern void ms_snapshot_forget_table(TablePlan *plan);
extern TablePlan *ms_snapshot_held_table(void);
extern TablePlan *ms_snapshot_table_to_reshape(void);
extern void ms_snapshot_settle(const MsStreamPosition *position);

extern int	ms_snapshot_compare_positions(const char *file1, uint64 pos1,
										  const char *file2, uint64 pos2);

extern char *ms_snapshot_source_position(MsWire *wire, uint64 *pos);
extern char *ms_snapshot_view_position(MsWire *wire, uint64 *pos);
extern char *ms_snapshot_last_position(MsWire *wire, uint64 *pos);
extern char *ms_snapshot_gtid_at(MsWire *wire, const char *file, uint64 pos);
extern bool ms_snapshot_is_file_head(MsWire *wire, const char *file,
									 uint64 pos);
extern long ms_snapshot_visibility_delay(MsWire *wire);

extern List *ms_snapshot_cut(MsWire *wire, const MsSubscription *sub,
							 const MsSubTable *table, int chunk_rows);

extern PGDLLEXPORT void ms_snapshot_worker_main(Datum arg);

#endif							/* MS_SNAPSHOT_H */
