/*
 * mariadb_client.h - the guard around libmariadb's headers.
 *
 * Both mysql.h and pg_list.h declare list_length, list_delete and list_free;
 * the client library's are renamed while its header is read.  Include this
 * after PostgreSQL's headers, and only from wire.c.
 */
#ifndef MS_MARIADB_CLIENT_H
#define MS_MARIADB_CLIENT_H

#define list_length ms_client_list_length
#define list_delete ms_client_list_delete
#define list_free ms_client_list_free

#include <mysql.h>
#include <errmsg.h>
#include <mysqld_error.h>

#undef list_length
#undef list_delete
#undef list_free

#endif							/* MS_MARIADB_CLIENT_H */
