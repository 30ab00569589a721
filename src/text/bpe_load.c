/* BPE from tokenizer.json, or from vocab.json, merges.txt and tokenizer_config.json. */
#include "base/memory.h"
#include "text/bpe.h"
#include "text/token_kind.h"
#include "text/white.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 128 << 20, MAX_TOKENS = 1 << 24 };

/* Tokens are written with a visible character for each byte: printable Latin-1 stands for itself,
 * the other bytes are U+0100 and on. */
static uint32_t code_of_byte(int byte) {
    uint32_t next = 0x100;
    for (int b = 0; b < byte; b++) {
        bool printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        next += !printable;
    }
    bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return printable ? (uint32_t)byte : next;
}

/* Where a merge stands, for messages. */
typedef struct place {
    const dn_json_at *item; /* NULL: a line */
    const char *path;
    int line;
} place;

static dn_status fail_at(const place *p, const char *what, const char *token) {
    if (p->item) {
        return dn_json_fail(p->item, "%s '%.80s'", what, token);
    }
    return DN_FAIL(MODEL, "%s:%d: %s '%.80s'", p->path, p->line, what, token);
}

static dn_status find_id(const dn_json_at *vocab, const char *token, const place *p, int32_t *out) {
    dn_json_at at;
    int64_t id;
    if (!dn_json_find(vocab, token, &at)) {
        return fail_at(p, "the vocabulary has no token", token);
    }
    DN_TRY(dn_json_int(&at, 0, MAX_TOKENS, &id));
    *out = (int32_t)id;
    return DN_OK;
}

static dn_status add_merge(dn_bpe *bpe, const dn_json_at *vocab, const char *left,
                           const char *right, const place *p) {
    int32_t a = 0, b = 0, both = 0;
    DN_TRY(find_id(vocab, left, p, &a));
    DN_TRY(find_id(vocab, right, p, &b));
    char *joined = dn_format("%s%s", left, right);
    dn_status status = find_id(vocab, joined, p, &both);
    if (status == DN_OK && !dn_bpe_add(bpe, a, b, both)) {
        status = fail_at(p, "a line before merges the same two to", joined);
    }
    free(joined);
    return status;
}

/* "left right"; neither has a blank in it. */
static dn_status add_written(dn_bpe *bpe, const dn_json_at *vocab, const char *text,
                             const place *p) {
    const char *blank = strchr(text, ' ');
    if (!blank || blank == text || !blank[1] || strchr(blank + 1, ' ')) {
        return fail_at(p, "not two tokens with a blank between:", text);
    }
    char *left = dn_strdup(text);
    left[blank - text] = '\0';
    dn_status status = add_merge(bpe, vocab, left, blank + 1, p);
    free(left);
    return status;
}

static dn_status read_merges(dn_bpe *bpe, const dn_json_at *vocab, const dn_json_at *merges) {
    size_t n = dn_json_count(merges);
    dn_bpe_reserve(bpe, n);
    for (size_t i = 0; i < n; i++) {
        dn_json_at item = dn_json_item(merges, i);
        place p = {.item = &item};
        const char *left, *right;
        if (dn_json_kind_of(&item) == DN_JSON_TEXT) {
            DN_TRY(dn_json_text(&item, &left));
            DN_TRY(add_written(bpe, vocab, left, &p));
            continue;
        }
        if (dn_json_kind_of(&item) != DN_JSON_ARRAY || dn_json_count(&item) != 2) {
            return dn_json_fail(&item, "is not a merge of two tokens");
        }
        dn_json_at first = dn_json_item(&item, 0), second = dn_json_item(&item, 1);
        DN_TRY(dn_json_text(&first, &left));
        DN_TRY(dn_json_text(&second, &right));
        DN_TRY(add_merge(bpe, vocab, left, right, &p));
    }
    return DN_OK;
}

