#ifndef DN_MODEL_LANGUAGES_H
#define DN_MODEL_LANGUAGES_H
/** The languages that a model serves, and which rows are written in one of them.
 *
 *    config.json   "dunlin": {"languages": ["en"]}      none named: it serves all
 *    job file      languages: any | [en, de]            in place of them
 *    column        label.language                       what a stage before it found
 *
 * Rows of other languages stay null and never reach the model. A row whose language nobody could
 * tell (null, or `und`) is served: short texts are the ones that detection gives up on, and a score
 * lost is worse than a score on a text that was not meant. Two models may fill one column where
 * the languages that they name are different ones. */
#include "base/props.h"
#include "flow/chunk.h"
#include "io/json.h"

enum { DN_MAX_LANGUAGES = 64, DN_LANGUAGE_BYTES = 8 };

/** Codes as detection writes them (ISO 639-1). n 0: all languages. */
typedef struct dn_languages {
    int n;
    char code[DN_MAX_LANGUAGES][DN_LANGUAGE_BYTES];
} dn_languages;

/** "languages" of the "dunlin" object, none where it is not there. MODEL errors name the field. */
dn_status dn_languages_read(const dn_json_at *dunlin, dn_languages *out);

/** What the job file says in place of it, where it says something. CONFIG */
dn_status dn_languages_set(const dn_list *setting, dn_languages *languages);

bool dn_languages_have(const dn_languages *languages, const char *code);

/** "de,es": for tables and errors. out[room], cut where it does not fit. */
void dn_languages_print(const dn_languages *languages, size_t room, char *out);

/** Which rows a model scores. */
typedef struct dn_language_gate {
    int field;                    /**< -1: all rows */
    bool serves[DN_NO_LABEL + 1]; /**< by the row's label in that column */
} dn_language_gate;

/** Binds the gate to the column that tells a text's language. Without languages, or without that
 * column, all rows pass. CONFIG where no text could ever pass. */
dn_status dn_language_gate_bind(const char *who, const dn_languages *languages, const char *column,
                                const dn_schema *schema, dn_language_gate *out);

/** Binds a gate for one language alone: what nobody knows does not pass. CONFIG without the column,
 * and where it never says so. */
dn_status dn_language_gate_bind_one(const char *who, const char *language, const char *column,
                                    const dn_schema *schema, dn_language_gate *out);

static inline bool dn_language_gate_admits(const dn_language_gate *gate, const dn_chunk *chunk,
                                           uint32_t row) {
    return gate->field < 0 || gate->serves[dn_chunk_label(chunk, gate->field)[row]];
}

/** Adds the column of a head, or shares one of the same kind and classes that models of other
 * languages fill. CONFIG names `who` and says why it cannot. */
dn_status dn_languages_add_column(const char *who, const dn_languages *languages, dn_field field,
                                  dn_schema *schema, int *index);

#endif
