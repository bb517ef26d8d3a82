/*
 * wire_error.c - what MariaDB's errors are in PostgreSQL's words.
 *
 * Part of the wire room.  The SQLSTATE decides whether what failed is tried
 * again (worker.c), the hint says what to do otherwise.
 */
#include "postgres.h"

#include "mariadb_client.h"

#include "wire_error.h"

typedef struct ErrorMap
{
	unsigned int code;
	int			sqlerrcode;
	const char *hint;
} ErrorMap;

static const ErrorMap error_map[] = {
	{CR_SERVER_GONE_ERROR, ERRCODE_CONNECTION_FAILURE, NULL},
	{CR_SERVER_LOST, ERRCODE_CONNECTION_FAILURE, NULL},
	{2055 /* CR_SERVER_LOST_EXTENDED */ , ERRCODE_CONNECTION_FAILURE, NULL},
	{2012 /* CR_SERVER_HANDSHAKE_ERR */ , ERRCODE_CONNECTION_FAILURE,
	"Check that options \"host\" and \"port\" of the server lead to MariaDB."},
	{2059 /* CR_AUTH_PLUGIN_CANNOT_LOAD */ ,
	ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, NULL},
	{CR_PLUGIN_NOT_ALLOWED, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		"The server asks for the password in a form that others can read. "
	"If that is meant, as for PAM, set option \"ssl_mode\" to verify-ca or verify-full."},
	{2027 /* CR_MALFORMED_PACKET */ , ERRCODE_PROTOCOL_VIOLATION,
	"Check that options \"host\" and \"port\" of the server lead to MariaDB."},
	{1153 /* ER_NET_PACKET_TOO_LARGE */ , ERRCODE_PROTOCOL_VIOLATION, NULL},
	{1156 /* ER_NET_PACKETS_OUT_OF_ORDER */ , ERRCODE_PROTOCOL_VIOLATION, NULL},
	{1157 /* ER_NET_UNCOMPRESS_ERROR */ , ERRCODE_PROTOCOL_VIOLATION, NULL},
	{1158 /* ER_NET_READ_ERROR */ , ERRCODE_CONNECTION_FAILURE, NULL},
	{1159 /* ER_NET_READ_INTERRUPTED */ , ERRCODE_CONNECTION_FAILURE, NULL},
	{1160 /* ER_NET_ERROR_ON_WRITE */ , ERRCODE_CONNECTION_FAILURE, NULL},
	{1161 /* ER_NET_WRITE_INTERRUPTED */ , ERRCODE_CONNECTION_FAILURE, NULL},
	{1129 /* ER_HOST_IS_BLOCKED */ ,
		ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION,
	"Run FLUSH HOSTS on MariaDB; max_connect_errors is its limit."},
	{1203 /* ER_TOO_MANY_USER_CONNECTIONS */ , ERRCODE_TOO_MANY_CONNECTIONS,
	"Raise max_user_connections on MariaDB."},
	{1226 /* ER_USER_LIMIT_REACHED */ , ERRCODE_TOO_MANY_CONNECTIONS,
	"Raise the limits of MariaDB's account."},
	{1317 /* ER_QUERY_INTERRUPTED */ , ERRCODE_QUERY_CANCELED, NULL},
	{1969 /* ER_STATEMENT_TIMEOUT */ , ERRCODE_QUERY_CANCELED, NULL},
	{CR_CONNECTION_ERROR, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	"Check that MariaDB is running and reachable, and options \"host\" and \"port\", or \"unix_socket\", of the server."},
	{CR_CONN_HOST_ERROR, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	"Check that MariaDB is running and reachable, and options \"host\" and \"port\" of the server."},
	{CR_UNKNOWN_HOST, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	"Check option \"host\" of the server."},
	{CR_SSL_CONNECTION_ERROR, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	"Check options \"ssl_mode\" and \"ssl_ca\" of the server."},
	{ER_CON_COUNT_ERROR, ERRCODE_TOO_MANY_CONNECTIONS,
	"Raise max_connections on MariaDB."},
	{ER_ACCESS_DENIED_ERROR, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
	"Check options \"username\" and \"password\" of the user mapping."},
	{1698 /* ER_ACCESS_DENIED_NO_PASSWORD_ERROR */ ,
		ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
	"Check options \"username\" and \"password\" of the user mapping."},
	{ER_HOST_NOT_PRIVILEGED, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
	"Allow this host to connect in MariaDB's account."},
	{ER_DBACCESS_DENIED_ERROR, ERRCODE_INSUFFICIENT_PRIVILEGE, NULL},
	{ER_TABLEACCESS_DENIED_ERROR, ERRCODE_INSUFFICIENT_PRIVILEGE,
	"Grant SELECT on the table to the MariaDB user."},
	{ER_COLUMNACCESS_DENIED_ERROR, ERRCODE_INSUFFICIENT_PRIVILEGE,
	"Grant SELECT on the table to the MariaDB user."},
	{ER_SPECIFIC_ACCESS_DENIED_ERROR, ERRCODE_INSUFFICIENT_PRIVILEGE,
	"Run mariadb_sync.check_source() to see which privileges are missing."},
	{ER_NO_SUCH_TABLE, ERRCODE_UNDEFINED_TABLE, NULL},
	{ER_BAD_FIELD_ERROR, ERRCODE_UNDEFINED_COLUMN, NULL},
	{1814 /* ER_TABLESPACE_DISCARDED */ , ERRCODE_UNDEFINED_FILE, NULL},
	{ER_LOCK_WAIT_TIMEOUT, ERRCODE_LOCK_NOT_AVAILABLE, NULL},
	{ER_LOCK_DEADLOCK, ERRCODE_T_R_DEADLOCK_DETECTED, NULL},
	{ER_SERVER_SHUTDOWN, ERRCODE_CONNECTION_FAILURE, NULL},
	{1927 /* ER_CONNECTION_KILLED */ , ERRCODE_CONNECTION_FAILURE, NULL},
	{ER_MASTER_FATAL_ERROR_READING_BINLOG, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
	NULL},
	{4052 /* ER_SLAVE_SAME_ID */ , ERRCODE_OBJECT_IN_USE,
	"Another replica uses the subscription's server_id. Set option \"server_id\" of the server to a number that no other replica has, and create the subscription again."},
	{1412 /* ER_TABLE_DEF_CHANGED */ , ERRCODE_T_R_SERIALIZATION_FAILURE, NULL},
};

