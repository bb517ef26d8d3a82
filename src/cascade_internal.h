/*
 * cascade_internal.h - what the files of the cascade room share.
 */
#ifndef MS_CASCADE_INTERNAL_H
#define MS_CASCADE_INTERNAL_H

#include "executor/spi.h"

#include "apply_internal.h"
#include "cascade.h"

/* of a foreign key; MariaDB's own limit */
#define MS_MAX_FOREIGN_KEY_COLUMNS 32

typedef enum CascadeAction
{
	CASCADE_NOTHING,			/* or RESTRICT: then there are no rows */
	CASCADE_FOLLOW,				/* CASCADE */
	CASCADE_SET_NULL
} CascadeAction;

typedef struct EqualTexts EqualTexts;

/* A foreign key of a table of the subscription. */
typedef struct Dependant
{
	TablePlan  *child;
	char	   *name;
	char	   *id;				/* as InnoDB has it: "db/name" */
	bool		clustered;		/* refers to what the parent's rows are stored
								 * by */
	CascadeAction on_delete;
	CascadeAction on_update;
	bool		deletes_once;	/* see mark_keys_to_itself() */
	int			ncolumns;
	char	  **columns;		/* names */
	int		   *refs;			/* in the MsCascade's */

	/* bound to the child's plan */
	MemoryContext cxt;
	uint32		generation;		/* of the plan; 0 = not bound */
	int		   *fields;			/* in the child's format */
	int		   *atts;			/* attribute indexes in its target */
	SPIPlanPtr	find;
	SPIPlanPtr	find_texts;		/* with texts that are equal besides */
	int			ntexts;			/* columns that there are any of, see
								 * cascade_text.c */
	EqualTexts *texts;
	int			nselected;		/* columns of the query's result ... */
	int		   *selected;		/* ... and their attribute indexes */
	MemoryContextCallback release;
} Dependant;

struct MsCascade
{
	TablePlan  *plan;			/* the parent; NULL = watched */
	char	   *name;			/* "db.table" */
	List	   *dependants;		/* of Dependant * */
	int			nrefs;			/* columns that are referred to */
	char	  **refs;			/* names */
	bool		history_counts; /* its history is like other rows, once
								 * deleted */

	/* bound to the parent's plan, or to a table map */
	uint32		generation;
	MsRowFormat *format;		/* of the rows as they come */
	int		   *fields;			/* the columns in it ... */
	int			nfields;		/* refs, then the period's end if there is one */
	MsValue    *old_values;		/* by fields */
	MsValue    *new_values;
	bool	   *old_found;		/* and not NULL */
	bool	   *new_found;

	/* of a parent whose rows we do not apply */
	MemoryContext watch_cxt;
	MsRowFormat watched;
	const uint8 *bound_map;		/* the table map that it is for */
};

extern bool ms_cascade_is_text(const MsColumn *col);
extern int	ms_cascade_find_field(const MsRowFormat *format, const char *name);
extern void ms_cascade_column_missing(const TablePlan *plan,
									  const char *column, const char *key);
extern void ms_cascade_bind_dependant(Dependant *dep);
extern void ms_cascade_bind_parent(MsApply *apply, MsCascade *cascade,
								   const MapEntry *entry);

/* cascade_text.c */
extern void ms_cascade_bind_texts(Dependant *dep, const char *from,
								  char **columns, char **conditions,
								  const char *select, Oid *types);
extern void ms_cascade_release_texts(Dependant *dep);
extern bool ms_cascade_find_texts(MsApply *apply, const Dependant *dep,
								  Datum *key);

#endif							/* MS_CASCADE_INTERNAL_H */
