/*
 * sql.h - running SQL of our own making.
 */
#ifndef MS_SQL_H
#define MS_SQL_H

/* Names that are not qualified mean PostgreSQL's own; see ms_sql_set_path(). */
#define MS_SEARCH_PATH "pg_catalog, pg_temp"

extern void ms_sql_set_path(void);
extern uint64 ms_sql_run(const char *sql);
extern char *ms_sql_make_index(const char *sql);
extern int	ms_sql_run_generated(const char *sql);
extern bool ms_sql_has_rows(const char *sql);

#endif							/* MS_SQL_H */