/*
 * Error 1236 has many meanings, which only its text tells.  The first that
 * matches is taken.
 */
static const struct
{
	const char *fragment;
	const char *hint;
}			binlog_errors[] = {

	{"diverged",
		"This server has transactions that the subscription's source did not have, and lacks some that are applied here: the histories have diverged. "
		"Let option \"host\" of the server lead to a server with the same history; "
	"or compare with mariadb_sync.verify(), or drop the subscription and create it again to copy the tables anew."},
	{"which is not in the master's binlog",
		"This server has not got all that is applied here: it lags behind the former source, has lost transactions, was reset, or is another one. "
		"If it lags, wait until it has caught up and run mariadb_sync.start(). Otherwise let option \"host\" of the server lead to a server with the same history, "
	"or drop the subscription and create it again to copy the tables anew."},
	{"Could not find GTID state requested",
		"The binary logs from the subscription's GTID position on were purged on the source, or a domain of the source is not in the position and its beginning was purged. "
		"Drop the subscription and create it again to copy the tables anew. "
	"Let the source keep its binary logs longer: binlog_expire_logs_seconds."},
	{"GTID strict mode is enabled",
		"The subscription's position is missing from the source's binary log, which has gone on without it. "
	"Drop the subscription and create it again to copy the tables anew."},
	{"max_allowed_packet",
		"A single event of the source's binary log is too large to be sent. "
	"Split the transaction on the source, then drop the subscription and create it again to copy the tables anew."},
	{"crc check",
	"The source's binary log is damaged. Check its disk; then drop the subscription and create it again to copy the tables anew."},
	{"Binary log is not open", "Start MariaDB with log_bin."},
	{"",
		"The source cannot continue from the subscription's GTID position: its binary logs were purged or reset, or it is another server. "
	"Drop the subscription and create it again to copy the tables anew."},
};

static const char *
binlog_error_hint(const char *message)
{
	int			i = 0;

	while (strstr(message, binlog_errors[i].fragment) == NULL)
		i++;
	return binlog_errors[i].hint;
}

/*
 * The SQLSTATE of an error of the server or the client library; *hint is set
 * to what to do about it, or to NULL.
 */
int
ms_wire_map_error(unsigned int code, const char *message, const char **hint)
{
	*hint = NULL;
	if (code == ER_MASTER_FATAL_ERROR_READING_BINLOG)
		*hint = binlog_error_hint(message);
	for (int i = 0; i < (int) lengthof(error_map); i++)
	{
		if (error_map[i].code != code)
			continue;
		if (error_map[i].hint)
			*hint = error_map[i].hint;
		return error_map[i].sqlerrcode;
	}
	return ERRCODE_FDW_ERROR;
}