static dn_status count_tokens(const dn_json_at *vocab, int32_t *size) {
    void *cursor = NULL;
    dn_json_at member;
    size_t n = dn_json_count(vocab);
    const int64_t top = n < MAX_TOKENS / 2 ? 2 * (int64_t)n + 1024 : MAX_TOKENS;
    bool *taken = dn_alloc_array((size_t)top + 1, sizeof *taken);
    dn_status status = n ? DN_OK : dn_json_fail(vocab, "is empty");
    *size = 0;
    while (status == DN_OK && dn_json_next(vocab, &cursor, &member)) {
        int64_t id;
        status = dn_json_int(&member, 0, top, &id);
        if (status == DN_OK && taken[id]) {
            status = dn_json_fail(&member, "another token has the id %lld", (long long)id);
        }
        if (status == DN_OK) {
            taken[id] = true;
            *size = id >= *size ? (int32_t)id + 1 : *size;
        }
    }
    free(taken);
    return status;
}

static dn_status take_bytes(dn_bpe *bpe, const dn_json_at *vocab) {
    for (int byte = 0; byte < 256; byte++) {
        char token[DN_UTF8_MAX + 1] = {0};
        dn_json_at at;
        int64_t id = -1;
        dn_utf8_encode(code_of_byte(byte), token);
        if (dn_json_find(vocab, token, &at)) {
            DN_TRY(dn_json_int(&at, 0, MAX_TOKENS, &id));
        }
        bpe->byte_id[byte] = (int32_t)id;
    }
    return DN_OK;
}

static dn_status take_vocabulary(dn_bpe *bpe, const dn_json_at *vocab, dn_token_table *out) {
    if (dn_json_kind_of(vocab) != DN_JSON_OBJECT) {
        return dn_json_fail(vocab, "is not an object of tokens and their ids");
    }
    DN_TRY(count_tokens(vocab, &out->size));
    dn_byte_words_init(&bpe->words);
    return take_bytes(bpe, vocab);
}

/* ---- tokenizer.json ---- */

static dn_status check_model(const dn_json_at *root, const dn_json_at *model) {
    static const char *const off[] = {
        "dropout",       "unk_token",    "continuing_subword_prefix", "end_of_word_suffix",
        "byte_fallback", "ignore_merges"};
    dn_json_at normalizer;
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        DN_TRY(dn_json_need_off(model, off[i]));
    }
    if (dn_json_find(root, "normalizer", &normalizer)) {
        return dn_json_fail(&normalizer, "is not supported with BPE");
    }
    return DN_OK;
}

static dn_status read_words(const dn_json_at *root, dn_bpe *bpe) {
    dn_json_at words, at;
    const char *type;
    bool use_regex = true;
    DN_TRY(dn_json_need(root, "pre_tokenizer", DN_JSON_OBJECT, &words));
    DN_TRY(dn_json_type(&words, &type));
    if (strcmp(type, "ByteLevel") != 0) {
        return dn_json_fail(&words, "'%s' is not supported with BPE; ByteLevel is", type);
    }
    if (dn_json_find(&words, "use_regex", &at)) {
        DN_TRY(dn_json_bool(&at, &use_regex));
    }
    if (!use_regex) {
        return dn_json_fail(&words, "use_regex is off, which is not supported");
    }
    return dn_json_find(&words, "add_prefix_space", &at) ? dn_json_bool(&at, &bpe->prefix_space)
                                                         : DN_OK;
}

dn_status dn_bpe_from_json(const dn_json_at *root, dn_token_table *out) {
    dn_bpe *bpe = out->table = dn_alloc(sizeof *bpe);
    dn_json_at model, vocab, merges;
    DN_TRY(dn_json_need(root, "model", DN_JSON_OBJECT, &model));
    DN_TRY(check_model(root, &model));
    DN_TRY(read_words(root, bpe));
    DN_TRY(dn_json_need(&model, "vocab", DN_JSON_OBJECT, &vocab));
    DN_TRY(take_vocabulary(bpe, &vocab, out));
    DN_TRY(dn_json_need(&model, "merges", DN_JSON_ARRAY, &merges));
    DN_TRY(read_merges(bpe, &vocab, &merges));
    DN_TRY(dn_added_tokens_read(root, &out->added));
    out->most_per_byte = 1 + bpe->prefix_space;
    return dn_token_frame_read(root, &out->frame);
}

