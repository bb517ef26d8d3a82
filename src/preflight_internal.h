/*
 * preflight_internal.h - what the files of the preflight share.
 */
#ifndef MS_PREFLIGHT_INTERNAL_H
#define MS_PREFLIGHT_INTERNAL_H

#include "grants.h"
#include "preflight.h"
#include "remote_schema.h"

typedef struct Preflight
{
	MsWire	   *wire;
	const MsServerOptions *options;
	MsResult   *settings;		/* name, value */
	char	   *account;		/* ours on the source, quoted */
	List	   *grants;			/* of MsGrant * */
	List	   *patterns;
	List	   *tables;			/* of MsSourceTable * */
	List	   *findings;		/* of MsFinding * */
} Preflight;

extern void ms_preflight_add(Preflight *pf, const char *check_name,
							 MsSeverity severity, int sqlerrcode,
							 char *message, char *detail, char *hint);
extern void ms_preflight_add_ok(Preflight *pf, const char *check_name,
								char *message);
extern void ms_preflight_add_names(Preflight *pf, const char *check_name,
								   MsSeverity severity, int sqlerrcode,
								   List *names, const char *what,
								   const char *reason, char *hint);
extern void ms_preflight_load_settings(Preflight *pf);
extern void ms_preflight_load_account(Preflight *pf);
extern char *ms_preflight_setting(const Preflight *pf, const char *name);
extern bool ms_preflight_setting_is(const Preflight *pf, const char *name,
									const char *value);

/* preflight_tables.c */
extern ErrorData *ms_preflight_column_problem(const MsSourceColumn *source);

/* preflight_loss.c */
extern void ms_preflight_losses(Preflight *pf);

#endif							/* MS_PREFLIGHT_INTERNAL_H */
