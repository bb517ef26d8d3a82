/*
 * grants.c - what SHOW GRANTS says we may do on the source.
 *
 * Without FOR, the statement tells what is in force in this session: the
 * account's own privileges, those of its roles as far as they are active, and
 * those of PUBLIC.  A line that is not understood is passed over, so that a
 * new kind of grant is no obstacle.
 */
#include "postgres.h"

#include <ctype.h>

#include "lib/stringinfo.h"

#include "grants.h"

/* Privileges that replication needs, or that help it and change nothing. */
static const char *const harmless[] = {
	"USAGE",
	"SELECT",
	"REFERENCES",
	"REPLICATION SLAVE",
	"REPLICATION REPLICA",
	"REPLICATION CLIENT",
	"BINLOG MONITOR",
	"BINLOG ADMIN",
	"SLAVE MONITOR",
	"REPLICA MONITOR",
	"SHOW DATABASES",
	"SHOW VIEW",
};

/*
 * The first place at or after text where word stands outside quotes and
 * parentheses; NULL if there is none.
 */
static const char *
find_outside(const char *text, const char *word)
{
	size_t		len = strlen(word);
	int			depth = 0;
	char		quote = '\0';

	for (const char *p = text; *p; p++)
	{
		if (quote)
		{
			if (*p == quote)
				quote = '\0';
			continue;
		}
		if (depth == 0 && pg_strncasecmp(p, word, len) == 0)
			return p;
		if (*p == '`' || *p == '\'' || *p == '"')
			quote = *p;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && depth > 0)
			depth--;
	}
	return NULL;
}

/* Upper case, without the blanks around it. */
static char *
normalize(const char *start, const char *end)
{
	char	   *text;

	while (start < end && isspace((unsigned char) *start))
		start++;
	while (end > start && isspace((unsigned char) end[-1]))
		end--;
	text = pnstrdup(start, end - start);

	for (char *p = text; *p; p++)
		*p = pg_toupper((unsigned char) *p);
	return text;
}

/*
 * "GRANT a, b (c) ON scope TO grantee ..."; NULL for anything else, such as
 * roles and proxies.
 */
static MsGrant *
parse_grant(const char *line)
{
	static const char grant_word[] = "GRANT ";
	const char *on;
	const char *to;
	const char *end;
	MsGrant    *grant;

	if (pg_strncasecmp(line, grant_word, strlen(grant_word)) != 0)
		return NULL;
	line += strlen(grant_word);
	if (pg_strncasecmp(line, "PROXY ", strlen("PROXY ")) == 0)
		return NULL;
	on = find_outside(line, " ON ");
	to = on ? find_outside(on, " TO ") : NULL;
	if (to == NULL)
		return NULL;
	end = find_outside(to + strlen(" TO "), " ");

	grant = palloc0(sizeof(MsGrant));
	grant->scope = pnstrdup(on + strlen(" ON "), to - on - strlen(" ON "));
	to += strlen(" TO ");
	grant->grantee = end ? pnstrdup(to, end - to) : pstrdup(to);
	for (const char *p = line; p < on;)
	{
		const char *comma = find_outside(p, ",");

		if (comma == NULL || comma > on)
			comma = on;
		grant->privileges = lappend(grant->privileges, normalize(p, comma));
		p = comma + 1;
	}
	if (end && find_outside(end, " WITH GRANT OPTION"))
		grant->privileges = lappend(grant->privileges, "GRANT OPTION");
	return grant;
}

/* What is in force in this session, a list of MsGrant. */
List *
ms_grants_fetch(MsWire *wire)
{
	MsResult   *result = ms_wire_query(wire, "SHOW GRANTS");
	List	   *grants = NIL;

	for (int i = 0; i < result->nrows; i++)
	{
		MsGrant    *grant = parse_grant(ms_result_cell(result, i, 0));

		if (grant)
			grants = lappend(grants, grant);
	}
	return grants;
}

static bool
grant_names(const MsGrant *grant, const char *privilege)
{
	ListCell   *lc;

	foreach(lc, grant->privileges)
		if (strcmp(lfirst(lc), privilege) == 0)
		return true;
	return false;
}

static bool
grant_has(const MsGrant *grant, const char *privilege)
{
	return grant_names(grant, privilege) ||
		grant_names(grant, "ALL PRIVILEGES");
}