/* ---- vocab.json, merges.txt, tokenizer_config.json ---- */

static dn_status read_lines(dn_bpe *bpe, const dn_json_at *vocab, const char *path, FILE *file) {
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    place p = {.path = path};
    dn_status status = DN_OK;
    while (status == DN_OK && (n = getline(&line, &room, file)) >= 0) {
        p.line++;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) {
            line[--n] = '\0';
        }
        if (n > 0 && !(p.line == 1 && strncmp(line, "#version", 8) == 0)) {
            status = add_written(bpe, vocab, line, &p);
        }
    }
    free(line);
    return status;
}

static size_t count_lines(FILE *file) {
    size_t n = 1;
    for (int c; (c = getc(file)) != EOF;) {
        n += c == '\n';
    }
    rewind(file);
    return n;
}

static dn_status read_merges_file(dn_bpe *bpe, const dn_json_at *vocab, const char *dir) {
    char *path = dn_format("%s/merges.txt", dir);
    FILE *file = fopen(path, "r");
    dn_status status = DN_OK;
    if (file) {
        dn_bpe_reserve(bpe, count_lines(file));
        status = read_lines(bpe, vocab, path, file);
        fclose(file);
    } else {
        status = DN_FAIL(NO_INPUT, "%s: %s; vocab.json needs it", path, strerror(errno));
    }
    free(path);
    return status;
}

static dn_status read_config(const char *dir, dn_bpe *bpe) {
    char *path = dn_format("%s/tokenizer_config.json", dir);
    dn_json *doc = NULL;
    dn_status status = DN_OK;
    if (access(path, F_OK) == 0) {
        DN_TRY_GO(dn_json_load(path, MAX_FILE_BYTES, DN_E_MODEL, &doc), done);
        dn_json_at root = dn_json_root(doc), at;
        if (dn_json_find(&root, "add_prefix_space", &at)) {
            DN_TRY_GO(dn_json_bool(&at, &bpe->prefix_space), done);
        }
    }
done:
    dn_json_free(doc);
    free(path);
    return status;
}

/* RoBERTa's special tokens. */
static dn_status take_specials(const dn_json_at *vocab, dn_token_table *out) {
    static const char *const names[] = {"<s>", "</s>", "<pad>", "<unk>", "<mask>"};
    for (int i = 0; i < 5; i++) {
        dn_json_at at;
        int64_t id;
        if (!dn_json_find(vocab, names[i], &at)) {
            return dn_json_fail(vocab,
                                "has no %s; without tokenizer.json only RoBERTa's special "
                                "tokens are known",
                                names[i]);
        }
        DN_TRY(dn_json_int(&at, 0, MAX_TOKENS, &id));
        dn_added_tokens_add(&out->added, names[i], (int32_t)id, false, false, false);
    }
    out->frame = (dn_token_frame){{out->added.token[0].id}, {out->added.token[1].id}, 1, 1};
    return DN_OK;
}

static dn_status from_vocabulary(const char *dir, const dn_json_at *vocab, dn_token_table *out) {
    dn_bpe *bpe = out->table;
    DN_TRY(take_vocabulary(bpe, vocab, out));
    DN_TRY(read_merges_file(bpe, vocab, dir));
    DN_TRY(read_config(dir, bpe));
    out->most_per_byte = 1 + bpe->prefix_space;
    return take_specials(vocab, out);
}

dn_status dn_bpe_from_files(const char *dir, dn_token_table *out) {
    dn_json *doc;
    out->table = dn_alloc(sizeof(dn_bpe));
    out->path = dn_format("%s/vocab.json", dir);
    DN_TRY(dn_json_load(out->path, MAX_FILE_BYTES, DN_E_MODEL, &doc));
    dn_json_at root = dn_json_root(doc);
    dn_status status = from_vocabulary(dir, &root, out);
    dn_json_free(doc);
    return status;
}
