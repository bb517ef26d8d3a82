/*
 * target.h - writing rows into a PostgreSQL table.
 */
#ifndef MS_TARGET_H
#define MS_TARGET_H

#include "executor/tuptable.h"
#include "nodes/bitmapset.h"
#include "utils/relcache.h"

#include "role.h"

typedef struct MsTarget MsTarget;

/*
 * A row as decoded: arrays indexed by attribute number - 1.  Columns that the
 * source does not have are left alone.
 */
typedef struct MsRow
{
	Datum	   *values;
	bool	   *isnull;
} MsRow;

/* A unique index of a target, as what equal values of it are. */
typedef struct MsUniqueKey
{
	bool		plain;			/* columns, whose equality is below */
	bool		nulls_equal;
	int			ncolumns;
	int		   *atts;			/* attribute indexes */
	Oid		   *types;			/* that the operators are for */
	Oid		   *collations;
} MsUniqueKey;

extern MsTarget *ms_target_build(Oid relid, Oid owner, bool run_as_owner,
								 Bitmapset *mapped, const char *source_name);
extern void ms_target_check_triggers(Relation rel);
extern void ms_target_check_logged(Relation rel);
extern void ms_target_enter(const MsTarget *target, MsRole *before);
extern void ms_target_leave(const MsTarget *target, const MsRole *before);
extern bool ms_target_has_key(const MsTarget *target);
extern bool ms_target_is_direct(const MsTarget *target);
extern List *ms_target_unique_keys(const MsTarget *target); /* of MsUniqueKey * */
extern int	ms_target_natts(const MsTarget *target);
extern void ms_target_open(MsTarget *target);
extern void ms_target_close(MsTarget *target);

extern MsRow ms_target_insert_row(MsTarget *target);
extern MemoryContext ms_target_insert_context(MsTarget *target);
extern void ms_target_check_size(const MsTarget *target, const MsRow *row,
								 Size bytes);
extern void ms_target_insert(MsTarget *target, Size bytes);
extern void ms_target_cancel_insert(MsTarget *target);
extern bool ms_target_exists(MsTarget *target, const MsRow *row);
extern void ms_target_flush(MsTarget *target);

extern void ms_target_set_image(MsTarget *target, const bool *old_present,
								const bool *new_present);
extern bool ms_target_is_key_column(const MsTarget *target, int att);
extern MsRow ms_target_old_row(MsTarget *target);
extern MsRow ms_target_new_row(MsTarget *target);
extern bool ms_target_update(MsTarget *target);
extern bool ms_target_delete(MsTarget *target);
extern void ms_target_truncate(Oid relid);

#endif							/* MS_TARGET_H */
