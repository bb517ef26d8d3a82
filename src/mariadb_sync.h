/*
 * mariadb_sync.h - names and settings every room may know.
 */
#ifndef MARIADB_SYNC_H
#define MARIADB_SYNC_H

#define MS_SCHEMA			"mariadb_sync"
#define MS_LIBRARY			"mariadb_sync"
#define MS_ORIGIN_FORMAT	"mariadb_sync_%u_%d"	/* database oid, subid */

/* GUCs */
extern int	ms_max_subscriptions;
extern int	ms_retry_min_delay;
extern int	ms_retry_max_delay;
extern int	ms_crash_limit;

#endif							/* MARIADB_SYNC_H */