/* Whether a privilege, or all, is granted on everything. */
bool
ms_grants_global(List *grants, const char *privilege)
{
	ListCell   *lc;

	foreach(lc, grants)
	{
		MsGrant    *grant = lfirst(lc);

		if (strcmp(grant->scope, "*.*") == 0 && grant_has(grant, privilege))
			return true;
	}
	return false;
}

/* LIKE as the database part of a grant uses it: % and _, escaped by \. */
static bool
like_matches(const char *pattern, const char *text)
{
	for (; *pattern; pattern++, text++)
	{
		if (*pattern == '%')
		{
			do
			{
				if (like_matches(pattern + 1, text))
					return true;
			} while (*text++);
			return false;
		}
		if (*pattern == '\\' && pattern[1])
			pattern++;
		else if (*pattern == '_' && *text)
			continue;
		if (*pattern != *text)
			return false;
	}
	return *text == '\0';
}

/* The name inside backquotes at *p, which moves behind it; NULL if none. */
static char *
parse_quoted(const char **p)
{
	const char *end;
	char	   *name;

	if (**p != '`' || (end = strchr(*p + 1, '`')) == NULL)
		return NULL;
	name = pnstrdup(*p + 1, end - *p - 1);
	*p = end + 1;
	return name;
}

typedef enum ScopeMatch
{
	SCOPE_OTHER,
	SCOPE_WIDER,				/* everything, or the table's database */
	SCOPE_TABLE					/* the table itself */
} ScopeMatch;

static ScopeMatch
match_scope(const char *scope, const char *db, const char *table)
{
	char	   *name;

	if (strcmp(scope, "*.*") == 0)
		return SCOPE_WIDER;
	name = parse_quoted(&scope);
	if (name == NULL || *scope++ != '.')
		return SCOPE_OTHER;
	if (strcmp(scope, "*") == 0)
		return like_matches(name, db) ? SCOPE_WIDER : SCOPE_OTHER;
	if (strcmp(name, db) != 0)
		return SCOPE_OTHER;
	name = parse_quoted(&scope);
	return name && strcmp(name, table) == 0 ? SCOPE_TABLE : SCOPE_OTHER;
}

/*
 * Whether SELECT is granted on columns of the table without being granted on
 * the table: the other columns are then not even seen.
 */
bool
ms_grants_partial_select(List *grants, const char *db, const char *table)
{
	bool		on_columns = false;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, grants)
	{
		MsGrant    *grant = lfirst(lc);

		switch (match_scope(grant->scope, db, table))
		{
			case SCOPE_OTHER:
				continue;
			case SCOPE_WIDER:
			case SCOPE_TABLE:
				if (grant_has(grant, "SELECT"))
					return false;
				break;
		}
		foreach(lc2, grant->privileges)
			on_columns |= strncmp(lfirst(lc2), "SELECT (",
								  strlen("SELECT (")) == 0;
	}
	return on_columns;
}

/* The privileges that replication has no use for, a list of char *. */
List *
ms_grant_surplus(const MsGrant *grant)
{
	List	   *surplus = NIL;
	ListCell   *lc;

	/* what everybody has is not this account's matter */
	if (strcmp(grant->grantee, "PUBLIC") == 0)
		return NIL;
	foreach(lc, grant->privileges)
	{
		char	   *name = lfirst(lc);
		size_t		len = strcspn(name, "(");
		bool		needed = false;

		while (len > 0 && name[len - 1] == ' ')
			len--;
		for (int i = 0; i < (int) lengthof(harmless); i++)
			needed |= strlen(harmless[i]) == len &&
				strncmp(harmless[i], name, len) == 0;
		if (!needed)
			surplus = lappend(surplus, name);
	}
	return surplus;
}

/* Whether who has it can take everything else. */
bool
ms_grant_is_all_powerful(const MsGrant *grant)
{
	return strcmp(grant->scope, "*.*") == 0 &&
		(grant_has(grant, "SUPER") || grant_names(grant, "GRANT OPTION"));
}

/* A statement that takes the surplus away. */
char *
ms_grant_revoke_statement(const MsGrant *grant)
{
	StringInfoData buf;
	List	   *surplus = ms_grant_surplus(grant);
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, surplus)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "REVOKE ",
						 (char *) lfirst(lc));
	appendStringInfo(&buf, " ON %s FROM %s;", grant->scope, grant->grantee);
	/* that took what is needed too */
	if (grant_names(grant, "ALL PRIVILEGES"))
		appendStringInfo(&buf, " GRANT SELECT, REFERENCES ON %s TO %s;",
						 grant->scope, grant->grantee);
	return buf.data;
}
