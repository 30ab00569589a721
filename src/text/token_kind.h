#ifndef DN_TEXT_TOKEN_KIND_H
#define DN_TEXT_TOKEN_KIND_H
/** What a kind of tokeniser is to tokeniser.c, and what all kinds share. */
#include "text/added_tokens.h"
#include "text/id_sink.h"
#include "text/tokeniser.h"
#include "text/word_cache.h"

#include "io/json.h"

/** Memory that a thread reuses from text to text; grown, never shrunk within one. */
typedef struct dn_scratch {
    void *ptr;
    size_t size;
} dn_scratch;

enum { DN_SCRATCHES = 4, DN_MAX_SPECIALS = 2 };

struct dn_token_cache {
    dn_word_cache words; /**< pieces as they stand in the text */
    dn_word_cache forms; /**< words as the normaliser leaves them; unigram only */
    dn_scratch scratch[DN_SCRATCHES];
    int64_t texts, cut;
};

/** `size` bytes of scratch `which`; what was in it is lost when it grows. */
void *dn_scratch_take(dn_token_cache *cache, int which, size_t size);

/** What stands in front of and behind the tokens of a text. */
typedef struct dn_token_frame {
    int32_t before[DN_MAX_SPECIALS], after[DN_MAX_SPECIALS];
    int n_before, n_after;
} dn_token_frame;

/** What a kind's loader fills in. */
typedef struct dn_token_table {
    void *table;
    char *path; /**< of the file, for messages */
    int32_t size;
    int32_t unknown;       /**< id of what it lacks; -1: it lacks nothing */
    int32_t most_per_byte; /**< ids that a byte of text can become */
    dn_added_tokens added;
    dn_token_frame frame;
} dn_token_table;

/** The const part of a kind. `load` leaves in *out what is to be freed, whether it fails or not. */
typedef struct dn_token_kind {
    const char *name;
    bool exact_rows; /**< the embedding has a row for each token and no more */
    void (*close)(void *table);
    /** Ids of a stretch of text between added tokens. */
    void (*encode)(const dn_token_table *about, dn_token_cache *cache, dn_span text,
                   dn_id_sink *sink);
} dn_token_kind;

extern const dn_token_kind dn_kind_wordpiece, dn_kind_bpe, dn_kind_unigram;

/** Loaders: from a tokenizer.json (its root), or from a directory with the older files. */
dn_status dn_wordpiece_from_json(const dn_json_at *root, dn_token_table *out);
dn_status dn_wordpiece_from_files(const char *dir, dn_token_table *out);
dn_status dn_bpe_from_json(const dn_json_at *root, dn_token_table *out);
dn_status dn_bpe_from_files(const char *dir, dn_token_table *out);
dn_status dn_unigram_from_json(const dn_json_at *root, dn_token_table *out);
dn_status dn_unigram_from_files(const char *dir, dn_token_table *out);

/** The special tokens that tokenizer.json's post_processor puts around a text. */
dn_status dn_token_frame_read(const dn_json_at *root, dn_token_frame *out);

/** MODEL error that names the field unless it is absent, null, false or empty: what it would turn
 * on is not done here. */
dn_status dn_json_need_off(const dn_json_at *object, const char *key);

/** The field "type" of an object. */
dn_status dn_json_type(const dn_json_at *object, const char **out);

#endif
