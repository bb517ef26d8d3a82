/*
 * constraint_check.h - constraints in the source's words.
 */
#ifndef MS_CONSTRAINT_CHECK_H
#define MS_CONSTRAINT_CHECK_H

extern void ms_check_constraint_statement(const char *sql, Oid relid);

#endif							/* MS_CONSTRAINT_CHECK_H */
