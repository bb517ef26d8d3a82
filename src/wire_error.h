/*
 * wire_error.h - what MariaDB's errors are in PostgreSQL's words.
 */
#ifndef MS_WIRE_ERROR_H
#define MS_WIRE_ERROR_H

extern int	ms_wire_map_error(unsigned int code, const char *message,
							  const char **hint);

#endif							/* MS_WIRE_ERROR_H */
