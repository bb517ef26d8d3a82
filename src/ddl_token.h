/*
 * ddl_token.h - MariaDB's SQL as tokens.
 */
#ifndef MS_DDL_TOKEN_H
#define MS_DDL_TOKEN_H

typedef enum MsTokenKind
{
	MS_TOKEN_END,
	MS_TOKEN_WORD,				/* not quoted: keyword, number or name */
	MS_TOKEN_NAME,				/* quoted name */
	MS_TOKEN_STRING,
	MS_TOKEN_PUNCT
} MsTokenKind;

typedef struct MsScanner
{
	const char *p;
	const char *end;
	uint64		sql_mode;
	bool		in_executable;	/* inside an executable comment */
	const char *previous_end;	/* of the token before the current one */

	/* the current token */
	MsTokenKind kind;
	char	   *text;			/* WORD, NAME, STRING: unquoted */
	char		punct;
	const char *start;
} MsScanner;

extern void ms_token_begin(MsScanner *s, const char *sql, size_t len,
						   uint64 sql_mode);
extern void ms_token_next(MsScanner *s);
extern void ms_token_skip(MsScanner *s);
extern bool ms_token_is(const MsScanner *s, const char *word);
extern bool ms_token_accept(MsScanner *s, const char *word);
extern bool ms_token_accept_punct(MsScanner *s, char c);
extern bool ms_token_accept_if_exists(MsScanner *s);
extern char *ms_token_name(MsScanner *s);
extern char *ms_token_table_name(MsScanner *s);
extern bool ms_token_table(MsScanner *s, const char *default_db, char **db,
						   char **table);
extern void ms_token_fold_table_names(bool fold);

#endif							/* MS_DDL_TOKEN_H */
